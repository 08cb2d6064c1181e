import { afterAll, beforeAll, expect, it } from 'vitest';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { connectEndpoints } from '../../contracts/client/rpc/connect.ts';
import { recordUnit, TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { HANG, type Meddle, type RpcProxy, startRpcProxy } from '../support/rpc-proxy.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, HARASSER] = [2, 3, 14];
let network: TestNetwork;
let proxies: RpcProxy[] = [];

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: 60, response: 60, reaction: 2 } });
  await network.stake(OWNER, KEY);
});
afterAll(async () => {
  await network?.stop();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
});

/** The same trouble every time (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Now and then no answer, an error, a limit, no events. */
function trouble(seed: number): Meddle {
  const roll = dice(seed);
  return ({ method }, _truth, response) => {
    const drawn = roll();
    if (drawn < 0.02) return HANG;
    if (drawn < 0.08) {
      response.statusCode = 502;
      response.end();
      return undefined;
    }
    if (drawn < 0.12) {
      response.writeHead(429, { 'retry-after': '1' });
      response.end();
      return undefined;
    }
    return method === 'eth_getLogs' && drawn < 0.5 ? [] : undefined;
  };
}

it('a node between two endpoints that fail, limit and hide events answers every request and every demand', async () => {
  const { deployment, client, modelId } = network;
  const chain = client.chain.rpcUrls.default.http[0]!;
  proxies = await Promise.all([startRpcProxy(chain), startRpcProxy(chain)]);
  const through = await connectEndpoints({ urls: proxies.map(({ url }) => url), timeout: 1_000, compareEvery: 2_000 });
  // One hides events at a time: what both hide is hidden.
  proxies[0]!.meddle = trouble(1);
  proxies[1]!.meddle = (call, truth, response) => (call.method === 'eth_getLogs' ? undefined : trouble(2)(call, truth, response));
  const node = await network.node(KEY, {}, through);
  const ids: bigint[] = [];
  for (let i = 0; i < 6; i++) ids.push(await network.ask(10, modelId, 40 + i));
  await until('every claim', async () =>
    (await Promise.all(ids.map((id) => statusOf(network, id)))).every((status) => status === STATUS.claimed),
  );
  const units = [TENSOR_ROOTS, recordUnit(0), recordUnit(1)];
  const price = await readPrice(client, deployment.board, modelId, units);
  for (const id of ids) {
    const claim = { source: deployment.requests, claimId: claimHex(String(id)) };
    await network.sender(HARASSER).send(demandCall(deployment.board, claim, units, 2n * price));
  }
  const unanswered = async (id: bigint): Promise<number> => {
    const args = [deployment.requests, claimHex(String(id))] as const;
    return (await client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'disputeOf', args })).unanswered;
  };
  await until('every answer', async () => (await Promise.all(ids.map(unanswered))).every((open) => open === 0), 60);
  for (const id of ids) expect(await statusOf(network, id)).toBe(STATUS.claimed);
  for (const proxy of proxies) proxy.meddle = undefined;
  await node.stop();
}, 300_000);
