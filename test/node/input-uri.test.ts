import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Hex, parseEther } from 'viem';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { developmentKey } from '../../cli/accounts.ts';
import { requestIdIn } from '../../cli/requesting.ts';
import { type Child, startChild } from '../../cli/supervise.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { inputForms, listRootOfBytes } from '../../core/tensor-list.ts';
import { type PublicNet, startPublicNet } from '../support/public-net.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

let network: TestNetwork;
let net: PublicNet;
let node: Child;
/** The image whose input has the greatest name, and some others. */
let last = 0;
let others: number[] = [];

beforeAll(async () => {
  network = await startNetwork();
  await network.stake(2, 3);
  const byName = Array.from({ length: 10 }, (_, i) => 20 + i).sort((a, b) => (rootOf(a) < rootOf(b) ? -1 : 1));
  last = byName.at(-1)!;
  others = byName.slice(0, 6);
  net = await startPublicNet(path.join(network.directory, 'public'), ({ url }, response) => {
    if (url === '/input') response.end(network.input(4));
    else if (url === '/other') response.end(network.input(5));
    else if (url === '/last') response.end(network.input(last));
    else if (url?.startsWith('/silent') === true) return;
    else response.writeHead(404).end();
  });
  const file = (name: string, content: unknown): string => {
    const at = path.join(network.directory, name);
    writeFileSync(at, JSON.stringify(content));
    return at;
  };
  const config = file('node.json', {
    rpc: network.client.chain.rpcUrls.default.http[0],
    deployment: file('deployment.json', network.deployment),
    data: path.join(network.directory, 'node'),
    models: [{ modelId: network.modelId, directory: network.modelDirectory }],
    ...{ port: 0, minimumFee: '0', pollMilliseconds: 200 },
  });
  const names = { 'inputs.example.org': [['93.184.216.34']], 'a.inputs.example.org': [['10.0.0.1']] };
  node = await startChild({
    name: 'node',
    arguments: ['node', '--config', config],
    environment: { ...net.environment(names), ASSAY_NODE_KEY: developmentKey(3) },
    log: path.join(network.directory, 'node.log'),
  });
});
afterAll(async () => {
  await node?.stop();
  await net?.close();
  await network?.stop();
});

function rootOf(image: number): Hex {
  return listRootOfBytes(inputForms(network.program), network.input(image));
}

/** A request that names the root of an image's bytes, and where they are. */
async function ask(image: number, uri: string): Promise<bigint> {
  const { client, deployment, modelId, coverage } = network;
  const { timestamp } = await client.getBlock();
  const terms = { modelId, tier: 1, earlyDelivery: false, coverage, deadline: Number(timestamp) + 300, inputTimestamp: 0, callbackGas: 0 };
  const call = { address: deployment.requests, abi: requestsAbi, functionName: 'requestByRoot', args: [terms, rootOf(image), uri] };
  return requestIdIn(await network.sender(5).send({ ...call, value: parseEther('0.01') }));
}

it('a node fetches an input over https from where the request says, and from nowhere that it should not', async () => {
  const hidden = await ask(6, 'https://a.inputs.example.org/input');
  const wrong = await ask(6, 'https://inputs.example.org/other');
  const right = await ask(4, 'https://inputs.example.org/input');
  await until('a claim', async () => (await statusOf(network, right)) !== STATUS.open);
  expect([await statusOf(network, hidden), await statusOf(network, wrong)]).toEqual([STATUS.open, STATUS.open]);
  const seen = net.seen();
  expect(seen).toContain('resolved a.inputs.example.org');
  expect(new Set(seen.filter((line) => line.startsWith('connected')))).toEqual(new Set(['connected 93.184.216.34']));
});

it('places that do not answer, however many, keep no other from being asked', async () => {
  for (const image of others) await ask(image, `https://inputs.example.org/silent/${image}`);
  await ask(last, 'https://inputs.example.org/silent/last');
  const right = await ask(last, 'https://inputs.example.org/last');
  await until('a claim', async () => (await statusOf(network, right)) !== STATUS.open, 120);
}, 180_000);
