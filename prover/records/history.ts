import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Queue } from '../queue/port.ts';
import type { Store } from '../store/port.ts';
import { type JobKind, jobOf } from '../work/jobs.ts';
import {
  below,
  type ClaimDocument,
  COLLECTION,
  claimSchema,
  dueKey,
  load,
  orderedId,
  type Pointer,
  proofId,
  type RequestDocument,
  requestSchema,
  waitingKey,
} from './documents.ts';

/**
 * Has a request or a claim looked at when it may be over, so that it is not remembered for ever. To be called before its document is written.
 * @param id key of its document @param second unix seconds of the chain: a request's deadline, or when a claim was made
 */
export function noteInHistory(store: Store, id: string, second: number): Promise<void> {
  return store.put(COLLECTION.requestsByTime, dueKey(second, id), { id } satisfies Pointer);
}

export interface HistoryPrunerParts {
  readonly store: Store;
  /** Seconds for which a request is remembered after its deadline, and a claim after its end. */
  readonly keepSeconds: number;
  /** Asks the chain whether a claim is ours and not over, and takes it up again where it is. */
  isOpen(claimId: string): Promise<boolean>;
  /** Loses the dead letters of what is removed. */
  readonly queue: Pick<Queue, 'counts' | 'remove'>;
  readonly log: Log;
}

/** Most requests that are looked at in one go: each claim among them is one question to the chain. */
const PAGE = 32;
/** Jobs that a request makes. */
const OF_REQUESTS = ['run', 'claim', 'prove', 'fulfil'] as const satisfies readonly JobKind[];
type OfRequest = (typeof OF_REQUESTS)[number];
/** Seconds until what was still needed is looked at again. */
const AGAIN = 24 * 3600;

/**
 * Removes what is remembered of requests and claims on chain some time after they are over: the documents, and a request's proof. What
 * anything still points at stays: work, waiting, an open claim, a demand. The store's word that a claim is over is not enough, since its
 * output is what it is ended with: the chain is asked, too.
 */
export class HistoryPruner {
  private readonly parts: HistoryPrunerParts;

  constructor(parts: HistoryPrunerParts) {
    this.parts = parts;
  }

  /**
   * Removes a bounded number.
   * @param now unix seconds that the chain's time and the machine's have reached
   * @returns whether there may be more
   */
  async prune(now: number): Promise<boolean> {
    const { store, keepSeconds } = this.parts;
    const before = Math.max(0, now - keepSeconds);
    const end = orderedId(String(before));
    const page = await store.list<Pointer>(COLLECTION.requestsByTime, { limit: PAGE });
    const due = page.filter(([key]) => key < end);
    if (due.length === 0) return false;
    const dead = await this.kindsWithDead();
    await Promise.all(due.map(([key, { id }]) => this.look(key, id, before, dead)));
    return due.length === PAGE;
  }

  private async kindsWithDead(): Promise<OfRequest[]> {
    const { queue } = this.parts;
    const counts = await Promise.all(OF_REQUESTS.map((kind) => queue.counts(kind)));
    return OF_REQUESTS.filter((_, i) => counts[i]!.dead > 0);
  }

  private async look(key: string, id: string, before: number, dead: readonly OfRequest[]): Promise<void> {
    const { store, log } = this.parts;
    const last = await this.lastSecond(id, before).catch((error: unknown) => {
      // What cannot be read must not keep the others; what cannot be asked now is asked in the next round.
      if (!(error instanceof AssayError) || error.code !== 'DOCUMENT_INVALID') throw error;
      log.warn({ claim: id, error }, 'what is remembered of an old request cannot be read; it is kept');
      return before + AGAIN;
    });
    if (last === undefined) await this.remove(id, dead);
    else await noteInHistory(store, id, last);
    await store.remove(COLLECTION.requestsByTime, key);
  }

  /** The second from which its time is to be counted; undefined when that is over. */
  private async lastSecond(id: string, before: number): Promise<number | undefined> {
    const { store, isOpen } = this.parts;
    const request = await load(store, requestSchema, COLLECTION.requests, id);
    const claim = await load(store, claimSchema, COLLECTION.claims, id);
    // Its number was given to a later request, or the claim was over later than its request.
    const last = Math.max(request?.deadline ?? 0, claim?.endedAt ?? claim?.claimedAt ?? 0);
    if (last >= before) return last;
    const isNeeded = (await this.isPointedAt(id, request, claim)) || (claim !== undefined && (await isOpen(claim.claimId)));
    return isNeeded ? before + AGAIN : undefined;
  }

  private async isPointedAt(id: string, request: RequestDocument | undefined, claim: ClaimDocument | undefined): Promise<boolean> {
    const { store } = this.parts;
    if (claim?.state === 'open') return true;
    for await (const _ of below(store, COLLECTION.demands, `${id}/`)) return true;
    if (request === undefined) return false;
    const pointers = [
      store.get(COLLECTION.requestsQueued, id),
      store.get(COLLECTION.requestsPostponed, id),
      store.get(COLLECTION.requestsWaiting, waitingKey(request)),
    ];
    return (await Promise.all(pointers)).some((pointer) => pointer !== undefined);
  }

  /** @param dead kinds of jobs of which there are dead letters */
  private async remove(id: string, dead: readonly OfRequest[]): Promise<void> {
    const { store, queue, log } = this.parts;
    const requestId = id.replace(/^0+(?=[0-9])/, '');
    const jobs = dead.map((kind) => (kind === 'prove' ? jobOf(kind, { proofId: proofId(id) }) : jobOf(kind, { requestId })));
    for (const { kind, id: job } of jobs) await queue.remove(kind, job);
    await store.remove(COLLECTION.claims, id);
    await store.remove(COLLECTION.proofs, proofId(id));
    await store.remove(COLLECTION.requests, id);
    log.debug({ claim: id }, 'a request that is long over is remembered no more');
  }
}
