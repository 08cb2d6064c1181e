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

/** What a store would be told to remember. */
function remembering() {
  const kept: bigint[] = [];
  const memory = {
    isFull: false,
    keep: async ({ blockNumber }: ChainEvent) => {
      if (memory.isFull) throw new Error('the disk is full');
      kept.push(blockNumber);
    },
    forget: async ({ blockNumber }: ChainEvent) => void kept.splice(kept.indexOf(blockNumber), 1),
  };
  return { kept, memory };
}

const isUrgent = ({ name }: ChainEvent): boolean => name === 'Demanded';

describe('an event that cannot be handled', () => {
  it('keeps nothing behind it from being handled, and is tried again until it can', async () => {
    const handled: bigint[] = [];
    let tries = 0;
    const log = createLog({ name: 'test', level: 'silent' });
    const events = new DeferredEvents({
      log,
      isUrgent,
      memory: remembering().memory,
      handle: async ({ blockNumber }) => {
        if (blockNumber === 5n && ++tries < 3) throw new Error('poison');
        handled.push(blockNumber);
      },
    });
    await events.handle(event(5n));
    await events.handle(event(6n));
    await events.idle();
    expect(handled).toEqual([6n]);
    // A restart must see it again.
    expect(events.safeCursor(9n)).toBe(4n);
    events.retry(0);
    await events.idle();
    expect(tries).toBe(1);
    await until('the third try', async () => {
      events.retry(0);
      await events.idle();
      return handled.includes(5n);
    });
    expect(tries).toBe(3);
    expect(events.safeCursor(9n)).toBe(9n);
  });

  it('and is a request: raises the alarm after an hour of tries, no longer holds the cursor, is remembered and tried until its deadline', async () => {
    const { kept, memory } = remembering();
    const log = createLog({ name: 'test', level: 'silent' });
    const metrics = createMetrics();
    let tries = 0;
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const handle = async (): Promise<void> => {
      tries++;
      throw new Error('poison');
    };
    const events = new DeferredEvents({ log, metrics, isUrgent, memory, handle });
    const alarms = async (): Promise<string | undefined> =>
      /^assay_alarms_total\{reason="request"\} (\d+)/m.exec(await metrics.text())?.[1];
    const fail = async (): Promise<void> => {
      await events.handle(event(5n));
      await events.idle();
    };
    for (let i = 0; i < 63; i++) await fail();
    expect(await alarms()).toBe('0');
    expect(events.safeCursor(9n)).toBe(4n);
    // Where it cannot be remembered, the cursor goes on holding it.
    memory.isFull = true;
    await fail();
    expect([await alarms(), events.safeCursor(9n), kept]).toEqual(['1', 4n, []]);
    memory.isFull = false;
    await fail();
    expect([await alarms(), events.safeCursor(9n), kept]).toEqual(['1', 9n, [5n]]);
    vi.advanceTimersByTime(61_000);
    events.retry(500);
    await events.idle();
    expect(tries).toBe(66);
    expect(kept).toEqual([5n]);
    vi.advanceTimersByTime(61_000);
    events.retry(501);
    await events.idle();
    expect(kept).toEqual([]);
    vi.advanceTimersByTime(61_000);
    events.retry(499);
    await events.idle();
    expect(tries).toBe(66);
  });

  it('and is a request remembered from before a restart: is tried at once, holds no cursor, and is forgotten when it is handled', async () => {
    const { kept, memory } = remembering();
    const log = createLog({ name: 'test', level: 'silent' });
    const handled: bigint[] = [];
    const events = new DeferredEvents({ log, isUrgent, memory, handle: async ({ blockNumber }) => void handled.push(blockNumber) });
    kept.push(5n);
    events.recall(event(5n));
    expect(events.safeCursor(9n)).toBe(9n);
    events.retry(400);
    await events.idle();
    expect([handled, kept]).toEqual([[5n], []]);
  });

  it('and is a demand: holds the cursor for as long as it takes', async () => {
    const log = createLog({ name: 'test', level: 'silent' });
    const events = new DeferredEvents({ log, isUrgent, memory: remembering().memory, handle: () => Promise.reject(new Error('poison')) });
    for (let i = 0; i < 70; i++) await events.handle(event(5n, 'Demanded'));
    expect(events.safeCursor(9n)).toBe(4n);
  });
});

describe('requests, of which strangers make any number', () => {
  /** Requests that nobody finishes looking at. */
  const stuck = () => {
    const begun: bigint[] = [];
    const handled: string[] = [];
    const release: (() => void)[] = [];
    const log = createLog({ name: 'test', level: 'silent' });
    const events = new DeferredEvents({
      log,
      isUrgent,
      memory: remembering().memory,
      handle: async ({ name, blockNumber }) => {
        begun.push(blockNumber);
        if (name === 'Requested') await new Promise<void>((resolve) => release.push(resolve));
        handled.push(`${name} ${blockNumber}`);
      },
    });
    const finish = async (): Promise<void> => {
      const end = setInterval(() => release.splice(0).map((resolve) => resolve()), 5);
      await events.idle();
      clearInterval(end);
    };
    return { events, begun, handled, finish };
  };

  it('hold up no demand, and the cursor stays before them', async () => {
    const { events, begun, handled, finish } = stuck();
    for (let block = 100n; block < 299n; block++) await events.handle(event(block));
    await events.handle(event(299n, 'Claimed'));
    await events.handle(event(300n, 'Demanded'));
    expect(handled).toEqual(['Demanded 300']);
    expect(begun).toHaveLength(17);
    expect(events.safeCursor(300n)).toBe(99n);
    await finish();
    expect(handled).toHaveLength(201);
    expect(events.safeCursor(300n)).toBe(300n);
  });

  it('of one number are looked at one after the other', async () => {
    const { events, begun, finish } = stuck();
    const same = { ...event(7n), args: event(6n).args };
    for (const each of [event(6n), same, event(8n)]) await events.handle(each);
    expect(begun).toEqual([6n, 8n]);
    await finish();
    expect(begun).toEqual([6n, 8n, 7n]);
  });

  it('of blocks that were replaced are forgotten before those that replace them are looked at', async () => {
    const { events, begun, finish } = stuck();
    for (let block = 1n; block <= 40n; block++) await events.handle(event(block));
    let isForgotten = false;
    const forgetting = events.forget(10n).then(() => {
      isForgotten = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isForgotten).toBe(false);
    await finish();
    await forgetting;
    // Sixteen had begun.
    expect(begun).toEqual(Array.from({ length: 16 }, (_, i) => BigInt(i + 1)));
    expect(events.safeCursor(50n)).toBe(50n);
  });
});
