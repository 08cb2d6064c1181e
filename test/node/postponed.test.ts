import path from 'node:path';
import { formatEther } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLLECTION, orderedId, type RequestDocument } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, ASKER] = [2, 3, 10];
const WINDOW = 30;
let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: WINDOW } });
  // Enough for one claim at a time.
  await network.stake(OWNER, KEY, formatEther(network.coverage + network.coverage / 2n));
});
afterAll(() => network?.stop());

const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
  network.client.request({ method: method as never, params: params as never });

/** What a stopped node says of a request, and how many it has postponed. */
async function remembered(data: string, id: bigint): Promise<[request: RequestDocument | undefined, postponed: number]> {
  const state = openStateDirectory(data, 'node');
  const store = embeddedStore(state);
  const found = await store.get<RequestDocument>(COLLECTION.requests, orderedId(id));
  const postponed = (await store.list(COLLECTION.requestsPostponed)).length;
  await state.close();
  return [found, postponed];
}

describe('a request that cannot be taken yet', () => {
  it('for want of free stake is answered when stake comes free, also after a restart, and passed when its time is over', async () => {
    const data = path.join(network.directory, 'short');
    const node = await network.node(KEY, { data });
    const first = await network.ask(ASKER, network.modelId, 1);
    await until('the first claim', async () => (await statusOf(network, first)) === STATUS.claimed);
    const second = await network.ask(ASKER, network.modelId, 2);
    const { timestamp } = await network.client.getBlock();
    const third = await network.ask(ASKER, network.modelId, 3, { deadline: Number(timestamp) + 12 });
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect([await statusOf(network, first), await statusOf(network, second)]).toEqual([STATUS.claimed, STATUS.open]);
    await node.stop();
    expect(await remembered(data, second)).toMatchObject([{ state: 'waiting', reason: 'the free stake does not cover it' }, 2]);

    // Its event is not read again.
    await rpc('anvil_mine', '0x50', '0x0');
    const again = await network.node(KEY, { data });
    await until('the end of the first', async () => (await statusOf(network, first)) === STATUS.final);
    await until('the second claim', async () => (await statusOf(network, second)) === STATUS.claimed, 60);
    expect(await statusOf(network, third)).toBe(STATUS.open);
    await again.stop();
    expect(await remembered(data, third)).toMatchObject([{ state: 'passed', reason: 'the free stake does not cover it' }, 0]);
  }, 240_000);

  it('since gas is dear is answered when it is cheaper', async () => {
    const data = path.join(network.directory, 'dear');
    const node = await network.node(KEY, { data });
    await until('free stake', async () => (await statusOf(network, 2n)) === STATUS.final);
    // From there it falls by an eighth a block.
    await rpc('anvil_setNextBlockBaseFeePerGas', '0x45d964b800');
    await until('dear gas', async () => (await network.client.getBlock()).baseFeePerGas! > 10n ** 11n);
    const id = await network.ask(ASKER, network.modelId, 4);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await statusOf(network, id)).toBe(STATUS.open);
    await until('the claim', async () => (await statusOf(network, id)) === STATUS.claimed, 90);
    await node.stop();
    expect(await remembered(data, id)).toMatchObject([{ state: 'answered' }, 0]);
  }, 240_000);
});
