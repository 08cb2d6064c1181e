import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex } from '../../contracts/client/board/encode.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { COLLECTION } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const DAY = 86_400;
const [OWNER, KEY, ASKER, HARASSER] = [2, 3, 10, 14];
let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork();
  await network.stake(OWNER, KEY);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => network?.stop());

/** What a stopped node remembers of requests and claims on chain. */
async function remembered(data: string): Promise<Record<string, number>> {
  const state = openStateDirectory(data, 'node');
  const store = embeddedStore(state);
  const { requests, claims, requestsByTime, requestsQueued, claimsOpen, ended } = COLLECTION;
  const found: Record<string, number> = {};
  for (const name of [requests, claims, requestsByTime, requestsQueued, claimsOpen, ended]) found[name] = (await store.list(name)).length;
  await state.close();
  return found;
}

it('a request and its claim are forgotten days after their end; what is told of them later is no new work', async () => {
  const { client, deployment, modelId } = network;
  const data = path.join(network.directory, 'forgetting');
  const settings = { data, requestDays: 1 };
  const realNow = Date.now;
  let ahead = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead * 1000);
  const sleep = async (seconds: number): Promise<void> => {
    ahead += seconds;
    await client.request({ method: 'evm_increaseTime' as never, params: [seconds] as never });
    await client.request({ method: 'anvil_mine' as never, params: ['0x1', '0x0'] as never });
  };
  const free = (): Promise<bigint> =>
    client.readContract({ address: deployment.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [network.sender(OWNER).address] });
  const deposited = await free();

  let node = await network.node(KEY, settings);
  const id = await network.ask(ASKER, modelId, 7);
  // Nobody answers this one: its deadline passes.
  const passed = await network.ask(ASKER, modelId, 8, { coverage: deposited + 1n });
  await until('the end of the claim', async () => (await statusOf(network, id)) === STATUS.final);
  const told = async (): Promise<number> => (await fetch(`${node.url}/v1/claims/${id}`)).status;
  await until('that it is known', async () => (await (await fetch(`${node.url}/v1/claims/${id}`)).text()).includes('"final"'));
  expect(await free()).toBe(deposited);

  // Not a day yet: a restart looks, and leaves everything.
  await node.stop();
  await sleep(DAY - 600);
  node = await network.node(KEY, settings);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(await told()).toBe(200);
  await node.stop();
  expect(await remembered(data)).toMatchObject({ requests: 2, claims: 1, 'requests-by-time': 2 });

  // A day after its deadline, and after the end of its claim.
  await sleep(1_200);
  node = await network.node(KEY, settings);
  await until('that it is forgotten', async () => (await told()) === 404);
  await node.stop();
  const empty = { requests: 0, claims: 0, 'requests-by-time': 0, 'requests-queued': 0, 'claims-open': 0 };
  expect(await remembered(data)).toMatchObject(empty);

  // The last blocks are read again, in which it was asked, claimed and ended; and somebody demands of it.
  expect((await client.getBlockNumber()) - BigInt(deployment.block)).toBeLessThan(64n);
  node = await network.node(KEY, settings);
  const claim = { source: deployment.requests, claimId: claimHex(String(id)) };
  await expect(network.sender(HARASSER).send(demandCall(deployment.board, claim, [TENSOR_ROOTS], 10n ** 18n))).rejects.toThrow();
  const after = await network.ask(ASKER, modelId, 9);
  await until('the answer to what came later', async () => (await statusOf(network, after)) === STATUS.claimed);
  await node.stop();
  expect(await remembered(data)).toMatchObject({ requests: 1, claims: 1 });
  const claims = await client.getContractEvents({ address: deployment.requests, abi: requestsAbi, eventName: 'Claimed', fromBlock: 0n });
  expect(claims.map(({ args }) => args.requestId)).toEqual([id, after]);
  expect(await statusOf(network, passed)).toBe(STATUS.open);
  expect(await statusOf(network, id)).toBe(STATUS.final);
}, 240_000);
