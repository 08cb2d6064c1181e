import type { ChainEvent } from '../../contracts/client/follow.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { deadlineOf, nameOf, subjectOf } from './event-names.ts';
import type { LateRequests } from './late-requests.ts';

export interface DeferredParts {
  handle(event: ChainEvent): Promise<void>;
  /** What waits for nothing else: demands, and what else is told of disputes. */
  isUrgent(event: ChainEvent): boolean;
  /** What remembers, over a restart, requests that no longer hold up the cursor. */
  readonly memory: Pick<LateRequests, 'keep' | 'forget'>;
  readonly log: Log;
  readonly metrics?: Pick<NodeMetrics, 'alarms'> | undefined;
}

interface Late {
  readonly event: ChainEvent;
  attempts: number;
  /** Milliseconds of a clock that only goes forward. */
  until: number;
  /** Remembered over a restart without the cursor. */
  isKept: boolean;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 60_000;
/** An hour of tries, after which a request no longer keeps the cursor for the next start behind itself, but is remembered by itself. */
const MOST_FOR_REQUESTS = 64;

/** Events handled at the same time beside the stream, and those that may wait for it before no more blocks are read. */
const AT_ONCE = 16;
const MOST_WAITING = 4_096;

/**
 * Hands events on so that no demand waits behind anything else: all but what is urgent is handled beside the stream, where strangers may
 * make any number of requests, and what failed is tried again on its own. Kept in memory: the cursor for the next start stays before the
 * earliest.
 */
export class DeferredEvents {
  private readonly parts: DeferredParts;
  /** Failed, by the event's name. */
  private readonly late = new Map<string, Late>();
  /** To be handled beside the stream, in order, and those that are, by subject: two events about one are never handled at the same time. */
  private waiting: ChainEvent[] = [];
  private readonly running = new Map<string, { readonly event: ChainEvent; readonly done: Promise<void> }>();
  private isStopped = false;

  constructor(parts: DeferredParts) {
    this.parts = parts;
  }

  /** Resolves when what comes after the event may be handled. */
  async handle(event: ChainEvent): Promise<void> {
    if (this.parts.isUrgent(event)) return this.attempt(event);
    this.beside(event);
    while (this.waiting.length > MOST_WAITING && !this.isStopped) await Promise.race(this.underWay());
  }

  /** Tries again what is due. @param now the newest block's time, unix seconds: a request is dropped when its deadline is over */
  retry(now: number): void {
    for (const [key, late] of [...this.late]) {
      if (late.isKept && deadlineOf(late.event) < now) this.drop(key, late.event);
      else if (late.until <= performance.now()) {
        late.until = Number.POSITIVE_INFINITY;
        this.beside(late.event);
      }
    }
  }

  /** Takes up a request that is remembered from before the start. */
  recall(event: ChainEvent): void {
    this.late.set(nameOf(event), { event, attempts: MOST_FOR_REQUESTS, until: 0, isKept: true });
  }

  /** Blocks from this one on are read again: what they held comes again, or is gone. */
  async forget(first: bigint): Promise<void> {
    this.waiting = this.waiting.filter(({ blockNumber }) => blockNumber < first);
    await Promise.all([...this.running.values()].filter(({ event }) => event.blockNumber >= first).map(({ done }) => done));
    for (const [key, { event }] of this.late) if (event.blockNumber >= first) this.late.delete(key);
  }

  /** Resolves when nothing is waiting or under way. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.underWay());
  }

  /** Begins nothing more, and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.idle();
  }

  private underWay(): Promise<void>[] {
    return [...this.running.values()].map(({ done }) => done);
  }

  private beside(event: ChainEvent): void {
    // What is urgent failed before, and waits for nothing else.
    if (this.parts.isUrgent(event)) this.waiting.unshift(event);
    else this.waiting.push(event);
    this.next();
  }

  private next(): void {
    while (!this.isStopped) {
      const at = this.waiting.findIndex((event) => !this.running.has(subjectOf(event)));
      const event = this.waiting[at];
      if (event === undefined || (!this.parts.isUrgent(event) && this.running.size >= AT_ONCE)) return;
      this.waiting.splice(at, 1);
      const done = this.attempt(event).finally(() => {
        this.running.delete(subjectOf(event));
        this.next();
      });
      this.running.set(subjectOf(event), { event, done });
    }
  }

  private async attempt(event: ChainEvent): Promise<void> {
    const key = nameOf(event);
    try {
      await this.parts.handle(event);
      this.drop(key, event);
    } catch (error) {
      const before = this.late.get(key);
      const attempts = (before?.attempts ?? 0) + 1;
      const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempts - 1, 10));
      const late = { event, attempts, until: performance.now() + pause, isKept: before?.isKept ?? false };
      this.late.set(key, late);
      if (event.name === 'Requested' && attempts === MOST_FOR_REQUESTS) this.alarm(event, error);
      if (event.name === 'Requested' && attempts >= MOST_FOR_REQUESTS && !late.isKept) await this.keep(late);
      const line = { event: event.name, block: String(event.blockNumber), transaction: event.transactionHash, attempts, error };
      if ((attempts & (attempts - 1)) !== 0) return this.parts.log.debug(line, 'an event could not be handled; trying again');
      if (attempts >= 8) this.parts.metrics?.alarms.inc({ reason: 'rpc' });
      this.parts.log.warn(line, 'an event could not be handled; what comes after it goes on, and it is tried again');
    }
  }

  /** The last block before which nothing is left to do, of those handled. */
  safeCursor(handled: bigint): bigint {
    let safe = handled;
    const held = [...this.late.values(), ...this.running.values()].map(({ event }) => event);
    for (const event of [...held, ...this.waiting]) {
      if (event.blockNumber <= safe && this.late.get(nameOf(event))?.isKept !== true) safe = event.blockNumber - 1n;
    }
    return safe;
  }

  private async keep(late: Late): Promise<void> {
    try {
      await this.parts.memory.keep(late.event);
      late.isKept = true;
    } catch (error) {
      this.parts.log.debug({ error }, 'a late request could not be stored; the cursor for the next start goes on waiting for it');
    }
  }

  private drop(key: string, event: ChainEvent): void {
    const isKept = this.late.get(key)?.isKept === true;
    this.late.delete(key);
    if (!isKept) return;
    this.parts.memory
      .forget(event)
      .catch((error) => this.parts.log.debug({ error }, 'a late request is remembered longer than it need be'));
  }

  private alarm({ args, blockNumber, transactionHash }: ChainEvent, error: unknown): void {
    this.parts.metrics?.alarms.inc({ reason: 'request' });
    this.parts.log.error(
      { request: String(args.requestId), block: String(blockNumber), transaction: transactionHash, error },
      'a request could not be handled for an hour; it is tried until its deadline',
    );
  }
}
