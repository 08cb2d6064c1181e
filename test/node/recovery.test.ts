import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developmentAccount, developmentKey, ROLES } from '../../cli/accounts.ts';
import { type Child, startChild } from '../../cli/supervise.ts';
import { eventually } from '../../contracts/client/eventually.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { TENSOR_ROOTS, UNIT_KINDS } from '../../core/dispute/units.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const HARASSER = 14;
const CHALLENGER = 15;
let network: TestNetwork;

beforeAll(async () => {
  // Long enough for a process to start on a busy machine.
  network = await startNetwork({ clocks: { window: 40, response: 60, reaction: 2 } });
});
afterAll(() => network?.stop());

const claimHex = (id: bigint): `0x${string}` => `0x${id.toString(16).padStart(64, '0')}`;
const rootsUnit = { ...TENSOR_ROOTS, kind: UNIT_KINDS.indexOf('tensorRoots') };

async function demandRoots(id: bigint): Promise<void> {
  const { client, deployment } = network;
  const { board, requests } = deployment;
  const price = await client.readContract({
    address: board,
    abi: claimBoardAbi,
    functionName: 'priceOf',
    args: [network.modelId, rootsUnit],
  });
  await network.sender(HARASSER).send({
    address: board,
    abi: claimBoardAbi,
    functionName: 'demand',
    args: [requests, claimHex(id), [rootsUnit]],
    value: 2n * price,
  });
}

function disputeOf(id: bigint) {
  const { board, requests } = network.deployment;
  return network.client.readContract({ address: board, abi: claimBoardAbi, functionName: 'disputeOf', args: [requests, claimHex(id)] });
}

function claimsOf(id: bigint) {
  const { requests } = network.deployment;
  return eventually(() =>
    network.client.getContractEvents({
      address: requests,
      abi: requestsAbi,
      eventName: 'Claimed',
      args: { requestId: id },
      fromBlock: 0n,
    }),
  );
}

/** `assay node` as operators run it, on a state directory that outlives it. */
function nodeProcess(name: string): Promise<Child> {
  const deployment = path.join(network.directory, 'deployment.json');
  const config = path.join(network.directory, `${name}.json`);
  writeFileSync(deployment, JSON.stringify(network.deployment));
  writeFileSync(
    config,
    JSON.stringify({
      rpc: network.client.chain.rpcUrls.default.http[0],
      deployment,
      data: path.join(network.directory, name),
      port: 0,
      pollMilliseconds: 200,
      models: [{ modelId: network.modelId, directory: network.modelDirectory }],
    }),
  );
  return startChild({
    name,
    arguments: ['node', '--config', config],
    environment: { [ROLES.node.variable]: developmentKey(3) },
    log: path.join(network.directory, `${name}.log`),
  });
}

describe('a node that is killed', () => {
  it('answers, after a restart, what was demanded while it was dead, and claims nothing twice', async () => {
    await network.stake(2, 3);
    const first = await nodeProcess('killed-node');
    const id = await network.ask(10, network.modelId, 20);
    await until('a claim', async () => (await statusOf(network, id)) >= STATUS.claimed);
    await first.kill();
    await demandRoots(id);
    // Asked while nobody is there to hear it.
    const missed = await network.ask(10, network.modelId, 21);
    const second = await nodeProcess('killed-node');
    await until('an answer', async () => (await disputeOf(id)).unanswered === 0);
    await until('the missed request', async () => (await statusOf(network, missed)) >= STATUS.claimed);
    expect((await disputeOf(id)).traceRoot).not.toBe(`0x${'0'.repeat(64)}`);
    expect(await claimsOf(id)).toHaveLength(1);
    expect(await claimsOf(missed)).toHaveLength(1);
    await second.stop();
  }, 180_000);
});

describe('a challenger that is stopped in the middle of a dispute', () => {
  it('goes on where it was, and wins', async () => {
    const { modelId } = await network.register(5);
    const stake = await network.stake(4, 5);
    const liar = await network.node(5, { models: [{ modelId, directory: network.modelDirectory }], fault: { seed: 3, kind: 'tensor' } });
    const settings = { provers: [liar.url], data: path.join(network.directory, 'stopped-challenger') };
    const before = await network.challenger(CHALLENGER, settings);
    const id = await network.ask(11, modelId, 22);
    await until('a commitment or a dispute', async () => (await disputeOf(id)).traceRoot !== `0x${'0'.repeat(64)}`);
    await before.stop();
    expect(await statusOf(network, id)).toBe(STATUS.claimed);
    const after = await network.challenger(CHALLENGER, settings);
    await until('a verdict', async () => (await statusOf(network, id)) === STATUS.faulted);
    const { address } = developmentAccount(CHALLENGER);
    // Nothing of its own stays behind on the board.
    await until('the way back of its credit', async () => {
      const { board } = network.deployment;
      return (await network.client.readContract({ address: board, abi: claimBoardAbi, functionName: 'creditOf', args: [address] })) === 0n;
    });
    await after.stop();
    expect(await stake.slashed(0n)).toBe(network.coverage);
  }, 180_000);
});

describe('a liar that falls silent', () => {
  it('loses by rule: an unanswered demand is a lost claim', async () => {
    const short = await startNetwork({ clocks: { window: 40, response: 6, reaction: 2 } });
    try {
      const stake = await short.stake(2, 3);
      const liar = await short.node(3, { fault: { seed: 9, kind: 'logit' } });
      const id = await short.ask(10, short.modelId, 23);
      await until('a claim', async () => (await statusOf(short, id)) >= STATUS.claimed);
      await liar.stop();
      // An honest node that answers nothing hands out the program.
      await short.stake(6, 7);
      const librarian = await short.node(7, { mostFee: '0' });
      await short.challenger(CHALLENGER, { provers: [librarian.url] });
      await until('a verdict', async () => (await statusOf(short, id)) === STATUS.faulted);
      const expired = await eventually(() =>
        short.client.getContractEvents({
          address: short.deployment.board,
          abi: claimBoardAbi,
          eventName: 'Expired',
          fromBlock: 0n,
        }),
      );
      expect(expired).toHaveLength(1);
      expect(await stake.slashed(0n)).toBe(short.coverage);
    } finally {
      await short.stop();
    }
  }, 180_000);
});
