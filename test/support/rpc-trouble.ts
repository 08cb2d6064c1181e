import type { Random } from './random.ts';
import { HANG, type Meddle } from './rpc-proxy.ts';

/** Now and then no answer at all. */
export function hangs(random: Random, share: number): Meddle {
  return () => (random.chance(share) ? HANG : undefined);
}

/** Now and then "too many requests". */
export function limits(random: Random, share: number): Meddle {
  return (_call, _truth, response) => {
    if (!random.chance(share)) return undefined;
    response.writeHead(429, { 'retry-after': '1' });
    response.end();
    return undefined;
  };
}

/** Now and then a server error. */
export function fails(random: Random, share: number): Meddle {
  return (_call, _truth, response) => {
    if (!random.chance(share)) return undefined;
    response.statusCode = 502;
    response.end();
    return undefined;
  };
}

/** Events hidden, states of contracts that are all zeros, receipts that are not there, a head far ahead or behind. */
export function lies(random: Random, share: number): Meddle {
  return ({ method, params }, truth) => {
    if (!random.chance(share)) return undefined;
    if (method === 'eth_getLogs') return [];
    if (method === 'eth_getTransactionReceipt') return null;
    if (method === 'eth_call' && typeof truth === 'string') return `0x${'0'.repeat(truth.length - 2)}`;
    if (method === 'eth_blockNumber' && typeof truth === 'string') return moved(truth, random);
    if (method === 'eth_getBlockByNumber' && params?.[0] === 'latest' && isBlock(truth))
      return { ...truth, number: moved(truth.number, random) };
    return undefined;
  };
}

function moved(number: string, random: Random): string {
  return `0x${Math.max(1, Number(number) + random.integer(-20, 400)).toString(16)}`;
}

function isBlock(value: unknown): value is { readonly number: string } {
  return typeof value === 'object' && value !== null && typeof (value as { number?: unknown }).number === 'string';
}
