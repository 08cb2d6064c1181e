import { type Abi, parseTransaction, toFunctionSelector } from 'viem';
import { afterEach, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { createSender } from '../../contracts/client/sender.ts';
import { AssayError } from '../../core/errors.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { bareClient, until } from './network.ts';

let anvil: Anvil | undefined;
afterEach(() => anvil?.stop());

const abi: Abi = ['first', 'second', 'third'].map((name) => ({
  type: 'function',
  name,
  inputs: [],
  outputs: [],
  stateMutability: 'nonpayable',
}));
const call = (functionName: string) => ({ address: `0x${'11'.repeat(20)}` as const, abi, functionName, args: [] });

it('replaces what was not mined in time, for a higher fee, and goes on behind it', async () => {
  anvil = await startAnvil({ arguments: ['--no-mining'] });
  const client = bareClient(anvil.url, 31_337);
  const account = developmentAccount(0);
  const signed: ReturnType<typeof parseTransaction>[] = [];
  const watched = {
    ...account,
    signTransaction: async (transaction: Parameters<typeof account.signTransaction>[0]) => {
      const serialized = await account.signTransaction(transaction);
      signed.push(parseTransaction(serialized));
      return serialized;
    },
  } as typeof account;
  const sender = createSender({ client, account: watched, timeout: 8_000 });
  const code = await sender.send(call('first')).then(
    () => 'mined',
    (error: unknown) => (error instanceof AssayError ? error.code : String(error)),
  );
  expect(code).toBe('TRANSACTION_TIMEOUT');
  const second = sender.send(call('second'));
  await until('the replacement', async () => signed.length === 2, 20);
  await client.request({ method: 'evm_setIntervalMining' as never, params: [1] as never });
  const receipt = await second;
  expect(receipt.status).toBe('success');
  expect(signed.map(({ nonce }) => nonce ?? 0)).toEqual([0, 0]);
  expect(signed[1]!.maxFeePerGas! * 10n).toBeGreaterThan(signed[0]!.maxFeePerGas! * 11n);
  await sender.send(call('third'));
  expect(signed[2]!.nonce).toBe(1);
  expect(await client.getTransactionCount({ address: account.address })).toBe(2);
});

it('pays no more than its cap, but for what is vital', async () => {
  anvil = await startAnvil();
  const client = bareClient(anvil.url, 31_337);
  const sender = createSender({ client, account: developmentAccount(0), maxFeePerGas: 1n });
  await expect(sender.send(call('first'))).rejects.toMatchObject({ code: 'FEE_ABOVE_CAP' });
  expect((await sender.send({ ...call('second'), isVital: true })).status).toBe('success');
});

/** An account whose signed transactions can be looked at. */
function watchedAccount() {
  const account = developmentAccount(0);
  const signed: ReturnType<typeof parseTransaction>[] = [];
  const signTransaction = async (transaction: Parameters<typeof account.signTransaction>[0]) => {
    const serialized = await account.signTransaction(transaction);
    signed.push(parseTransaction(serialized));
    return serialized;
  };
  return { signed, account: { ...account, signTransaction } as typeof account };
}

it('sends the same call again for more when it is not mined, and what is vital in the stead of what holds it up', async () => {
  anvil = await startAnvil({ arguments: ['--no-mining'] });
  const client = bareClient(anvil.url, 31_337);
  const { account, signed } = watchedAccount();
  const spent: [string, bigint][] = [];
  const onSpent = (name: string, wei: bigint): void => void spent.push([name, wei]);
  const sender = createSender({ client, account, timeout: 60_000, replaceAfter: 2_000, maxFeePerGas: 3_000_000_000n, onSpent });
  const first = sender.send(call('first'));
  await until('the first', async () => signed.length === 1, 20);
  const vital = sender.send({ ...call('second'), isVital: true });
  await until(
    'a vital one at the first place',
    async () => signed.some(({ nonce, data }) => (nonce ?? 0) === 0 && data !== signed[0]!.data),
    30,
  );
  const tooDear = signed.filter(({ data, maxFeePerGas }) => data === signed[0]!.data && maxFeePerGas! > 3_000_000_000n);
  expect(tooDear).toEqual([]);
  await client.request({ method: 'evm_setIntervalMining' as never, params: [1] as never });
  expect((await vital).status).toBe('success');
  expect(spent.some(([name, wei]) => name === 'second' && wei > 0n)).toBe(true);
  await first.catch(() => undefined);
}, 120_000);

it('says that the key is poor', async () => {
  anvil = await startAnvil();
  const client = bareClient(anvil.url, 31_337);
  const { account } = watchedAccount();
  await client.request({ method: 'anvil_setBalance' as never, params: [account.address, '0x1'] as never });
  const sender = createSender({ client, account });
  await expect(sender.send(call('first'))).rejects.toMatchObject({ code: 'FUNDS_INSUFFICIENT' });
});

it('asks for what is vital first', async () => {
  anvil = await startAnvil();
  const client = bareClient(anvil.url, 31_337);
  const { account, signed } = watchedAccount();
  let open = (): void => {};
  const closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  let isFirst = true;
  const slow = {
    ...client,
    estimateFeesPerGas: async () => {
      if (isFirst) {
        isFirst = false;
        await closed;
      }
      return client.estimateFeesPerGas();
    },
  } as unknown as typeof client;
  const sender = createSender({ client: slow, account });
  const all = [sender.send(call('first')), sender.send(call('second'))];
  await new Promise((resolve) => setTimeout(resolve, 500));
  all.push(sender.send({ ...call('third'), isVital: true }));
  await new Promise((resolve) => setTimeout(resolve, 500));
  open();
  await Promise.all(all);
  const order = signed.map(({ data }) => ['first', 'second', 'third'].find((name) => toFunctionSelector(`${name}()`) === data));
  expect(order.at(1)).toBe('third');
});

it('sends again what a chain forgot, and fills the gap that a reorganisation left, long before it would pay more', async () => {
  anvil = await startAnvil({ arguments: ['--no-mining'] });
  const client = bareClient(anvil.url, 31_337);
  const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
    client.request({ method: method as never, params: params as never });
  const sender = createSender({ client, account: developmentAccount(0), replaceAfter: 600_000, timeout: 600_000 });
  const forgotten = sender.send(call('first'));
  const waits = async (): Promise<number> => Number(((await rpc('txpool_status')) as { pending: string }).pending);
  await until('the first to wait', async () => (await waits()) === 1, 20);
  await rpc('anvil_dropAllTransactions');
  await until('the first to wait again', async () => (await waits()) === 1, 30);
  await rpc('anvil_mine', '0x1');
  expect((await forgotten).status).toBe('success');
  const second = sender.send(call('second'));
  await until('the second to wait', async () => (await waits()) === 1, 20);
  // The first is mined no more, and nobody waits for its receipt: the second stands alone behind a gap.
  await rpc('anvil_rollback', 1);
  expect(await client.getTransactionCount({ address: developmentAccount(0).address })).toBe(0);
  await rpc('evm_setIntervalMining', 1);
  expect((await second).status).toBe('success');
}, 120_000);

describe('a chain that forgot what it had mined', () => {
  const rpcOf =
    (client: ReturnType<typeof bareClient>) =>
    (method: string, ...params: unknown[]): Promise<unknown> =>
      client.request({ method: method as never, params: params as never });
  type Rpc = ReturnType<typeof rpcOf>;
  const { address } = developmentAccount(0);

  const ready = async (rpc: Rpc): Promise<number> => Number(((await rpc('txpool_status')) as { pending: string }).pending);

  /** A chain that mines when it is told to, on which ten calls of a sender are mined in ten blocks. */
  async function setup() {
    anvil = await startAnvil({ arguments: ['--no-mining'] });
    const client = bareClient(anvil.url, 31_337);
    const rpc = rpcOf(client);
    const { account, signed } = watchedAccount();
    const sender = createSender({ client, account, replaceAfter: 600_000, timeout: 600_000 });
    for (let i = 0; i < 10; i++) {
      const sending = sender.send(call('first'));
      await until('it waits', async () => (await ready(rpc)) === 1, 20);
      await rpc('anvil_mine', '0x1');
      await sending;
    }
    return { client, rpc, signed, sender };
  }

  it('is given what is vital in its next block, and every forgotten place in the one after', async () => {
    const { client, rpc, sender, signed } = await setup();
    const held = [sender.send(call('second')), sender.send(call('second')), sender.send(call('second'))];
    await until('three wait', async () => (await ready(rpc)) === 3, 20);
    await rpc('anvil_rollback', 9);
    await rpc('anvil_dropAllTransactions');
    expect(await client.getTransactionCount({ address })).toBe(1);
    const before = await client.getBlockNumber({ cacheTime: 0 });
    const vital = sender.send({ ...call('third'), isVital: true });
    await until('the vital one', async () => signed.at(-1)?.data === toFunctionSelector('third()') && (await ready(rpc)) > 0, 20);
    // At the first forgotten place; a machine that took seconds until here has filled them all, and it stands behind them.
    const places = signed.at(-1)?.nonce === 1 ? 12 : 13;
    await rpc('anvil_mine', '0x1');
    expect((await vital).blockNumber).toBe(before + 1n);
    const isDone = places === 13;
    await until('no place is free', async () => (await ready(rpc)) === (isDone ? 0 : 11), 30);
    await rpc('anvil_mine', '0x1');
    expect(new Set((await Promise.all(held)).map(({ blockNumber }) => blockNumber)).size).toBe(1);
    expect(await client.getTransactionCount({ address })).toBe(1 + places);
    // What had been mined was sent as it had been, not signed anew.
    expect(signed.length).toBe(10 + 3 + 1);
    const next = sender.send(call('first'));
    await until('one waits', async () => (await ready(rpc)) === 1, 20);
    await rpc('anvil_mine', '0x1');
    await next;
    expect(signed.at(-1)?.nonce).toBe(1 + places);
  }, 120_000);

  it('is given empty transfers for what an earlier process had sent', async () => {
    const { client, rpc } = await setup();
    const { account, signed } = watchedAccount();
    const sender = createSender({ client, account, replaceAfter: 600_000, timeout: 600_000 });
    const held = sender.send(call('second'));
    await until('it waits', async () => (await ready(rpc)) === 1, 20);
    await rpc('anvil_rollback', 2);
    await rpc('anvil_dropAllTransactions');
    await until('no place is free', async () => (await ready(rpc)) === 3, 40);
    await rpc('anvil_mine', '0x1');
    expect((await held).status).toBe('success');
    expect(signed.slice(1).map(({ nonce, to, value, data }) => ({ nonce, to, value, data }))).toEqual(
      [8, 9].map((nonce) => ({ nonce, to: address.toLowerCase(), value: undefined, data: undefined })),
    );
  }, 120_000);

  it('is not believed where an endpoint is only a block behind', async () => {
    const { client, rpc, signed } = await setup();
    let isBehind = false;
    const lagging = {
      ...client,
      getTransactionCount: async (of: Parameters<typeof client.getTransactionCount>[0]) =>
        Math.max(0, (await client.getTransactionCount(of)) - (isBehind ? 1 : 0)),
    } as unknown as typeof client;
    const { account, signed: late } = watchedAccount();
    const sender = createSender({ client: lagging, account });
    for (const name of ['first', 'second']) {
      const sending = sender.send(call(name));
      await until('it waits', async () => (await ready(rpc)) === 1, 20);
      await rpc('anvil_mine', '0x1');
      await sending;
      isBehind = true;
    }
    expect(signed.length).toBe(10);
    expect(late.map(({ nonce }) => nonce)).toEqual([10, 11]);
  }, 120_000);
});

it('puts what is vital before what falls behind the base fee, once blocks have come and gone', async () => {
  anvil = await startAnvil({ arguments: ['--no-mining'] });
  const client = bareClient(anvil.url, 31_337);
  const rpc = (method: string, ...params: unknown[]): Promise<unknown> =>
    client.request({ method: method as never, params: params as never });
  const { account, signed } = watchedAccount();
  const sender = createSender({ client, account, timeout: 600_000, replaceAfter: 600_000, maxFeePerGas: 3_000_000_000n });
  const first = sender.send(call('first')).catch((error: AssayError) => error.code);
  await until('the first', async () => signed.length === 1, 20);
  await rpc('anvil_setNextBlockBaseFeePerGas', `0x${(10_000_000_000).toString(16)}`);
  await rpc('evm_mine');
  expect(await client.getTransactionCount({ address: account.address })).toBe(0);
  const vital = sender.send({ ...call('second'), isVital: true });
  await until('the vital one', async () => signed.length === 2, 20);
  let isMined = false;
  void vital.then(() => {
    isMined = true;
  });
  await until(
    'the vital one to be mined',
    async () => {
      await rpc('anvil_setNextBlockBaseFeePerGas', `0x${(10_000_000_000).toString(16)}`);
      await rpc('evm_mine');
      return isMined;
    },
    60,
  );
  expect((await vital).status).toBe('success');
  expect(signed.map(({ nonce }) => nonce ?? 0)).toEqual([0, 1, 0]);
  expect(await first).toBe('TRANSACTION_TIMEOUT');
}, 120_000);
