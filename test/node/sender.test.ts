import { type Abi, parseTransaction } from 'viem';
import { afterEach, expect, it } from 'vitest';
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
