import { afterAll, beforeAll, expect, it } from 'vitest';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { connectEndpoints } from '../../contracts/client/rpc/connect.ts';
import { recordUnit, TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { Random } from '../support/random.ts';
import { lagging } from '../support/rpc-lag.ts';
import { type RpcProxy, startRpcProxy } from '../support/rpc-proxy.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

const [OWNER, KEY, HARASSER] = [2, 3, 14];
let network: TestNetwork;
let proxy: RpcProxy | undefined;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: 20, response: 30, reaction: 2 } });
  await network.stake(OWNER, KEY);
});
afterAll(async () => {
  await network?.stop();
  await proxy?.stop();
});

it('a node behind an address whose endpoints lag loses no request, no demand and no end of a claim', async () => {
  const { deployment, client, modelId } = network;
  const chain = client.chain.rpcUrls.default.http[0]!;
  proxy = await startRpcProxy(chain);
  const through = await connectEndpoints({ urls: [proxy.url] });
  const node = await network.node(KEY, {}, through);
  proxy.change = lagging(chain, new Random(6), 0.5);
  const ids: bigint[] = [];
  for (let i = 0; i < 6; i++) ids.push(await network.ask(10, modelId, 40 + i));
  await until(
    'every claim',
    async () => (await Promise.all(ids.map((id) => statusOf(network, id)))).every((status) => status === STATUS.claimed),
    20,
  );
  const units = [TENSOR_ROOTS, recordUnit(0), recordUnit(1)];
  const price = await readPrice(client, deployment.board, modelId, units);
  const disputeOf = (id: bigint) =>
    client.readContract({
      address: deployment.board,
      abi: claimBoardAbi,
      functionName: 'disputeOf',
      args: [deployment.requests, claimHex(String(id))],
    });
  for (const id of ids.slice(0, 3)) {
    const claim = { source: deployment.requests, claimId: claimHex(String(id)) };
    await network.sender(HARASSER).send(demandCall(deployment.board, claim, units, 2n * price));
  }
  await until('every answer', async () => (await Promise.all(ids.map(disputeOf))).every(({ unanswered }) => unanswered === 0), 30);
  await until(
    'every undisputed end',
    async () => (await Promise.all(ids.slice(3).map((id) => statusOf(network, id)))).every((status) => status === STATUS.final),
    60,
  );
  for (const id of ids.slice(0, 3)) expect(await statusOf(network, id)).toBe(STATUS.claimed);
  proxy.change = undefined;
  await node.stop();
}, 300_000);
