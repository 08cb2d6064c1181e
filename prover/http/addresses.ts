import { isIP, isIPv6 } from 'node:net';

/** An IP address or a name of a machine: what can be listened on. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/i.test(text);
}

/** An IP address, or a network such as 10.0.0.0/8 or fd00::/8. One that holds every address is none: it would trust everybody. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128));
}

/**
 * Address of a client. A trusted proxy says whom it asks for, and may add a port or pass on what is no address at all: then the proxy
 * itself counts.
 * @param told by the proxies, or the other end of the connection where none is trusted @param peer other end of the connection
 */
export function clientAddress(told: string, peer: string | undefined): string {
  const bare = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(told)?.[1] ?? /^\[([^\]]+)\](?::\d+)?$/.exec(told)?.[1] ?? told;
  return isIP(bare) === 0 ? (peer ?? 'unknown') : bare;
}

/** An IPv6 customer has 2^64 addresses: its network counts as one. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.toLowerCase().split('%')[0]!.split('::');
  const left = head.split(':').filter((group) => group !== '');
  const right = (tail ?? '').split(':').filter((group) => group !== '');
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
