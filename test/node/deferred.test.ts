import { describe, expect, it } from 'vitest';
import type { ChainEvent } from '../../contracts/client/follow.ts';
import { DeferredEvents } from '../../prover/chain/deferred.ts';
import { createLog } from '../../runtime/log.ts';
import { until } from './network.ts';

function event(block: bigint, name = 'Requested'): ChainEvent {
  return { name, address: `0x${'11'.repeat(20)}`, args: {}, blockNumber: block, transactionHash: `0x${'22'.repeat(32)}`, logIndex: 0 };
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
    await events.retry();
    expect(tries).toBe(1);
    await until('the third try', async () => {
      await events.retry();
      return handled.includes(5n);
    });
    expect(tries).toBe(3);
    expect(events.safeCursor(9n)).toBe(9n);
  });
});
