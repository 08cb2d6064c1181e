import { setTimeout as delay } from 'node:timers/promises';
import {
  type Client,
  type Hex,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
  WaitForTransactionReceiptTimeoutError,
} from 'viem';
import { getTransactionReceipt } from 'viem/actions';

/**
 * Receipt of a sent transaction, asked for until there is one. viem's own wait asks again only when a block comes: on a
 * chain that mines on demand, a receipt that is stored a moment after its block would be waited for in vain.
 * @param timeout milliseconds
 * @param interval milliseconds between questions
 * @throws viem's WaitForTransactionReceiptTimeoutError, or its error of the RPC
 */
export async function receiptOf(
  client: Client,
  hash: Hex,
  { timeout = 120_000, interval = 100 }: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<TransactionReceipt> {
  const end = performance.now() + timeout;
  for (;;) {
    try {
      return await getTransactionReceipt(client, { hash });
    } catch (error) {
      if (!(error instanceof TransactionReceiptNotFoundError)) throw error;
    }
    if (performance.now() > end) throw new WaitForTransactionReceiptTimeoutError({ hash });
    await delay(interval);
  }
}
