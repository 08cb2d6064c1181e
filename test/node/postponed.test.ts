import path from 'node:path';
import { formatEther } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { questionOf } from '../../contracts/client/requests/question.ts';
import { reserveCall } from '../../contracts/client/requests/reserve.ts';
import { COLLECTION, orderedId, type RequestDocument } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, ASKER] = [2, 3, 10];
const WINDOW = 16;
let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: WINDOW, exclusivePeriod: 600 } });
  // Enough for one claim at a time.
  await network.stake(OWNER, KEY, formatEther(network.coverage + network.coverage / 2n));
});
afterAll(() => network?.stop());

const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
  network.client.request({ method: method as never, params: params as never });

/** A look at a condition on a chain whose time runs faster meanwhile. */
const hurried = (condition: () => Promise<boolean>) => async (): Promise<boolean> => {
  await rpc('evm_increaseTime', 3);
  await rpc('evm_mine');
  return condition();
};

async function isStakeFree(): Promise<boolean> {
  const { client, deployment, sender, coverage } = network;
  const args = [sender(OWNER).address] as const;
  return (await client.readContract({ address: deployment.vault, abi: stakeVaultAbi, functionName: 'freeOf', args })) > coverage;
}

/** What a stopped node says of a request, and how many it has postponed and queued. */
async function remembered(data: string, id: bigint): Promise<[request: RequestDocument | undefined, postponed: number, queued: number]> {
  const state = openStateDirectory(data, 'node');
  const store = embeddedStore(state);
  const found = await store.get<RequestDocument>(COLLECTION.requests, orderedId(id));
  const postponed = (await store.list(COLLECTION.requestsPostponed)).length;
  const queued = (await store.list(COLLECTION.requestsQueued)).length;
  await state.close();
  return [found, postponed, queued];
}

describe('a request that cannot be taken yet', () => {
  it('for want of free stake is answered when stake comes free, also after a restart, and passed when its time is over', async () => {
    const data = path.join(network.directory, 'short');
    const node = await network.node(KEY, { data, drainSeconds: 1 });
    const first = await network.ask(ASKER, network.modelId, 1);
    await until('the first claim', async () => (await statusOf(network, first)) === STATUS.claimed);
    const second = await network.ask(ASKER, network.modelId, 2);
    const { timestamp } = await network.client.getBlock();
    const third = await network.ask(ASKER, network.modelId, 3, { deadline: Number(timestamp) + 12 });
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect([await statusOf(network, first), await statusOf(network, second)]).toEqual([STATUS.claimed, STATUS.open]);
    await node.stop();
    expect(await remembered(data, second)).toMatchObject([{ state: 'waiting', reason: 'the free stake does not cover it' }, 2, 0]);

    // Its event is not read again.
    await rpc('anvil_mine', '0x50', '0x0');
    const again = await network.node(KEY, { data, drainSeconds: 1 });
    await until(
      'the end of the first',
      hurried(async () => (await statusOf(network, first)) === STATUS.final),
      60,
    );
    await until(
      'the second claim',
      hurried(async () => (await statusOf(network, second)) === STATUS.claimed),
      60,
    );
    expect(await statusOf(network, third)).toBe(STATUS.open);
    await again.stop();
    // Whether the second is still queued depends on whether the event of its claim was seen.
    const [passed, postponed] = await remembered(data, third);
    expect([passed, postponed]).toMatchObject([{ state: 'passed', reason: 'the free stake does not cover it' }, 0]);
  }, 240_000);

  it('since gas is dear is answered when it is cheaper', async () => {
    const data = path.join(network.directory, 'dear');
    const node = await network.node(KEY, { data, drainSeconds: 1 });
    await until('free stake', hurried(isStakeFree), 60);
    // From there it falls by an eighth a block.
    await rpc('anvil_setNextBlockBaseFeePerGas', '0x45d964b800');
    await until('dear gas', async () => (await network.client.getBlock()).baseFeePerGas! > 10n ** 11n);
    const id = await network.ask(ASKER, network.modelId, 4);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await statusOf(network, id)).toBe(STATUS.open);
    await until(
      'the claim',
      hurried(async () => (await statusOf(network, id)) === STATUS.claimed),
      90,
    );
    await node.stop();
    const [answered, postponed] = await remembered(data, id);
    expect([answered, postponed]).toMatchObject([{ state: 'answered' }, 0]);
  }, 240_000);
});

describe('requests that were accepted', () => {
  const data = (): string => path.join(network.directory, 'accepted');

  it('against the same stake are claimed one after the other as it comes free', async () => {
    const first = await network.node(KEY, { data: data(), drainSeconds: 1 });
    await until('free stake', hurried(isStakeFree), 60);
    await first.stop();
    const ids = [await network.ask(ASKER, network.modelId, 6), await network.ask(ASKER, network.modelId, 7)];
    const node = await network.node(KEY, { data: data(), drainSeconds: 1 });
    const areFinal = async (): Promise<boolean> =>
      (await Promise.all(ids.map((id) => statusOf(network, id)))).every((status) => status === STATUS.final);
    await until('both ends', hurried(areFinal), 240);
    await node.stop();
  }, 300_000);

  it('and could not be answered are no work any more long after their time', async () => {
    await network.stake(4, 5);
    const { deployment, client } = network;
    const { timestamp } = await client.getBlock();
    const id = await network.ask(ASKER, network.modelId, 8, { deadline: Number(timestamp) + 12 });
    const { terms, input, fee } = await client.readContract({
      address: deployment.requests,
      abi: requestsAbi,
      functionName: 'requestOf',
      args: [id],
    });
    // Another prover has it for itself, and does not answer.
    const question = questionOf({ ...terms, inputRoot: input, fee });
    await network.sender(5).send(reserveCall(deployment.requests, id, question));
    const node = await network.node(KEY, { data: data(), drainSeconds: 1 });
    await until(
      'its deadline',
      hurried(async () => Number((await client.getBlock()).timestamp) > terms.deadline),
    );
    await node.stop();
    expect(await remembered(data(), id)).toMatchObject([{ state: 'queued' }, 0, 1]);
    await rpc('evm_increaseTime', 7 * 3600);
    await rpc('anvil_mine', '0x50', '0x0');
    const again = await network.node(KEY, { data: data(), drainSeconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await again.stop();
    expect(await remembered(data(), id)).toMatchObject([{ state: 'passed', reason: 'its time is over' }, 0, 0]);
  }, 120_000);
});
