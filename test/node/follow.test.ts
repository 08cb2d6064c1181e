import { type Abi, type Hex, keccak256, parseAbi, toHex } from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { follow } from '../../contracts/client/follow.ts';
import { createSender } from '../../contracts/client/sender.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { bareClient, until } from './network.ts';

let anvil: Anvil | undefined;
let abort = new AbortController();
beforeEach(() => {
  abort = new AbortController();
});
afterEach(async () => {
  abort.abort();
  await anvil?.stop();
});

const ADDRESS: Hex = `0x${'22'.repeat(20)}`;
const ABI: Abi = parseAbi(['event Ping()', 'function ping()']);
/** Emits Ping, whatever it is called with. */
const PINGER: Hex = `0x7f${keccak256(toHex('Ping()')).slice(2)}60006000a100`;

/** Follows the pinger; what it saw. */
function startFollowing(client: ReturnType<typeof bareClient>, cursor: { block: bigint | undefined }) {
  const pings: bigint[] = [];
  const rewound: bigint[] = [];
  const following = follow(
    {
      client,
      contracts: [{ address: ADDRESS, abi: ABI }],
      fromBlock: 0n,
      confirmations: 0n,
      pollMilliseconds: 50,
      loadCursor: async () => cursor.block,
      saveCursor: async (block) => {
        cursor.block = block;
      },
      onEvent: async ({ blockNumber }) => void pings.push(blockNumber),
      onRewind: async (first) => void rewound.push(first),
      onError: () => {},
    },
    abort.signal,
  );
  return { pings, rewound, following };
}

/** A chain with a contract that emits an event when it is pinged. */
async function setup() {
  anvil = await startAnvil();
  const client = bareClient(anvil.url, 31_337);
  const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
    client.request({ method: method as never, params: params as never });
  await rpc('anvil_setCode', ADDRESS, PINGER);
  const ping = () =>
    createSender({ client, account: developmentAccount(0) }).send({ address: ADDRESS, abi: ABI, functionName: 'ping', args: [] });
  return { client, rpc, ping };
}

describe('a chain that is shorter than it was', () => {
  it('is read from where it parts from what was handled, before it is as long again', async () => {
    const { client, rpc, ping } = await setup();
    await rpc('anvil_mine', '0x5');
    const cursor: { block: bigint | undefined } = { block: undefined };
    const { pings, rewound, following } = startFollowing(client, cursor);
    await until('five blocks', async () => cursor.block === 5n);
    for (let block = 6n; block < 30n; block++) {
      await rpc('anvil_mine', '0x1');
      await until(`block ${block}`, async () => cursor.block === block);
    }
    await rpc('anvil_rollback', 20);
    await ping();
    await until('a ping at the height of an old block', async () => pings.includes(10n), 8);
    expect(rewound).toEqual([0n]);
    abort.abort();
    await following;
  });

  it('is believed after a while where an endpoint told of a head that never was, also at a start', async () => {
    const { client, rpc, ping } = await setup();
    await rpc('anvil_mine', '0x5');
    let lie = 0n;
    const liar = {
      ...client,
      getBlock: async (given?: { readonly blockNumber: bigint }) => {
        const block = await client.getBlock(given ?? {});
        return given === undefined ? { ...block, number: block.number + lie } : block;
      },
      getLogs: async (filter: { readonly fromBlock: bigint; readonly toBlock: bigint }) => {
        const { number } = await client.getBlock();
        return filter.fromBlock > number ? [] : client.getLogs({ ...filter, toBlock: filter.toBlock < number ? filter.toBlock : number });
      },
    } as unknown as typeof client;
    const cursor: { block: bigint | undefined } = { block: undefined };
    const { pings, following } = startFollowing(liar, cursor);
    await until('five blocks', async () => cursor.block === 5n);
    lie = 500n;
    await until('a lie', async () => cursor.block === 505n);
    lie = 0n;
    await ping();
    await until('the ping', async () => pings.includes(6n), 30);
    abort.abort();
    await following;
    abort = new AbortController();
    cursor.block = 9_000n;
    const again = startFollowing(client, cursor);
    await until('the ping again', async () => again.pings.includes(6n), 5);
    expect(cursor.block).toBe(6n);
    abort.abort();
    await again.following;
  });
});

it('reads blocks again that the chain has replaced, and asks for fewer where the answer would be too long', async () => {
  const { client, rpc, ping } = await setup();
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
