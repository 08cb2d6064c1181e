import { type Address, parseGwei } from 'viem';
import { describe, expect, it } from 'vitest';
import { Collector, type Till } from '../../prover/chain/collect.ts';
import { createLog } from '../../runtime/log.ts';

const OWNER: Address = `0x${'11'.repeat(20)}`;
const KEY: Address = `0x${'22'.repeat(20)}`;
const FEE = parseGwei('1');
const WORTH = 600_000n * FEE;

/** A till that counts what is taken out of it. */
function till(change: Partial<Till> = {}) {
  const taken: string[] = [];
  const made: Till = {
    key: KEY,
    feePerGas: async () => FEE,
    balanceOf: async () => 10n ** 18n,
    freeStake: async () => 0n,
    lockedStake: async () => ({ claims: 0n, channels: 0n }),
    owed: async () => WORTH + 1n,
    credit: async () => WORTH + 1n,
    collectOwed: async () => void taken.push('fees'),
    withdrawCredit: async (owner) => void taken.push(`credit of ${owner}`),
    ...change,
  };
  return { taken, till: made };
}

/** A log whose errors can be looked at. */
function loud(lines: string[]) {
  const log = createLog({ name: 'test', level: 'silent' });
  log.error = ((_facts: unknown, message: string) => lines.push(message)) as unknown as typeof log.error;
  return log;
}

const collector = (given: Till, lines: string[] = []) => new Collector({ owner: OWNER, till: given, every: 100, log: loud(lines) });

describe('collecting', () => {
  it('brings home what is worth the gas, once a period', async () => {
    const { taken, till: given } = till();
    const one = collector(given);
    one.wake(1_000);
    await one.idle();
    expect(taken).toEqual(['fees', `credit of ${OWNER}`]);
    one.wake(1_099);
    await one.idle();
    expect(taken).toHaveLength(2);
    one.wake(1_100);
    await one.idle();
    expect(taken).toHaveLength(4);
  });

  it('leaves what is not worth it', async () => {
    const { taken, till: given } = till({ owed: async () => WORTH, credit: async () => WORTH });
    const one = collector(given);
    one.wake(1_000);
    await one.idle();
    expect(taken).toEqual([]);
  });

  it('goes on where one thing fails', async () => {
    const { taken, till: given } = till({ owed: () => Promise.reject(new Error('away')) });
    const one = collector(given);
    one.wake(1_000);
    await one.idle();
    expect(taken).toEqual([`credit of ${OWNER}`]);
  });

  it('warns before the hot key runs dry', async () => {
    const lines: string[] = [];
    for (const balance of [10_000_000n * FEE, 10_000_000n * FEE - 1n]) {
      const one = collector(till({ balanceOf: async () => balance }).till, lines);
      one.wake(1_000);
      await one.idle();
    }
    expect(lines).toEqual([expect.stringContaining('hot key has little ether')]);
    // Long before it is time to collect again.
    const { taken, till: poor } = till({ balanceOf: async () => 0n });
    const one = new Collector({ owner: OWNER, till: poor, every: 3_600, log: loud(lines) });
    for (const now of [10_000, 10_299, 10_300]) {
      one.wake(now);
      await one.idle();
    }
    expect([lines.length, taken.length]).toEqual([3, 2]);
  });
});
