import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AssayError } from '../core/errors.ts';
import type { FetchLimits } from './fetch.ts';

/** Everything that is not an ordinary address of the public network (IANA special-purpose registries). */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv4');
/** The one block that ordinary IPv6 addresses are from, and what inside it is not. */
const GLOBAL_V6 = new BlockList();
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv6');

/** Whether an address is one of the public network: not of this machine, its neighbours, or a tunnel to them. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !PRIVATE.check(address, 'ipv4');
  return family === 6 && GLOBAL_V6.check(address, 'ipv6') && !PRIVATE.check(address, 'ipv6');
}

/** Milliseconds until a server of names that does not answer is asked once more, and how often it is asked. */
const NAME_PATIENCE = 2_500;
const NAME_TRIES = 2;

/**
 * Resolves where the connection goes, so that no second resolution can say something else. Not by the system's resolver: that takes one of
 * two threads of the whole process for as long as a stranger's server of names is silent, and the chain's own name would wait behind it.
 */
const publicLookup: LookupFunction = (host, options, callback) => {
  addressesOf(host).then(
    (found) => {
      const first = found[0];
      const hidden = found.find(({ address }) => !isPublicAddress(address));
      if (first === undefined || hidden !== undefined) callback(refused(host), '', 0);
      else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    },
    (error) => callback(error, '', 0),
  );
};

async function addressesOf(host: string): Promise<LookupAddress[]> {
  // Such names are this network's own; the public one has none of them.
  if (!host.includes('.')) throw refused(host);
  const resolver = new Resolver({ timeout: NAME_PATIENCE, tries: NAME_TRIES });
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
  const told = (answer: PromiseSettledResult<string[]>, family: number): LookupAddress[] =>
    answer.status === 'rejected' ? [] : answer.value.map((address) => ({ address, family }));
  return [...told(four, 4), ...told(six, 6)];
}

function refused(host: string): AssayError {
  return new AssayError('An address to fetch from is not one of the public network', {
    code: 'URL_PRIVATE',
    facts: { host: host.slice(0, 200) },
    fix: 'give an https URL of a public host',
  });
}

/**
 * Reads bytes that a stranger names: https at a public address, no redirects, bounded in size and time. Undefined when they are not
 * there or too many; the caller checks what it gets against a hash.
 * @throws AssayError URL_INVALID, URL_PRIVATE
 */
export async function fetchPublic(url: string, limits: FetchLimits, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const parsed = URL.canParse(url) && url.length <= 2_048 ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:' || parsed.username !== '' || parsed.password !== '') {
    throw new AssayError('Not a public address to fetch from', {
      code: 'URL_INVALID',
      facts: { url: url.slice(0, 200) },
      fix: 'give an https URL without credentials',
    });
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw refused(host);
  const timeout = AbortSignal.timeout(limits.timeout);
  const ending = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return await read(parsed, limits.mostBytes, ending);
  } catch (error) {
    if (error instanceof AssayError) throw error;
    return undefined;
  }
}

function read(url: URL, mostBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return new Promise((done, fail) => {
    const asked = request(url, { lookup: publicLookup, signal, agent: false, headers: { accept: 'application/octet-stream' } });
    asked.on('error', fail);
    asked.on('response', (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        asked.destroy();
        return done(undefined);
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= mostBytes) return;
        asked.destroy();
        done(undefined);
      });
      response.on('end', () => done(new Uint8Array(Buffer.concat(chunks))));
      response.on('error', fail);
    });
    asked.end();
  });
}
