import { type Abi, type Hex, keccak256, parseAbi, toHex } from 'viem';
import { afterEach, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { follow } from '../../contracts/client/follow.ts';
import { createSender } from '../../contracts/client/sender.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { bareClient, until } from './network.ts';

let anvil: Anvil | undefined;
const abort = new AbortController();
afterEach(async () => {
  abort.abort();
  await anvil?.stop();
});

const ADDRESS: Hex = `0x${'22'.repeat(20)}`;
const ABI: Abi = parseAbi(['event Ping()', 'function ping()']);
/** Emits Ping, whatever it is called with. */
const PINGER: Hex = `0x7f${keccak256(toHex('Ping()')).slice(2)}60006000a100`;

it('reads blocks again that the chain has replaced, and asks for fewer where the answer would be too long', async () => {
  anvil = await startAnvil();
  const client = bareClient(anvil.url, 31_337);
  const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
    client.request({ method: method as never, params: params as never });
  await rpc('anvil_setCode', ADDRESS, PINGER);
  const ping = () =>
    createSender({ client, account: developmentAccount(0) }).send({ address: ADDRESS, abi: ABI, functionName: 'ping', args: [] });
  await ping();
  await rpc('anvil_mine', '0x20');
  const asked: bigint[] = [];
  const choosy = {
    ...client,
    getLogs: (filter: { readonly fromBlock: bigint; readonly toBlock: bigint }) => {
      asked.push(filter.toBlock - filter.fromBlock + 1n);
      if (filter.toBlock - filter.fromBlock > 12n) throw new Error('query returned more than 10000 results');
      return client.getLogs(filter);
    },
  } as unknown as typeof client;
  const pings: bigint[] = [];
  let cursor: bigint | undefined;
  const following = follow(
    {
      client: choosy,
      contracts: [{ address: ADDRESS, abi: ABI }],
      fromBlock: 0n,
      confirmations: 0n,
      pollMilliseconds: 50,
      loadCursor: async () => cursor,
      saveCursor: async (block) => {
        cursor = block;
      },
      onEvent: async ({ blockNumber }) => {
        pings.push(blockNumber);
      },
      onError: () => {},
    },
    abort.signal,
  );
  await until('everything so far', async () => cursor === 33n, 60);
  expect(pings).toEqual([1n]);
  expect(asked[0]).toBe(34n);

  const snapshot = await rpc('evm_snapshot');
  await rpc('anvil_mine', '0x3');
  await until('three empty blocks', async () => cursor === 36n, 60);
  await rpc('evm_revert', snapshot);
  await ping();
  await rpc('anvil_mine', '0x4');
  await until('the replaced blocks', async () => cursor === 38n && pings.includes(34n), 60);
  abort.abort();
  await following;
});
