import type { Random } from './random.ts';
import type { Call, RpcProxy } from './rpc-proxy.ts';

/**
 * One address with several endpoints behind it, as providers have: some are a block behind the newest that another tells of, know nothing of
 * what that block did, and say so by empty lists and old states, not by errors.
 * @param share of the calls that such a one answers
 */
export function lagging(chain: string, random: Random, share: number): NonNullable<RpcProxy['change']> {
  const head = async (): Promise<number> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] });
    const response = await fetch(chain, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return Number(((await response.json()) as { result: string }).result);
  };
  return async (call) => {
    const isState = call.method === 'eth_call' && (call.params?.[1] ?? 'latest') === 'latest';
    if ((!isState && call.method !== 'eth_getLogs') || !random.chance(share)) return call;
    const known = Math.max(0, (await head()) - 1);
    return isState ? { ...call, params: [call.params?.[0], hex(known)] } : shortened(call, known);
  };
}

function shortened(call: Call, known: number): Call {
  const [filter] = call.params as [{ readonly fromBlock: string; readonly toBlock: string }];
  const toBlock = Math.min(known, Number(filter.toBlock));
  // A range that ends before it begins is an error of the one who asks: nothing is found below the first block.
  const isEmpty = toBlock < Number(filter.fromBlock);
  return { ...call, params: [{ ...filter, fromBlock: isEmpty ? '0x0' : filter.fromBlock, toBlock: isEmpty ? '0x0' : hex(toBlock) }] };
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}
