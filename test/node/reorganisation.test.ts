import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { recordUnit, TENSOR_ROOTS, type Unit } from '../../core/dispute/units.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, ASKER, HARASSER] = [2, 3, 10, 14];
let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: 60, response: 60, reaction: 2 } });
  await network.stake(OWNER, KEY);
});
afterAll(() => network?.stop());

const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
  network.client.request({ method: method as never, params: params as never });

/** Takes back what happened since, and puts more blocks in its place, without the transactions that were in it. */
async function reorganise(snapshot: unknown, blocks: number): Promise<void> {
  await rpc('evm_revert', snapshot);
  await rpc('anvil_dropAllTransactions');
  await rpc('anvil_mine', `0x${blocks.toString(16)}`);
}

async function demand(id: bigint, units: readonly Unit[]): Promise<void> {
  const { board, requests } = network.deployment;
  const price = await readPrice(network.client, board, network.modelId, units);
  await network.sender(HARASSER).send(demandCall(board, { source: requests, claimId: claimHex(String(id)) }, units, 2n * price));
}

function disputeOf(id: bigint) {
  const { board, requests } = network.deployment;
  return network.client.readContract({
    address: board,
    abi: claimBoardAbi,
    functionName: 'disputeOf',
    args: [requests, claimHex(String(id))],
  });
}

describe('blocks that the chain puts in the place of others', () => {
  it('take a claim with them: it is made again', async () => {
    const node = await network.node(KEY, {});
    const id = await network.ask(ASKER, network.modelId, 30);
    // As the chain was after the request and before its answer.
    await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
    await node.stop();
    const asked = await network.ask(ASKER, network.modelId, 31);
    const snapshot = await rpc('evm_snapshot');
    const again = await network.node(KEY, { data: `${network.directory}/process-0` });
    await until('a claim', async () => (await statusOf(network, asked)) === STATUS.claimed);
    await until('its event', async () => (await (await fetch(`${again.url}/v1/claims/${asked}`)).text()).includes('"open"'));
    await reorganise(snapshot, 6);
    expect(await statusOf(network, asked)).toBe(STATUS.open);
    await until('the claim again', async () => (await statusOf(network, asked)) === STATUS.claimed);
    await again.stop();
  }, 240_000);

  it('take an answer with them: it is given again', async () => {
    const node = await network.node(KEY, { data: `${network.directory}/process-0` });
    const id = await network.ask(ASKER, network.modelId, 32);
    await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
    await node.stop();
    await demand(id, [TENSOR_ROOTS, recordUnit(0), recordUnit(1)]);
    // Long enough ago that reading the last blocks again does not tell of it.
    await rpc('anvil_mine', '0x50', '0x0');
    const snapshot = await rpc('evm_snapshot');
    const again = await network.node(KEY, { data: `${network.directory}/process-0` });
    await until('answers', async () => (await disputeOf(id)).unanswered === 0);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await reorganise(snapshot, 8);
    expect((await disputeOf(id)).unanswered).toBeGreaterThan(0);
    await until('the answers again', async () => (await disputeOf(id)).unanswered === 0);
    await again.stop();
  }, 240_000);
});
