import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, loadDeployment } from '../../cli/chain.ts';
import { connectEndpoints, endpointsOf } from '../../contracts/client/rpc/connect.ts';
import { AssayError } from '../../core/errors.ts';
import { newPrivateKey, readKeystore, writeKeystore } from '../../runtime/keystore-file.ts';
import { startNetwork, type TestNetwork } from '../node/network.ts';
import { startAnvil } from '../support/anvil.ts';
import { freePort } from '../support/port.ts';
import { assay, problemsOf, scratch } from './assay.ts';

const { folder, remove } = scratch('mistakes');
const at = (name: string): string => path.join(folder, name);
let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork();
});
afterAll(async () => {
  await network?.stop();
  remove();
});

async function errorOf(work: Promise<unknown>): Promise<AssayError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  // viem wraps what its transport throws.
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof AssayError) return at;
  throw error ?? new Error('nothing was thrown');
}

describe('an RPC address that does not answer', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  async function listening(server: Server, scheme = 'http'): Promise<string> {
    servers.push(server.on('connection', (socket: Socket) => void sockets.add(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/v3/hunter2`;
  }
  const answering = (listener: RequestListener): Promise<string> => listening(createHttpServer(listener));
  const status = (code: number): Promise<string> =>
    answering((_request, response) => {
      response.statusCode = code;
      response.end('no');
    });

  it.each<[reason: string, url: () => Promise<string>]>([
    ['nothing listens there', async () => `http://127.0.0.1:${await freePort()}/v3/hunter2`],
    ['no HTTP is spoken on that port', async () => 'http://127.0.0.1:9/v3/hunter2'],
    ['there is no host of that name', async () => 'http://nowhere.invalid/v3/hunter2'],
    ['it does not speak TLS: is it http instead of https?', async () => (await status(200)).replace('http:', 'https:')],
    ['it answers HTTP 401', () => status(401)],
    ['it answers HTTP 404', () => status(404)],
    ['what it answers is not JSON', () => answering((_request, response) => void response.end('<html>'))],
    [
      'it answers JSON-RPC error -32601',
      () =>
        answering((_request, response) => void response.end('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}')),
    ],
    ['it closes the connection', () => listening(createServer((socket) => socket.destroy()))],
    ['no answer in time', () => listening(createServer())],
  ])('is told with its reason, and without what follows its host: %s', async (reason, url) => {
    const error = await errorOf(connectEndpoints({ urls: [await url()], timeout: 500 }));
    expect([error.code, error.facts.reason]).toEqual(['CHAIN_UNREACHABLE', reason]);
    expect(error.explain()).not.toContain('hunter2');
  });

  it('of another chain than the first is told of to who listens later', async () => {
    const other = await startAnvil({ chainId: 5 });
    try {
      const client = await connect([String(network.client.chain.rpcUrls.default.http[0]), other.url]);
      const told: string[] = [];
      endpointsOf(client)?.listen(({ kind, endpoint, why }) => told.push(`${kind} ${endpoint} ${why}`));
      expect([client.chain.id, told]).toEqual([31_337, ['aside 1 wrong chain']]);
    } finally {
      await other.stop();
    }
  });
});

describe('a deployment', () => {
  it('that is not on this chain, though its id is the same, is told as that', async () => {
    const file = at('elsewhere.json');
    writeFileSync(file, JSON.stringify({ ...network.deployment, vault: `0x${'7'.repeat(40)}` }));
    const error = await errorOf(loadDeployment(network.client, file));
    expect([error.code, error.facts]).toEqual(['DEPLOYMENT_ABSENT', { chain: 31_337, address: `0x${'7'.repeat(40)}`, file }]);
    const rpc = String(network.client.chain.rpcUrls.default.http[0]);
    const model = ['--model', `${network.modelId}=${network.modelDirectory}`];
    const { code, stderr } = await assay('node', '--rpc', rpc, '--deployment', file, '--data', at('state'), '--port', '0', ...model);
    expect([code, problemsOf(stderr)]).toEqual([2, []]);
    expect(stderr).toContain('[DEPLOYMENT_ABSENT]');
  });

  it('of a wrong form is named', async () => {
    writeFileSync(at('list.json'), '[]');
    expect((await errorOf(loadDeployment(network.client, at('list.json')))).facts).toEqual({ file: at('list.json') });
  });
});

describe('a model', () => {
  it('that nobody registered is told as that', async () => {
    await network.stake(2, 3);
    const deployment = at('deployment.json');
    writeFileSync(deployment, JSON.stringify(network.deployment));
    const rpc = String(network.client.chain.rpcUrls.default.http[0]);
    const model = ['--model', `0x${'7'.repeat(64)}=${network.modelDirectory}`];
    const { code, stderr } = await assay('node', '--rpc', rpc, '--deployment', deployment, '--data', at('state'), '--port', '0', ...model);
    const [told] = stderr.split('\n').filter((line) => !line.startsWith('{'));
    expect([code, problemsOf(told ?? '')]).toEqual([2, []]);
    expect(told).toMatch(/^No model of that id is registered \[MODEL_UNREGISTERED\] \(modelId: 0x7+, directory: .* Fix: /);
  });
});

describe('a keystore', () => {
  it('that does not open is named, and so is an empty file of its password', async () => {
    for (const [name, text] of Object.entries({ right: 'hunter2', wrong: 'hunter3', empty: '\n' })) writeFileSync(at(name), text);
    const file = at('keystore.json');
    await writeKeystore(newPrivateKey(), { file, passwordFile: at('right') });
    const open = (password: string) => errorOf(readKeystore({ file, passwordFile: at(password) }));
    expect(await open('wrong')).toMatchObject({ code: 'KEYSTORE_PASSWORD', facts: { file } });
    expect(await open('empty')).toMatchObject({ code: 'KEYSTORE_PASSWORD_MISSING', facts: { file: at('empty') } });
    writeFileSync(at('none.json'), '{');
    const none = await errorOf(readKeystore({ file: at('none.json'), passwordFile: at('right') }));
    expect(none).toMatchObject({ code: 'KEYSTORE_INVALID', facts: { file: at('none.json') } });
  });
});
