import type { Hash } from '../../core/brand.ts';
import { TENSOR_ROOTS, type Unit } from '../../core/dispute/units.ts';
import { type Log, revertOf } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { below, COLLECTION, checked, type DemandDocument, demandKey, demandSchema, orderedId } from '../records/documents.ts';
import type { Store } from '../store/port.ts';

/** Bounds of one transaction: some million gas, some 60 kB of calldata. */
const MOST_UNITS = 24;
const MOST_BYTES = 50_000;
/** Claims defended at once. */
const CLAIMS = 4;
/** Seconds for which answered demands are remembered, in case a reorganisation takes the answer back. */
const REMEMBERED = 24 * 3600;
const FORGET_EVERY = 600;
/** Seconds between two alarms about one demand. */
const ALARM_EVERY = 60;
/** Milliseconds before a defence that failed is tried again: little, since its clock runs. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 3_000;

/** `unknown`: never made, as far as the one who is asked knows; it may lag behind the one that told of it. */
export type DemandState = 'unknown' | 'open' | 'over';

/** What defending needs of the chain and of the node's traces. */
export interface Defence {
  /** Whether the demand still waits for its answer. */
  stateOf(claimId: string, unit: Unit): Promise<DemandState>;
  /** Whether the claim itself is still to be decided. */
  isClaimOpen(claimId: string): Promise<boolean>;
  /** Answer bytes of a unit, or undefined for a unit that the claim does not have. */
  dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined>;
  rootsOf(claimId: string): Promise<readonly Hash[]>;
  postRoots(claimId: string, roots: readonly Hash[]): Promise<unknown>;
  postAnswers(answers: readonly UnitAnswer[]): Promise<unknown>;
}

export interface UnitAnswer {
  readonly claimId: string;
  readonly unit: Unit;
  readonly data: Uint8Array;
}

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
  /** Claims with demands, and those being defended now. */
  private readonly waiting = new Set<string>();
  private readonly running = new Map<string, Promise<void>>();
  private isStarted = false;
  private now = 0;
  private forgot = 0;

  constructor(parts: DefenderParts) {
    this.parts = parts;
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

  async demanded(demand: DemandDocument): Promise<void> {
    const key = demandKey(demand.claimId, demand.unit);
    if (await this.parts.store.putIfAbsent(COLLECTION.demands, key, demand)) this.parts.metrics?.demands.inc({ event: 'seen' });
    this.defend(demand.claimId);
  }

  /** The chain holds an answer, ours or another's. */
  async answered(claimId: string, unit: Unit): Promise<void> {
    const { store, metrics } = this.parts;
    const key = demandKey(claimId, unit);
    const demand = await store.get<DemandDocument>(COLLECTION.demands, key);
    if (demand === undefined) return;
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
    const { store, metrics } = this.parts;
    this.now = now;
    const claims = new Set<string>();
    let nearest = Number.POSITIVE_INFINITY;
    for await (const [key, document] of below(store, COLLECTION.demands, '')) {
      const demand = checked(demandSchema, COLLECTION.demands, key, document);
      if (demand.deadline < now && (await this.isOver(key, demand))) continue;
      claims.add(demand.claimId);
      nearest = Math.min(nearest, demand.deadline - now);
      this.watchClock(key, demand);
    }
    metrics?.clockSeconds.set({ clock: 'demand' }, nearest);
    for (const claimId of claims) if (performance.now() >= (this.failed.get(claimId)?.until ?? 0)) this.defend(claimId);
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
  private defend(claimId: string): void {
    this.waiting.add(claimId);
    this.next();
  }

  private next(): void {
    for (const claimId of this.waiting) {
      if (!this.isStarted || this.running.size >= CLAIMS) return;
      if (this.running.has(claimId)) continue;
      this.waiting.delete(claimId);
      const run = this.attempt(claimId).finally(() => {
        this.running.delete(claimId);
        this.next();
      });
      this.running.set(claimId, run);
    }
  }

  private async attempt(claimId: string): Promise<void> {
    try {
      await this.answerClaim(claimId);
      this.failed.delete(claimId);
    } catch (error) {
      const failures = (this.failed.get(claimId)?.failures ?? 0) + 1;
      this.failed.set(claimId, { failures, until: performance.now() + Math.min(LONGEST_PAUSE, FIRST_PAUSE * failures) });
      const line = { claim: claimId, failures, error };
      if ((failures & (failures - 1)) === 0) this.parts.log.error(line, 'demands could not be answered; trying again');
      else this.parts.log.debug(line, 'demands could not be answered; trying again');
    }
  }

  private async answerClaim(claimId: string): Promise<void> {
    const { defence, log } = this.parts;
    const open = await this.openDemands(claimId);
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      await work().catch((error) => failures.push(error));
    };
    if (open.some(({ unit }) => unit.kind === 'tensorRoots')) {
      await attempt(async () => {
        await defence.postRoots(claimId, await defence.rootsOf(claimId));
        await this.answered(claimId, TENSOR_ROOTS);
      });
    }
    const answers: UnitAnswer[] = [];
    for (const { unit } of open.filter((demand) => demand.unit.kind !== 'tensorRoots')) {
      await attempt(async () => {
        const data = await defence.dataOf(claimId, unit);
        if (data === undefined) log.error({ claim: claimId, unit }, 'a demanded unit does not exist');
        else answers.push({ claimId, unit, data });
      });
    }
    for (const group of groups(answers)) await attempt(() => this.post(group));
    const done = open.length - failures.length;
    if (done > 0) log.info({ claim: claimId, answered: done }, 'answered demands');
    if (failures.length > 0) throw failures[0];
  }

  /** What waits, the nearest deadline first. */
  private async openDemands(claimId: string): Promise<DemandDocument[]> {
    const open: DemandDocument[] = [];
    for await (const [key, document] of below(this.parts.store, COLLECTION.demands, `${orderedId(claimId)}/`)) {
      const demand = checked(demandSchema, COLLECTION.demands, key, document);
      const state = await this.parts.defence.stateOf(claimId, demand.unit);
      if (state === 'open') open.push(demand);
      // What is unknown is left as it is until it is seen, or its time is over.
      if (state === 'over') await this.answered(claimId, demand.unit);
    }
    return open.sort((a, b) => a.deadline - b.deadline);
  }

  /** Posts answers together; where the contract refuses, in halves: one bad answer must not take the others with it. */
  private async post(answers: readonly UnitAnswer[]): Promise<void> {
    try {
      await this.parts.defence.postAnswers(answers);
    } catch (error) {
      if (answers.length === 1 || revertOf(error) === undefined) throw error;
      const middle = answers.length >> 1;
      const halves = await Promise.allSettled([this.post(answers.slice(0, middle)), this.post(answers.slice(middle))]);
      const failed = halves.find((half) => half.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return;
    }
    for (const { claimId, unit } of answers) await this.answered(claimId, unit);
  }
}

function groups(answers: readonly UnitAnswer[]): UnitAnswer[][] {
  const made: UnitAnswer[][] = [];
  let bytes = 0;
  for (const answer of answers) {
    const last = made.at(-1);
    const fits = last !== undefined && last.length < MOST_UNITS && bytes + answer.data.length <= MOST_BYTES;
    if (fits) last.push(answer);
    else made.push([answer]);
    bytes = (fits ? bytes : 0) + answer.data.length;
  }
  return made;
}
