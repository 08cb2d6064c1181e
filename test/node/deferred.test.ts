import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ChainEvent } from '../../contracts/client/follow.ts';
import { DeferredEvents } from '../../prover/chain/deferred.ts';
import { createMetrics } from '../../prover/metrics.ts';
import { createLog } from '../../runtime/log.ts';
import { until } from './network.ts';

function event(block: bigint, name = 'Requested', deadline = 500): ChainEvent {
  const args = { requestId: block, terms: { deadline } };
  return { name, address: `0x${'11'.repeat(20)}`, args, blockNumber: block, transactionHash: `0x${'22'.repeat(32)}`, logIndex: 0 };
}

describe('an event that cannot be handled', () => {
  it('keeps nothing behind it from being handled, and is tried again until it can', async () => {
    const handled: bigint[] = [];
    let tries = 0;
    const log = createLog({ name: 'test', level: 'silent' });
    const events = new DeferredEvents({
      log,
      handle: async ({ blockNumber }) => {
        if (blockNumber === 5n && ++tries < 3) throw new Error('poison');
        handled.push(blockNumber);
      },
    });
    await events.handle(event(5n));
    await events.handle(event(6n));
    expect(handled).toEqual([6n]);
    // A restart must see it again.
    expect(events.safeCursor(9n)).toBe(4n);
    await events.retry(0);
    expect(tries).toBe(1);
    await until('the third try', async () => {
      await events.retry(0);
      return handled.includes(5n);
    });
    expect(tries).toBe(3);
    expect(events.safeCursor(9n)).toBe(9n);
  });

  it('and is a request: raises the alarm after an hour of tries, no longer holds the cursor, and is tried until its deadline', async () => {
    const log = createLog({ name: 'test', level: 'silent' });
    const metrics = createMetrics();
    let tries = 0;
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const handle = async (): Promise<void> => {
      tries++;
      throw new Error('poison');
    };
    const events = new DeferredEvents({ log, metrics, handle });
    const alarms = async (): Promise<string | undefined> =>
      /^assay_alarms_total\{reason="request"\} (\d+)/m.exec(await metrics.text())?.[1];
    for (let i = 0; i < 63; i++) await events.handle(event(5n));
    expect(await alarms()).toBeUndefined();
    expect(events.safeCursor(9n)).toBe(4n);
    await events.handle(event(5n));
    await events.handle(event(5n));
    expect(await alarms()).toBe('1');
    expect(events.safeCursor(9n)).toBe(9n);
    vi.advanceTimersByTime(61_000);
    await events.retry(500);
    expect(tries).toBe(66);
    vi.advanceTimersByTime(61_000);
    await events.retry(501);
    vi.advanceTimersByTime(61_000);
    await events.retry(499);
    expect(tries).toBe(66);
  });

  it('and is a demand: holds the cursor for as long as it takes', async () => {
    const log = createLog({ name: 'test', level: 'silent' });
    const events = new DeferredEvents({ log, handle: () => Promise.reject(new Error('poison')) });
    for (let i = 0; i < 70; i++) await events.handle(event(5n, 'Demanded'));
    expect(events.safeCursor(9n)).toBe(4n);
  });
});
