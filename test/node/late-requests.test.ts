import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventsOfBlock } from '../../contracts/client/follow.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { LateRequests } from '../../prover/chain/late-requests.ts';
import { COLLECTION } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork();
  await network.stake(2, 3);
});
afterAll(() => network?.stop());

const read = (block: bigint) => {
  const { client, deployment } = network;
  return eventsOfBlock({ client, contracts: [{ address: deployment.requests, abi: requestsAbi }] }, block);
};

it('a request that was given up by a node before is taken up after its restart, while its deadline allows', async () => {
  const { client, deployment, modelId } = network;
  const data = path.join(network.directory, 'late');
  const { number: before } = await client.getBlock();
  const asked = await network.ask(10, modelId, 1);
  const late = await network.ask(10, modelId, 2, { deadline: Number((await client.getBlock()).timestamp) + 5 });
  const filter = { address: deployment.requests, abi: requestsAbi, eventName: 'Requested', fromBlock: before } as const;
  await until('the events', async () => (await client.getContractEvents(filter)).length === 2);
  const logs = await client.getContractEvents(filter);
  // Far behind the cursor: nothing but what is remembered tells of them.
  await client.request({ method: 'anvil_mine' as never, params: ['0x60', '0x0'] as never });
  await until('the deadline', async () => Number((await client.getBlock()).timestamp) > Number(logs[1]!.args.terms!.deadline));
  const state = openStateDirectory(data, 'node');
  const store = embeddedStore(state);
  const memory = new LateRequests({ store, read, log: createLog({ name: 'test', level: 'silent' }) });
  for (const { blockNumber } of logs) for (const event of await read(blockNumber)) await memory.keep(event);
  const { blockNumber, transactionHash } = logs[0]!;
  // In a block that was replaced since.
  await store.put(COLLECTION.requestsLate, `${blockNumber}/${transactionHash}/99`, { block: String(blockNumber), deadline: 9_999_999_999 });
  await store.put(COLLECTION.cursor, 'chain', String(await client.getBlockNumber()));
  expect(await store.list(COLLECTION.requestsLate)).toHaveLength(3);
  await state.close();

  const node = await network.node(3, { data });
  await until('the answer', async () => (await statusOf(network, asked)) === STATUS.claimed);
  expect(await statusOf(network, late)).toBe(STATUS.open);
  await node.stop();
  const after = openStateDirectory(data, 'node');
  expect(await embeddedStore(after).list(COLLECTION.requestsLate)).toEqual([]);
  await after.close();
}, 120_000);
