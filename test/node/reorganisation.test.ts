import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { eventually } from '../../contracts/client/eventually.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
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

function claimOf(id: bigint) {
  const { requests } = network.deployment;
  return network.client.readContract({ address: requests, abi: requestsAbi, functionName: 'claimOf', args: [claimHex(String(id))] });
}

function claimsOf(requestId: bigint) {
  const { requests } = network.deployment;
  return network.client.getContractEvents({
    address: requests,
    abi: requestsAbi,
    eventName: 'Claimed',
    args: { requestId },
    fromBlock: 0n,
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

  it('hold the same question under the same number on other terms: it is claimed on those', async () => {
    const node = await network.node(KEY, { data: `${network.directory}/process-0` });
    const snapshot = await rpc('evm_snapshot');
    const id = await network.ask(ASKER, network.modelId, 35);
    await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
    await until('its event', async () => (await (await fetch(`${node.url}/v1/claims/${id}`)).text()).includes('"open"'));
    const { coverage } = await claimOf(id);
    await reorganise(snapshot, 6);
    expect(await network.ask(ASKER, network.modelId, 35, { coverage: coverage + 1n })).toBe(id);
    await until('a claim on them', async () => (await statusOf(network, id)) === STATUS.claimed);
    expect((await claimOf(id)).coverage).toBe(coverage + 1n);
    await node.stop();
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

  it('take a claim with them before its event was believed: it is made again, though nothing that was handled is gone', async () => {
    const node = await network.node(KEY, { data: `${network.directory}/process-0`, confirmations: 3 });
    const id = await network.ask(ASKER, network.modelId, 33);
    await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
    const [claimed] = await eventually(() => claimsOf(id));
    const head = await network.client.getBlockNumber();
    expect(head - claimed!.blockNumber).toBeLessThan(3n);
    await rpc('anvil_reorg', Number(head - claimed!.blockNumber) + 1, []);
    expect(await statusOf(network, id)).toBe(STATUS.open);
    await until('the claim again', async () => (await statusOf(network, id)) === STATUS.claimed);
    await node.stop();
  }, 240_000);

  it('take the end of a claim with them, long after the claim: it is ended again', async () => {
    const node = await network.node(KEY, { data: `${network.directory}/process-0` });
    const id = await network.ask(ASKER, network.modelId, 34);
    await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
    const state = async (): Promise<string> => (await fetch(`${node.url}/v1/claims/${id}`)).text();
    await until('its event', async () => (await state()).includes('"open"'));
    await rpc('anvil_mine', '0x50', '0x0');
    const snapshot = await rpc('evm_snapshot');
    await rpc('evm_increaseTime', 120);
    await until('the end', async () => (await statusOf(network, id)) === STATUS.final);
    await until('that it is known', async () => (await state()).includes('"final"'));
    await reorganise(snapshot, 8);
    expect(await statusOf(network, id)).toBe(STATUS.claimed);
    await rpc('evm_increaseTime', 120);
    await until('the end again', async () => (await statusOf(network, id)) === STATUS.final);
    await node.stop();
  }, 240_000);
});
