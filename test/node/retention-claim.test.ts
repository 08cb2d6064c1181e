import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeEventTopics } from 'viem';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { connectEndpoints } from '../../contracts/client/rpc/connect.ts';
import { disputeEnd } from '../../core/dispute/clocks.ts';
import { inputForms, listRootOfBytes } from '../../core/tensor-list.ts';
import type { RunningNode } from '../../prover/node.ts';
import { MARGIN } from '../../prover/records/holds.ts';
import { type RpcProxy, startRpcProxy } from '../support/rpc-proxy.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const DAY = 86_400;
const WINDOW = 3 * DAY;
let network: TestNetwork;
let proxy: RpcProxy | undefined;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: WINDOW } });
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await network?.stop();
  await proxy?.stop();
});

it('the input of a claim is kept until its lock is released, also over restarts, and removed after that', async () => {
  const { client, deployment, program, modelId } = network;
  const data = path.join(network.directory, 'kept');
  const realNow = Date.now;
  let ahead = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead * 1000);
  /** Both clocks go on, while the node is away. */
  const sleep = async (node: RunningNode, seconds: number): Promise<RunningNode> => {
    await node.stop();
    ahead += seconds;
    await client.request({ method: 'evm_increaseTime' as never, params: [seconds] as never });
    // So many blocks that the request's own is not read again at the next start.
    await client.request({ method: 'anvil_mine' as never, params: ['0x100', '0x0'] as never });
    return network.node(3, { data });
  };
  const owner = network.sender(2).address;
  const free = (): Promise<bigint> =>
    client.readContract({ address: deployment.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner] });
  await network.stake(2, 3);
  const deposited = await free();
  let node = await network.node(3, { data });
  const input = listRootOfBytes(inputForms(program), network.input(7));
  const file = path.join(data, 'artifacts/inputs', input);
  const told = async (route: string): Promise<number> => (await fetch(`${node.url}${route}`)).status;

  const { timestamp: asked } = await client.getBlock();
  const id = await network.ask(5, modelId, 7);
  await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
  expect(existsSync(file)).toBe(true);

  // The request's own time is over, and a day more; the lock is not.
  node = await sleep(node, 300 + MARGIN + 60);
  expect(Number((await client.getBlock()).timestamp)).toBeGreaterThan(Number(asked) + 300 + MARGIN);
  await until('a look at what is old', async () => (await told(`/v1/claims/${id}/roots`)) === 200);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect([await statusOf(network, id), await told(`/v1/inputs/${input}`), existsSync(file)]).toEqual([STATUS.claimed, 200, true]);
  expect(await free()).toBe(deposited - network.coverage);

  // The window is over, the lock comes free; a demand in its last second could be argued about for a while.
  node = await sleep(node, WINDOW - MARGIN);
  await until('the end of the claim', async () => (await statusOf(network, id)) === STATUS.final);
  await until('the release of the lock', async () => (await free()) === deposited);
  expect(existsSync(file)).toBe(true);

  // Nobody can ask any more, and a day more.
  node = await sleep(node, disputeEnd({ window: WINDOW, response: 10, reaction: 2 }, 0, 4) - WINDOW + MARGIN);
  await until('the removal of the input', async () => !existsSync(file));
  expect(await told(`/v1/inputs/${input}`)).toBe(404);
  await node.stop();
});

it('the input of a claim that was made just before the node went away for long is there when it comes back', async () => {
  const { client, program, modelId } = network;
  const settings = { data: path.join(network.directory, 'away') };
  const realNow = Date.now;
  let ahead = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead * 1000);
  const through = async (url: string) => connectEndpoints({ urls: [url] });
  proxy = await startRpcProxy(client.chain.rpcUrls.default.http[0]!);
  await network.stake(11, 12);
  // It never heard that its claim was mined.
  const id = await network.ask(5, modelId, 8);
  const [claimed, ours] = encodeEventTopics({ abi: requestsAbi, eventName: 'Claimed', args: { requestId: id } });
  proxy.meddle = ({ method }, truth, response) => {
    if (method !== 'eth_getLogs' || !(truth as { topics: string[] }[]).some(({ topics: [name, of] }) => name === claimed && of === ours))
      return undefined;
    response.statusCode = 502;
    response.end();
    return undefined;
  };
  const node = await network.node(12, settings, await through(proxy.url));
  await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
  await node.stop();
  proxy.meddle = undefined;

  // A day beyond all that it knows of; what happened meanwhile takes some seconds to be read.
  const seconds = 300 + MARGIN + 60;
  ahead += seconds;
  await client.request({ method: 'evm_increaseTime' as never, params: [seconds] as never });
  await client.request({ method: 'anvil_mine' as never, params: ['0x100', '0x0'] as never });
  proxy.change = async (call) => {
    if (call.method === 'eth_getLogs') await delay(3_000);
    return call;
  };
  const again = await network.node(12, settings, await through(proxy.url));
  const input = listRootOfBytes(inputForms(program), network.input(8));
  const told = async (route: string): Promise<number> => (await fetch(`${again.url}${route}`)).status;
  await until('the claim to be known', async () => (await (await fetch(`${again.url}/v1/claims/${id}`)).text()).includes('"open"'));
  await delay(1_000);
  expect([existsSync(path.join(settings.data, 'artifacts/inputs', input)), await told(`/v1/inputs/${input}`)]).toEqual([true, 200]);
});
