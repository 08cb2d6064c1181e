import type { Log } from '../../runtime/log.ts';
import { Rounds } from '../concurrency/rounds.ts';
import type { Queue } from '../queue/port.ts';
import {
  below,
  COLLECTION,
  chainTime,
  checked,
  claimSchema,
  load,
  orderedId,
  type Pointer,
  type ProofDocument,
  pointerSchema,
  proofId,
  proofSchema,
  type RequestDocument,
  requestSchema,
} from '../records/documents.ts';
import type { Store } from '../store/port.ts';
import { answersRequest } from '../work/answer.ts';
import { enqueue, type JobData, type JobKind, jobOf } from '../work/jobs.ts';
import { Chances } from './chances.ts';

export interface ReconcilerParts {
  readonly store: Store;
  readonly queue: Queue;
  readonly log: Log;
  /** Whether input bytes of a name are in hand. */
  hasInput(name: string): Promise<boolean>;
  /** Requests that wait for these inputs become work. */
  inputArrived(names: readonly string[]): Promise<void>;
  /** What other parts put back by themselves. */
  readonly others?: readonly (() => Promise<void>)[];
  /** Milliseconds between the end of a round and the next one. */
  readonly every?: number;
  /** Milliseconds between the first two chances of what failed too often. */
  readonly reviveAfter?: number;
}

/** A job that must be in the queue as long as its document says so. */
type Wanted = { readonly [Kind in JobKind]: { readonly kind: Kind; readonly data: JobData<Kind> } }[JobKind];

const EVERY = 15_000;
/** One in so many rounds, the first among them, counts no jobs: it asks for each. */
const THOROUGH = 4;
const REVIVE_AFTER = 600_000;
/** Jobs added at the same time. */
const AT_ONCE = 32;

/**
 * Puts back into the queue what it lost: a Redis may be emptied, and nothing is. Now and then also what failed too often, as long as its
 * request can be answered: trouble that lasts longer than a job's attempts must cost no request. It reads the small collections that point
 * at active work, never history. One per stake, beside the chain.
 */
export class Reconciler {
  private readonly parts: ReconcilerParts;
  private readonly chances: Chances;
  private readonly rounds = new Rounds(() => this.quietRound());
  /** Rounds that were made. */
  private looked = 0;
  /** Pointers that led nowhere in the last round: one that does so twice is left over from a crash. */
  private stale = new Set<string>();

  constructor(parts: ReconcilerParts) {
    this.parts = parts;
    this.chances = new Chances(parts.reviveAfter ?? REVIVE_AFTER);
  }

  /** Begins with a round at once. */
  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  /** One round. @returns how many jobs were missing or dead, and are not now */
  async round(): Promise<number> {
    const { others = [] } = this.parts;
    const wanted = await this.wantedJobs();
    let added = 0;
    for (const kind of ['run', 'claim', 'prove', 'fulfil'] as const) {
      const jobs = wanted.filter((job) => job.kind === kind);
      added += (await this.add(jobs)) + (await this.revive(jobs));
    }
    await this.inputs();
    for (const other of others) await other();
    this.looked++;
    return added;
  }

  private async quietRound(): Promise<number> {
    const { log, every = EVERY } = this.parts;
    try {
      const added = await this.round();
      if (added > 0) log.info({ jobs: added }, 'work that the queue did not hold is queued again');
    } catch (error) {
      if (!this.rounds.isStopped) log.warn({ error }, 'store and queue could not be compared; trying again');
    }
    return every;
  }

  private async wantedJobs(): Promise<Wanted[]> {
    const { store } = this.parts;
    const wanted: Wanted[] = [];
    const now = await chainTime(store);
    const stale = new Set<string>();
    for await (const [key, pointer] of below<Pointer>(store, COLLECTION.requestsQueued, '')) {
      const { id } = checked(pointerSchema, COLLECTION.requestsQueued, key, pointer);
      const request = await load(store, requestSchema, COLLECTION.requests, id);
      if (request?.state === 'queued') wanted.push(...(await this.jobsOf(request, now)));
      // Sent, and looked after by the request desk until its event comes.
      else if (request?.state === 'answered') continue;
      // It is written before its document: what leads nowhere may be about to.
      else if (this.stale.has(key)) await store.remove(COLLECTION.requestsQueued, key);
      else stale.add(key);
    }
    this.stale = stale;
    return wanted;
  }

  /** The next step of an accepted request; none when its time is over. @param now chain time, unix seconds */
  private async jobsOf(request: RequestDocument, now: number): Promise<Wanted[]> {
    const { store } = this.parts;
    const { requestId } = request;
    if (request.deadline < now) return [];
    if (request.tier === 0) {
      const id = proofId(requestId);
      const proof = await load(store, proofSchema, COLLECTION.proofs, id);
      if (proof === undefined || (proof.state === 'failed' && !(await this.again(id)))) return [];
      return [proof.state === 'done' ? { kind: 'fulfil', data: { requestId } } : { kind: 'prove', data: { proofId: id } }];
    }
    const claim = await load(store, claimSchema, COLLECTION.claims, orderedId(requestId));
    const isPrepared = claim !== undefined && claim.state === 'prepared' && answersRequest(claim, request);
    return [{ kind: isPrepared ? 'claim' : 'run', data: { requestId } }];
  }

  /**
   * Adds those of one kind that are not there. Asks one by one when some must be missing, and now and then all the same: other jobs of the
   * kind, such as proofs asked for over HTTP, may stand in the place of lost ones.
   */
  private async add(wanted: readonly Wanted[]): Promise<number> {
    const { queue } = this.parts;
    const [first] = wanted;
    if (first === undefined) return 0;
    if (this.looked % THOROUGH !== 0) {
      const { waiting, active } = await queue.counts(first.kind);
      if (waiting + active >= wanted.length) return 0;
    }
    let added = 0;
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const results = await Promise.all(wanted.slice(from, from + AT_ONCE).map(({ kind, data }) => enqueue(queue, kind, data)));
      added += results.filter(Boolean).length;
    }
    return added;
  }

  /** A proof that failed is to be made again. @returns whether it is time for that */
  private async again(id: string): Promise<boolean> {
    const name = nameOf({ kind: 'prove', data: { proofId: id } });
    if (!this.chances.isDue(name)) return false;
    await this.parts.store.update<ProofDocument>(COLLECTION.proofs, id, (proof) =>
      proof?.state === 'failed' ? { ...proof, state: 'queued', progress: 0, error: undefined } : undefined,
    );
    this.chances.note(name);
    return true;
  }

  /** Puts dead letters of these jobs back to work. */
  private async revive(jobs: readonly Wanted[]): Promise<number> {
    const { queue } = this.parts;
    const [first] = jobs;
    if (first === undefined || (await queue.counts(first.kind)).dead === 0) return 0;
    let revived = 0;
    for (const name of jobs.map(nameOf)) {
      if (!this.chances.isDue(name) || !(await queue.replay(first.kind, name))) continue;
      this.chances.note(name);
      revived++;
    }
    return revived;
  }

  /** An input may have come in while nobody could be told. */
  private async inputs(): Promise<void> {
    const { store, hasInput, inputArrived } = this.parts;
    let last = '';
    for await (const [key] of below<Pointer>(store, COLLECTION.requestsWaiting, '')) {
      const name = key.slice(0, key.indexOf('/'));
      // Bytes of that name may be no input of that request's model, however often it is looked at.
      if (name !== last && this.chances.isDue(name) && (await hasInput(name))) {
        await inputArrived([name]);
        this.chances.note(name);
      }
      last = name;
    }
  }
}

function nameOf({ kind, data }: Wanted): string {
  return jobOf(kind, data).id;
}
