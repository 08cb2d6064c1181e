import { afterEach, describe, expect, it } from 'vitest';
import { clientAddress, isNetwork, networkOf } from '../../prover/http/addresses.ts';
import type { ServerOptions } from '../../prover/http/server.ts';
import type { Log } from '../../runtime/log.ts';
import { type HttpNode, startHttpNode } from '../support/http-node.ts';

let node: HttpNode | undefined;
afterEach(() => node?.close());

interface Line {
  readonly address?: string;
  readonly caller?: string;
}

/** A node whose callers may ask twice a minute, and what it logs. */
async function start(server: Partial<ServerOptions>): Promise<Line[]> {
  const lines: Line[] = [];
  const debug = (line: Line): void => void lines.push(line);
  const log = { debug, info: debug, warn: debug, error: debug, isLevelEnabled: () => true } as unknown as Log;
  node = await startHttpNode({ server: { requestsPerMinute: 2, log, ...server } });
  return lines;
}

/** Statuses of questions that name these clients. */
async function ask(...forwarded: readonly string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const value of forwarded) statuses.push((await node!.send('GET', '/v1/models', undefined, { 'x-forwarded-for': value })).status);
  return statuses;
}

describe('X-Forwarded-For', () => {
  it('changes nothing where no proxy is trusted', async () => {
    const lines = await start({});
    expect(await ask('198.51.100.1', '198.51.100.2', '198.51.100.3')).toEqual([200, 200, 429]);
    expect(new Set(lines.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']));
    expect(new Set(lines.map(({ caller }) => caller))).toEqual(new Set(['address:127.0.0.1']));
  });

  it('changes nothing where another proxy is trusted', async () => {
    await start({ trustedProxies: ['10.0.0.0/8', '127.0.0.2'] });
    expect(await ask('198.51.100.1', '198.51.100.2', '198.51.100.3')).toEqual([200, 200, 429]);
  });

  it('tells the clients of a trusted proxy apart, in limits and log', async () => {
    const lines = await start({ trustedProxies: ['127.0.0.0/8'] });
    expect(await ask('198.51.100.1', '198.51.100.2', '198.51.100.1', '198.51.100.1', '198.51.100.2')).toEqual([200, 200, 200, 429, 200]);
    expect(lines.map(({ address }) => address)).toEqual([1, 2, 1, 1, 2].map((last) => `198.51.100.${last}`));
  });

  it('is believed from the right: what a client put before its own address does not help it', async () => {
    const lines = await start({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
    const forged = ['192.0.2.1, 198.51.100.1', '192.0.2.2, 198.51.100.1, 10.1.2.3', '127.0.0.1, 198.51.100.1'];
    expect(await ask(...forged)).toEqual([200, 200, 429]);
    expect(new Set(lines.map(({ address }) => address))).toEqual(new Set(['198.51.100.1']));
  });

  it('that holds no address counts as the proxy, and reaches neither limits nor log', async () => {
    const lines = await start({ trustedProxies: ['127.0.0.1'] });
    expect(await ask('nobody', '{"a":"\\n"}', 'x'.repeat(4_000))).toEqual([200, 200, 429]);
    expect(new Set(lines.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']));
  });

  it('counts an IPv6 network as one client', async () => {
    await start({ trustedProxies: ['127.0.0.1'] });
    expect(await ask('2001:db8:1::1', '2001:db8:1::2', '2001:db8:1:0:ffff::3', '2001:db8:2::1')).toEqual([200, 200, 429, 200]);
  });
});

describe('an address', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['203.0.113.700', 'peer'],
    ['unknown', 'peer'],
    ['', 'peer'],
  ])('told as %s is %s', (told, address) => expect(clientAddress(told, 'peer')).toBe(address));

  it.each(['10.0.0.1', '10.0.0.0/8', '0.0.0.0/1', '10.0.0.1/32', 'fd00::/8', '::1', '::1/128', '::ffff:10.0.0.1'])(
    '%s is one, or a network',
    (text) => expect(isNetwork(text)).toBe(true),
  );

  it.each([
    '',
    'proxy.example',
    '10.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '/8',
    '10.0.0/8',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
  ])('%s is none', (text) => expect(isNetwork(text)).toBe(false));

  it('every network that the configuration takes is one that the server takes', async () => {
    await start({ trustedProxies: ['10.0.0.1', '0.0.0.0/1', '10.0.0.1/32', 'fd00::/8', '::1', '::1/128', '::ffff:10.0.0.1'] });
    expect(await ask('198.51.100.1')).toEqual([200]);
    expect(networkOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
  });
});
