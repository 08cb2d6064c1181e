import type { Unit } from '../../core/dispute/units.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { below, COLLECTION, checked, type DemandDocument, demandKey, demandSchema, orderedId } from '../records/documents.ts';
import type { Store } from '../store/port.ts';
import { Answering, type Defence } from './answering.ts';

/** Claims defended at once: most of that time they wait for their transactions. */
const CLAIMS = 32;
/** Seconds for which answered demands are remembered, in case a reorganisation takes the answer back. */
const REMEMBERED = 24 * 3600;
const FORGET_EVERY = 600;
/** Seconds between two alarms about one demand. */
const ALARM_EVERY = 60;
/** Milliseconds before a defence that failed is tried again: little, since its clock runs. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 3_000;

export interface DefenderParts {
  readonly store: Store;
  readonly defence: Defence;
  readonly log: Log;
  /** A demand with less than this many seconds left raises the alarm. */
  readonly alarmSeconds: number;
  readonly metrics?: Pick<NodeMetrics, 'clockSeconds' | 'alarms' | 'demands'> | undefined;
}

/**
 * Answers the demands on our claims, before everything else: an unanswered demand loses the lock. Demands are stored when they are
 * seen and leave when the chain says that they are answered; until then every new block tries again.
 */
export class Defender {
  private readonly parts: DefenderParts;
  private readonly alarmed = new Map<string, number>();
  private readonly failed = new Map<string, { readonly failures: number; readonly until: number }>();
  /** Claims with demands, by the nearest deadline known, and those being defended now. */
  private readonly waiting = new Map<string, number>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly answering: Answering;
  /** Demands that the store did not take, by key: a full disk must cost no lock. */
  private readonly unstored = new Map<string, DemandDocument>();
  private isStarted = false;
  private now = 0;
  private forgot = 0;

  constructor(parts: DefenderParts) {
    this.parts = parts;
    this.answering = new Answering(parts.defence, parts.log);
  }

  /** Begins to answer; before, demands are only remembered. */
  start(): void {
    this.isStarted = true;
    this.next();
  }

  /** Begins nothing more, and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.isStarted = false;
    await Promise.all(this.running.values());
  }

  /** @throws what the store throws when it does not take the demand, which is answered all the same */
  async demanded(demand: DemandDocument): Promise<void> {
    const { store, metrics } = this.parts;
    const key = demandKey(demand.claimId, demand.unit);
    try {
      if (await store.putIfAbsent(COLLECTION.demands, key, demand)) metrics?.demands.inc({ event: 'seen' });
      this.unstored.delete(key);
    } catch (error) {
      this.unstored.set(key, demand);
      throw error;
    } finally {
      this.defend(demand.claimId, demand.deadline);
    }
  }

  /** The chain holds an answer, ours or another's. */
  async answered(claimId: string, unit: Unit): Promise<void> {
    const { store, metrics } = this.parts;
    const key = demandKey(claimId, unit);
    const demand = this.unstored.get(key) ?? (await store.get<DemandDocument>(COLLECTION.demands, key));
    if (demand === undefined) return;
    this.unstored.delete(key);
    await store.put(COLLECTION.demandsAnswered, key, { ...demand, answeredAt: this.now });
    await store.remove(COLLECTION.demands, key);
    this.alarmed.delete(key);
    metrics?.demands.inc({ event: 'answered' });
  }

  /** Blocks were replaced: what was answered in them may wait again. */
  async rewound(): Promise<void> {
    for await (const [key, document] of below(this.parts.store, COLLECTION.demandsAnswered, '')) {
      const demand = checked(demandSchema, COLLECTION.demandsAnswered, key, document);
      if (demand.deadline < this.now || (await this.parts.defence.stateOf(demand.claimId, demand.unit)) === 'over') continue;
      this.parts.log.warn({ claim: demand.claimId, unit: demand.unit }, 'an answer is not on chain any more; it is sent again');
      await this.demanded({ claimId: demand.claimId, unit: demand.unit, deadline: demand.deadline });
    }
  }

  /** Called at every new block. @param now its time, unix seconds */
  async wake(now: number): Promise<void> {
    const { metrics } = this.parts;
    this.now = now;
    const claims = new Map<string, number>();
    let nearest = Number.POSITIVE_INFINITY;
    for await (const [key, demand] of this.held('')) {
      if (demand.deadline < now && (await this.isOver(key, demand))) continue;
      claims.set(demand.claimId, Math.min(claims.get(demand.claimId) ?? demand.deadline, demand.deadline));
      nearest = Math.min(nearest, demand.deadline - now);
      this.watchClock(key, demand);
    }
    metrics?.clockSeconds.set({ clock: 'demand' }, nearest);
    for (const [claimId, deadline] of claims) {
      if (performance.now() >= (this.failed.get(claimId)?.until ?? 0)) this.defend(claimId, deadline);
    }
    await this.forget();
  }

  private watchClock(key: string, demand: DemandDocument): void {
    const { alarmSeconds, log, metrics } = this.parts;
    const left = demand.deadline - this.now;
    if (left >= alarmSeconds || this.now < (this.alarmed.get(key) ?? 0) + ALARM_EVERY) return;
    this.alarmed.set(key, this.now);
    metrics?.alarms.inc({ reason: 'demand' });
    log.error(
      { claim: demand.claimId, unit: demand.unit, secondsLeft: left },
      'the clock of a demand runs low: its lock is lost without an answer',
    );
  }

  /** A demand is past its deadline, as far as one block's time says; it is given up when the claim is gone. */
  private async isOver(key: string, demand: DemandDocument): Promise<boolean> {
    const { store, defence, log, metrics } = this.parts;
    // Never made: it was in a block that another took the place of.
    const wasMade = (await defence.stateOf(demand.claimId, demand.unit)) !== 'unknown';
    if (wasMade && (await defence.isClaimOpen(demand.claimId))) return false;
    if (wasMade) log.error({ claim: demand.claimId, unit: demand.unit }, 'a demand was not answered in time');
    if (wasMade) metrics?.demands.inc({ event: 'missed' });
    this.alarmed.delete(key);
    this.unstored.delete(key);
    await store.remove(COLLECTION.demands, key);
    return true;
  }

  private async forget(): Promise<void> {
    if (this.now < this.forgot + FORGET_EVERY) return;
    this.forgot = this.now;
    const { store } = this.parts;
    for await (const [key, document] of below<{ answeredAt?: number }>(store, COLLECTION.demandsAnswered, '')) {
      if ((document.answeredAt ?? 0) + REMEMBERED < this.now) await store.remove(COLLECTION.demandsAnswered, key);
    }
  }

  /** Not by the queue: a Redis that is away must cost no lock. What is to be answered lies in the store. */
  private defend(claimId: string, deadline: number): void {
    this.waiting.set(claimId, Math.min(this.waiting.get(claimId) ?? deadline, deadline));
    this.next();
  }

  private next(): void {
    while (this.isStarted && this.running.size < CLAIMS) {
      const claimId = this.mostUrgent();
      if (claimId === undefined) return;
      this.waiting.delete(claimId);
      const run = this.attempt(claimId).finally(() => {
        this.running.delete(claimId);
        this.next();
      });
      this.running.set(claimId, run);
    }
  }

  private mostUrgent(): string | undefined {
    let found: string | undefined;
    let nearest = Number.POSITIVE_INFINITY;
    for (const [claimId, deadline] of this.waiting) {
      if (deadline < nearest && !this.running.has(claimId)) [found, nearest] = [claimId, deadline];
    }
    return found;
  }

  private async attempt(claimId: string): Promise<void> {
    try {
      await this.answering.answer(claimId, await this.demandsOn(claimId), (unit) => this.answered(claimId, unit));
      this.failed.delete(claimId);
    } catch (error) {
      const failures = (this.failed.get(claimId)?.failures ?? 0) + 1;
      this.failed.set(claimId, { failures, until: performance.now() + Math.min(LONGEST_PAUSE, FIRST_PAUSE * failures) });
      const line = { claim: claimId, failures, error };
      if ((failures & (failures - 1)) === 0) this.parts.log.error(line, 'demands could not be answered; trying again');
      else this.parts.log.debug(line, 'demands could not be answered; trying again');
    }
  }

  /** What waits, the nearest deadline first. */
  private async demandsOn(claimId: string): Promise<DemandDocument[]> {
    const demands: DemandDocument[] = [];
    for await (const [, demand] of this.held(`${orderedId(claimId)}/`)) demands.push(demand);
    return demands.sort((a, b) => a.deadline - b.deadline);
  }

  /** Demands that wait, of the store and those that it did not take. */
  private async *held(prefix: string): AsyncGenerator<[key: string, demand: DemandDocument]> {
    for (const [key, demand] of this.unstored) if (key.startsWith(prefix)) yield [key, demand];
    for await (const [key, document] of below(this.parts.store, COLLECTION.demands, prefix)) {
      yield [key, checked(demandSchema, COLLECTION.demands, key, document)];
    }
  }
}
