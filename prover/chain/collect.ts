import type { Address } from 'viem';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { RESERVE_GAS } from './intake.ts';

/** What collecting needs of the chain; amounts in wei. */
export interface Till {
  /** Hot key that sends. */
  readonly key: Address;
  feePerGas(): Promise<bigint>;
  balanceOf(account: Address): Promise<bigint>;
  freeStake(owner: Address): Promise<bigint>;
  lockedStake(owner: Address): Promise<{ readonly claims: bigint; readonly channels: bigint }>;
  /** Fees that answers earned. */
  owed(owner: Address): Promise<bigint>;
  /** What answers to demands earned. */
  credit(owner: Address): Promise<bigint>;
  /** Pays the owner's fees to the owner. */
  collectOwed(): Promise<void>;
  /** Pays an account's credit to that account. */
  withdrawCredit(owner: Address): Promise<void>;
}

export interface CollectorParts {
  readonly owner: Address;
  readonly till: Till;
  /** Seconds of chain time between two rounds. */
  readonly every: number;
  readonly log: Log;
  readonly metrics?: NodeMetrics | undefined;
}

/** Gas of taking money out, and how many times its price an amount must be worth it. */
const COLLECT_GAS = 60_000n;
const LEAST_WORTH = 10n;
/** Seconds of chain time between two looks at the hot key's ether. */
const RESERVE_EVERY = 300;

/**
 * Brings home what is earned, when it is worth the gas, and warns before the key that sends runs out of ether. Payments go to the owner
 * of the stake alone. Locks that end are free stake at once, for new work; taking stake out is the owner's alone.
 */
export class Collector {
  private readonly parts: CollectorParts;
  private last = 0;
  private lastReserve = 0;
  private running: Promise<void> | undefined;

  constructor(parts: CollectorParts) {
    this.parts = parts;
  }

  /** Called at every new block; starts a round when it is time and does not wait for it. @param now its time, unix seconds */
  wake(now: number): void {
    if (this.running !== undefined) return;
    const isTime = now >= this.last + this.parts.every;
    const isReserveTime = isTime || now >= this.lastReserve + RESERVE_EVERY;
    if (!isReserveTime) return;
    this.lastReserve = now;
    if (isTime) this.last = now;
    this.running = this.round(isTime).finally(() => {
      this.running = undefined;
    });
  }

  async idle(): Promise<void> {
    await this.running;
  }

  /** One thing that fails must not keep the others. */
  private async round(isWhole: boolean): Promise<void> {
    const reserve = { reserve: () => this.reserve() };
    const steps = isWhole ? { fees: () => this.fees(), answers: () => this.answers(), stake: () => this.stake(), ...reserve } : reserve;
    for (const [what, step] of Object.entries(steps)) {
      await step().catch((error) => this.parts.log.warn({ what, error }, 'collecting failed; the next round tries again'));
    }
  }

  private async fees(): Promise<void> {
    const { till, owner, log, metrics } = this.parts;
    const owed = await till.owed(owner);
    if (!(await this.isWorth(owed))) return;
    await till.collectOwed();
    metrics?.earningsWei.inc({ source: 'fees' }, Number(owed));
    log.info({ wei: String(owed), owner }, 'collected fees');
  }

  private async answers(): Promise<void> {
    const { till, owner, log, metrics } = this.parts;
    const credit = await till.credit(owner);
    if (!(await this.isWorth(credit))) return;
    await till.withdrawCredit(owner);
    metrics?.earningsWei.inc({ source: 'demands' }, Number(credit));
    log.info({ wei: String(credit), owner }, 'collected payments for answers');
  }

  private async stake(): Promise<void> {
    const { till, owner, metrics } = this.parts;
    if (metrics === undefined) return;
    const [free, locked] = await Promise.all([till.freeStake(owner), till.lockedStake(owner)]);
    metrics.freeStakeWei.set(Number(free));
    metrics.lockedWei.set({ liability: 'claims' }, Number(locked.claims));
    metrics.lockedWei.set({ liability: 'channels' }, Number(locked.channels));
  }

  private async reserve(): Promise<void> {
    const { till, log, metrics } = this.parts;
    const [balance, fee] = await Promise.all([till.balanceOf(till.key), till.feePerGas()]);
    if (balance >= RESERVE_GAS * fee) return;
    metrics?.alarms.inc({ reason: 'stake' });
    log.error(
      { hotKey: till.key, balance: String(balance), wanted: String(RESERVE_GAS * fee) },
      'the hot key has little ether left: nothing is claimed until it has more, and without gas demands go unanswered and locks are lost',
    );
  }

  private async isWorth(amount: bigint): Promise<boolean> {
    return amount > LEAST_WORTH * COLLECT_GAS * (await this.parts.till.feePerGas());
  }
}
