import type { Log } from '../../runtime/log.ts';
import { Rounds } from '../concurrency/rounds.ts';
import { COLLECTION, chainTime, load, orderedId, type Pointer } from '../records/documents.ts';
import type { HistoryPruner } from '../records/history.ts';
import type { InputPruner } from '../records/holds.ts';
import { HTTP_COLLECTION, idempotencyDocument } from '../records/http-documents.ts';
import type { Store } from '../store/port.ts';
import { namesExpiredAt } from './receipts.ts';

export interface RetentionParts {
  readonly store: Store;
  readonly pruner: Pick<InputPruner, 'prune'>;
  readonly history: Pick<HistoryPruner, 'prune'>;
  readonly log: Log;
  /** Seconds for which receipts and proofs are kept after they expired, or could not be asked for in time any more. */
  readonly answerSeconds: number;
  /** Seconds for which an idempotency key keeps its answer; not more than `answerSeconds`. */
  readonly idempotencySeconds: number;
}

/** Most documents of a kind that one round removes. */
const PAGE = 256;
/** Milliseconds until the next round: where there is more to do, and where there is not. */
const SOON = 20;
const LATER = 60_000;

/**
 * Removes what nobody can ask for any more: receipts after their expiry, proofs after their deadline, idempotency records, input bytes,
 * requests and claims on chain.
 * Everything is found by names that begin with a time: a round costs the same whatever is stored. One per stake, beside the chain; a
 * round that is broken off is done again.
 */
export class Retention {
  private readonly parts: RetentionParts;
  private readonly rounds = new Rounds(() => this.quietRound());

  constructor(parts: RetentionParts) {
    this.parts = parts;
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /**
   * Removes a bounded number of documents.
   * @param machine its time, unix seconds; the chain's must have come too: either clock may be wrong, and late is early enough
   * @returns whether there may be more
   */
  async round(machine = Math.floor(Date.now() / 1000)): Promise<boolean> {
    const { store, pruner, history, answerSeconds, idempotencySeconds } = this.parts;
    const now = Math.min(machine, await chainTime(store));
    const isInputLeft = await pruner.prune(now);
    // Records go before the answers that they name.
    if (await this.forget(HTTP_COLLECTION.idempotencyByTime, now - idempotencySeconds, (id) => this.record(id, now - idempotencySeconds)))
      return true;
    const last = now - answerSeconds;
    const isJobLeft = await this.forget(HTTP_COLLECTION.jobsByTime, last, (id) => this.job(id));
    const isReceiptLeft = (await store.removeBelow(COLLECTION.receipts, namesExpiredAt(last), PAGE)) === PAGE;
    const isHistoryLeft = await history.prune(now);
    return isInputLeft || isJobLeft || isReceiptLeft || isHistoryLeft;
  }

  private async quietRound(): Promise<number> {
    const isMore = await this.round().catch((error: unknown) => {
      this.parts.log.warn({ error }, 'what nobody needs any more could not be removed; trying again');
      return false;
    });
    return isMore ? SOON : LATER;
  }

  /** Removes what the entries of a collection point at that come before a second, then those. @returns whether there may be more */
  private async forget(collection: string, before: number, remove: (id: string) => Promise<void>): Promise<boolean> {
    const { store } = this.parts;
    const end = orderedId(String(Math.max(0, before)));
    const page = await store.list<Pointer>(collection, { limit: PAGE });
    const due = page.filter(([key]) => key < end);
    await Promise.all(due.map(([, { id }]) => remove(id)));
    await Promise.all(due.map(([key]) => store.remove(collection, key)));
    return due.length === PAGE;
  }

  /** An entry may be older than its record: that of a question which failed, and was asked again. */
  private async record(id: string, before: number): Promise<void> {
    const { store } = this.parts;
    const known = await load(store, idempotencyDocument, HTTP_COLLECTION.idempotency, id);
    if (known !== undefined && known.createdAt < before) await store.remove(HTTP_COLLECTION.idempotency, id);
  }

  private async job(id: string): Promise<void> {
    const { store } = this.parts;
    await Promise.all([
      store.remove(COLLECTION.proofs, id),
      store.remove(HTTP_COLLECTION.jobs, id),
      store.remove(HTTP_COLLECTION.jobsOpen, id),
    ]);
  }
}
