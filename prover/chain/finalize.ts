import type { Log } from '../../runtime/log.ts';
import { inTurn } from '../concurrency/in-turn.ts';
import type { NodeMetrics } from '../metrics.ts';
import { type ClaimDocument, COLLECTION, claimSchema, dueKey, load, orderedId, type Pointer } from '../records/documents.ts';
import type { Store } from '../store/port.ts';

/** How the board and the source of a claim see it. */
export interface ClaimStanding {
  /** False once it was ended, or where it is not on chain. */
  readonly isOpen: boolean;
  readonly isFinal: boolean;
  /** Last second of its dispute; 0 without one. */
  readonly end: number;
}

/** What ending claims needs of the chain. */
export interface Finality {
  /** First second at which a claim that nobody demands of may be final. */
  quietEnd(claimedAt: number): number;
  standing(claimId: string): Promise<ClaimStanding>;
  finalize(claim: ClaimDocument): Promise<void>;
  /** The newest block's time, unix seconds. */
  now(): number;
  /** Remembers that a claim ended, in case a reorganisation takes that back. */
  noteEnd(claimId: string): Promise<void>;
}

/** Most claims ended at once. */
const AT_ONCE = 8;
/** Seconds until a claim that could not be ended is looked at again. */
const AGAIN = 30;

/**
 * Ends our claims when the board says that they are final: the lock comes free and the fee is paid. When that can be is known from
 * the board's constants, so the chain is asked once a claim, not once a block.
 */
export class Finalizer {
  private readonly store: Store;
  private readonly finality: Finality;
  private readonly log: Log;
  private readonly metrics: Pick<NodeMetrics, 'claims'> | undefined;
  private readonly running = new Map<string, Promise<void>>();
  /** A claim and the place where it waits are two documents: who moves one does so alone, or both are put down and one is lost. */
  private readonly writing = new Map<string, Promise<unknown>>();

  constructor(store: Store, finality: Finality, log: Log, metrics?: Pick<NodeMetrics, 'claims'>) {
    this.store = store;
    this.finality = finality;
    this.log = log;
    this.metrics = metrics;
  }

  /** Our claim is on chain. */
  async opened(claimId: string, change: Pick<ClaimDocument, 'claimedAt'> & Partial<Pick<ClaimDocument, 'output'>>): Promise<void> {
    const before = await load(this.store, claimSchema, COLLECTION.claims, orderedId(claimId));
    await this.schedule(claimId, this.finality.quietEnd(change.claimedAt), { ...change, state: 'open' });
    if (before !== undefined && before.state !== 'open') this.metrics?.claims.inc({ event: 'sent' });
  }

  /** @returns whether that was news about a claim of ours */
  ended(claimId: string, state: 'final' | 'faulted' | 'prepared' | 'void'): Promise<boolean> {
    return this.alone(orderedId(claimId), () => this.end(claimId, state));
  }

  private async end(claimId: string, state: 'final' | 'faulted' | 'prepared' | 'void'): Promise<boolean> {
    const before = await load(this.store, claimSchema, COLLECTION.claims, orderedId(claimId));
    if (before === undefined || before.state === state) return false;
    const isOver = state === 'final' || state === 'faulted';
    // First: of what is noted the chain is asked, of what is not nobody asks.
    if (isOver) await this.finality.noteEnd(claimId);
    await this.store.update<ClaimDocument>(COLLECTION.claims, orderedId(claimId), (claim) =>
      claim === undefined ? undefined : { ...claim, state, due: undefined, endedAt: this.finality.now() },
    );
    if (before.due !== undefined) await this.store.remove(COLLECTION.claimsOpen, before.due);
    if (isOver) this.metrics?.claims.inc({ event: state });
    return true;
  }

  /** Called at every new block; starts what is due and does not wait for it. */
  async wake(now: number): Promise<void> {
    const room = AT_ONCE - this.running.size;
    if (room <= 0) return;
    for (const [key, { id }] of await this.store.list<Pointer>(COLLECTION.claimsOpen, { limit: AT_ONCE })) {
      if (key >= dueKey(now + 1, '')) return;
      if (this.running.has(id)) continue;
      const run = this.finish(id, key, now)
        .catch((error) => this.log.warn({ claim: id, error }, 'how a claim ended could not be stored; trying again'))
        .finally(() => this.running.delete(id));
      this.running.set(id, run);
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.running.values());
  }

  private async finish(id: string, key: string, now: number): Promise<void> {
    const claim = await load(this.store, claimSchema, COLLECTION.claims, id);
    if (claim === undefined || claim.due !== key) return this.alone(id, () => this.forget(id, key));
    try {
      const { isOpen, isFinal, end } = await this.finality.standing(claim.claimId);
      // Ended by somebody, which its event tells in its time, or lost with a reorganisation.
      if (!isOpen) return void (await this.ended(claim.claimId, 'void'));
      // Demanded of: the board fixed its end; if answers are missing then, or time is short, soon again.
      if (!isFinal) return await this.schedule(claim.claimId, Math.max(end + 1, now + 1), {});
      await this.finality.finalize(claim);
      await this.ended(claim.claimId, 'final');
      this.log.info({ claim: claim.claimId }, 'final');
    } catch (error) {
      // Anybody may finalize: the event tells whether somebody did. Else it is tried again.
      this.log.debug({ claim: claim.claimId, error }, 'not finalized yet');
      await this.schedule(claim.claimId, now + AGAIN, {});
    }
  }

  /** Removes a place where no claim waits. */
  private async forget(id: string, key: string): Promise<void> {
    const claim = await load(this.store, claimSchema, COLLECTION.claims, id);
    if (claim?.due !== key) await this.store.remove(COLLECTION.claimsOpen, key);
  }

  private alone<Result>(id: string, write: () => Promise<Result>): Promise<Result> {
    return inTurn(this.writing, id, write);
  }

  private schedule(claimId: string, due: number, change: Partial<ClaimDocument>): Promise<void> {
    return this.alone(orderedId(claimId), () => this.move(claimId, due, change));
  }

  /** Moves a claim to the second at which it is looked at, the new place before the old is gone. */
  private async move(claimId: string, due: number, change: Partial<ClaimDocument>): Promise<void> {
    const id = orderedId(claimId);
    const key = dueKey(due, claimId);
    const before = await load(this.store, claimSchema, COLLECTION.claims, id);
    if (before === undefined) return;
    const isEnded = (change.state ?? before.state) !== 'open';
    if (isEnded) return;
    await this.store.put(COLLECTION.claimsOpen, key, { id } satisfies Pointer);
    await this.store.update<ClaimDocument>(COLLECTION.claims, id, (claim) =>
      claim === undefined ? undefined : { ...claim, ...change, due: key },
    );
    if (before.due !== undefined && before.due !== key) await this.store.remove(COLLECTION.claimsOpen, before.due);
  }
}
