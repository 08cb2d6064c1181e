import { type Hex, keccak256, parseAbi, parseEther, toHex } from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { carefulClient, connectEndpoints, endpointsOf } from '../../contracts/client/rpc/connect.ts';
import { Endpoint } from '../../contracts/client/rpc/endpoint.ts';
import type { EndpointEvent } from '../../contracts/client/rpc/endpoints.ts';
import { createSender } from '../../contracts/client/sender.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { HANG, type RpcProxy, startRpcProxy } from '../support/rpc-proxy.ts';
import { bareClient } from './network.ts';

let anvil: Anvil;
let proxies: RpcProxy[] = [];
const events: EndpointEvent[] = [];
const EMITTER: Hex = `0x${'22'.repeat(20)}`;
const ABI = parseAbi(['event Ping()', 'function ping()']);

beforeEach(async () => {
  anvil = await startAnvil();
  events.length = 0;
});
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  proxies = [];
  await anvil.stop();
});

/** A client over so many proxies, which compares them all the time unless told. */
async function connected(count: number, prepare: (proxies: RpcProxy[]) => void = () => {}, compareEvery = 0) {
  proxies = await Promise.all(Array.from({ length: count }, () => startRpcProxy(anvil.url)));
  prepare(proxies);
  const client = await connectEndpoints({ urls: proxies.map(({ url }) => url), timeout: 600, compareEvery });
  endpointsOf(client)!.listen((event) => events.push(event));
  return client;
}

const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
  bareClient(anvil.url, 31_337).request({ method: method as never, params: params as never });
const kinds = (endpoint: number): string[] => events.filter((event) => event.endpoint === endpoint).map(({ kind }) => kind);

describe('endpoints that fail', () => {
  it.each([
    ['answers nothing', () => HANG],
    [
      'answers 500',
      (_call, _truth, response) => {
        response.statusCode = 500;
        response.end('{}');
      },
    ],
    ['is not a JSON-RPC server', (_call, _truth, response) => void response.end('<html>')],
  ] satisfies [string, RpcProxy['meddle'] & object][])('the next is asked where one %s', async (_name, meddle) => {
    const client = await connected(2);
    proxies[0]!.meddle = meddle;
    expect(await client.getBalance({ address: developmentAccount(0).address })).toBe(parseEther('10000'));
    expect(kinds(0)).toContain('failed');
    expect(JSON.stringify(events)).not.toContain('/');
  });

  it('is left in peace for as long as its 429 says', async () => {
    const client = await connected(2);
    proxies[0]!.meddle = (_call, _truth, response) => {
      response.writeHead(429, { 'retry-after': '30' });
      response.end();
    };
    await client.getGasPrice();
    const before = proxies[0]!.asked.length;
    for (let i = 0; i < 5; i++) await client.getGasPrice();
    const money = proxies[0]!.asked.slice(before).filter((method) => method === 'eth_gasPrice');
    expect(money).toEqual([]);
  });

  it('a refused call is refused, and not asked of others', async () => {
    const client = await connected(2);
    await rpc('anvil_setCode', EMITTER, '0x60006000fd');
    const before = proxies[1]!.asked.filter((method) => method === 'eth_call').length;
    await expect(client.call({ to: EMITTER })).rejects.toThrow(/revert/i);
    expect(proxies[1]!.asked.filter((method) => method === 'eth_call').length).toBe(before);
  });

  it('calls that fail together are one failure: it is not away the longer for having been asked by many', async () => {
    const proxy = await startRpcProxy(anvil.url);
    proxies = [proxy];
    const endpoint = new Endpoint(0, proxy.url, 600);
    const call = { method: 'eth_gasPrice' };
    proxy.meddle = (_call, _truth, response) => {
      response.statusCode = 502;
      response.end();
    };
    await Promise.allSettled(Array.from({ length: 40 }, () => endpoint.ask(call)));
    expect(endpoint.resting()).toBeLessThanOrEqual(250);
    // One after the other they are many, but for its only users it is never away for long.
    for (let i = 0; i < 8; i++) await expect(endpoint.ask(call)).rejects.toThrow('failed');
    expect(endpoint.resting()).toBeGreaterThan(10_000);
    expect(endpoint.patience()).toBeLessThanOrEqual(2_000);
    proxy.meddle = undefined;
    expect(await endpoint.ask(call)).toMatch(/^0x/);
    expect(endpoint.resting()).toBe(0);
  });

  it('one that failed is tried by one call, while the others go elsewhere', async () => {
    const client = await connected(2, undefined, 60_000);
    proxies[0]!.meddle = () => HANG;
    await client.getGasPrice();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = proxies[0]!.asked.filter((method) => method === 'eth_gasPrice').length;
    await Promise.all(Array.from({ length: 10 }, () => client.getGasPrice()));
    expect(proxies[0]!.asked.filter((method) => method === 'eth_gasPrice').length).toBe(before + 1);
  });

  it('one that comes back alone is waited for', async () => {
    const client = await connected(1);
    let refusals = 2;
    proxies[0]!.meddle = (_call, _truth, response) => {
      if (refusals-- <= 0) return;
      response.statusCode = 503;
      response.end();
    };
    expect(await client.getChainId()).toBe(31_337);
  });
});

describe('endpoints that lie', () => {
  it('one on another chain is put aside', async () => {
    const client = await connected(3, ([first]) => {
      first!.meddle = ({ method }) => (method === 'eth_chainId' ? '0x1' : method === 'eth_getBalance' ? '0x7' : undefined);
    });
    expect(client.chain.id).toBe(31_337);
    expect(await client.getBalance({ address: developmentAccount(0).address })).toBe(parseEther('10000'));
  });

  it('one that lags is put aside, and taken back', async () => {
    await rpc('anvil_mine', '0x20');
    const client = await connected(2);
    proxies[0]!.meddle = ({ method }) => (method === 'eth_blockNumber' ? '0x5' : undefined);
    for (let i = 0; i < 20 && !kinds(0).includes('aside'); i++) await client.getGasPrice();
    expect(events.find(({ kind }) => kind === 'aside')).toMatchObject({ endpoint: 0, why: 'behind' });
    proxies[0]!.meddle = undefined;
    for (let i = 0; i < 20 && !kinds(0).includes('back'); i++) await client.getGasPrice();
    expect(kinds(0)).toContain('back');
  });

  it('one of three with another block at the same height is put aside', async () => {
    await rpc('anvil_mine', '0x20');
    const client = await connected(3);
    proxies[1]!.meddle = ({ method }, truth) =>
      method === 'eth_getBlockByNumber' ? { ...(truth as object), hash: `0x${'66'.repeat(32)}` } : undefined;
    for (let i = 0; i < 20 && !kinds(1).includes('aside'); i++) await client.getGasPrice();
    expect(events.find(({ kind }) => kind === 'aside')).toMatchObject({ endpoint: 1, why: 'other block' });
  });

  it('a careful answer is one that two give alike', async () => {
    const client = await connected(2);
    const careful = carefulClient(client);
    const { address } = developmentAccount(0);
    expect(await careful.getBalance({ address })).toBe(parseEther('10000'));
    proxies[0]!.meddle = ({ method }) => (method === 'eth_getBalance' ? '0x7' : undefined);
    // Carelessly the liar is believed: that is what the careful client is for.
    expect(await client.getBalance({ address })).toBe(7n);
    await expect(careful.getBalance({ address })).rejects.toThrow(/different things/);
    expect(kinds(1)).toContain('disagree');
  });

  it('events that one of two hides are seen', async () => {
    await rpc('anvil_setCode', EMITTER, `0x7f${keccak256(toHex('Ping()')).slice(2)}60006000a100`);
    await createSender({ client: bareClient(anvil.url, 31_337), account: developmentAccount(0) }).send({
      ...{ address: EMITTER, abi: ABI, functionName: 'ping', args: [] },
    });
    const client = await connected(2);
    proxies[0]!.meddle = ({ method }) => (method === 'eth_getLogs' ? [] : undefined);
    expect(await client.getLogs({ address: EMITTER, fromBlock: 0n })).toHaveLength(1);
    expect(kinds(1)).toContain('disagree');
    proxies[0]!.meddle = undefined;
    expect(await client.getLogs({ address: EMITTER, fromBlock: 0n })).toHaveLength(1);
  });
});

it('a transaction goes to every endpoint, and is mined where one swallows it', async () => {
  const client = await connected(2);
  proxies[0]!.meddle = ({ method }) => (method === 'eth_sendRawTransaction' ? HANG : undefined);
  const sender = createSender({ client, account: developmentAccount(0) });
  const receipt = await sender.send({ address: EMITTER, abi: ABI, functionName: 'ping', args: [] });
  expect(receipt.status).toBe('success');
  for (const proxy of proxies) expect(proxy.asked).toContain('eth_sendRawTransaction');
});
