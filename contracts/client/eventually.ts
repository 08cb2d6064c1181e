import { setTimeout as delay } from 'node:timers/promises';

/**
 * Reads until there is something to read. Whoever has seen a state cannot count on the events and receipts of the block that made
 * it: Anvil shows the one a moment before the others, and so do several endpoints behind one address.
 * @param read gives undefined or an empty list while there is nothing
 * @param timeout milliseconds after which the last reading is given, whatever it was
 * @param interval milliseconds between readings
 */
export async function eventually<T>(
  read: () => Promise<T>,
  { timeout = 15_000, interval = 100 }: { readonly timeout?: number; readonly interval?: number } = {},
): Promise<T> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await read();
    const missing = value === undefined || (Array.isArray(value) && value.length === 0);
    if (!missing || performance.now() > end) return value;
    await delay(interval);
  }
}
