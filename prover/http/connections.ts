import { BlockList, isIPv6, type Server, type Socket } from 'node:net';
import { networkOf } from './addresses.ts';

/** Each costs memory, and files where it reads a program. */
const MOST = 4_096;

/**
 * Bounds connections, and those of one address: who opens all there may be and asks nothing would keep out everybody else, those that watch
 * the node's health among them. Trusted proxies stand for many.
 */
export function boundConnections(server: Server, trustedProxies: readonly string[], mostOfOne: number): void {
  const trusted = networks(trustedProxies);
  const open = new Map<string, number>();
  server.maxConnections = MOST;
  server.on('connection', (socket: Socket) => {
    const peer = networkOf(socket.remoteAddress ?? '');
    if (trusted.check(socket.remoteAddress ?? '', isIPv6(socket.remoteAddress ?? '') ? 'ipv6' : 'ipv4')) return;
    const mine = (open.get(peer) ?? 0) + 1;
    if (mine > mostOfOne) {
      socket.destroy();
      return;
    }
    open.set(peer, mine);
    socket.once('close', () => {
      const left = (open.get(peer) ?? 1) - 1;
      if (left === 0) open.delete(peer);
      else open.set(peer, left);
    });
  });
}

function networks(all: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of all) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return list;
}
