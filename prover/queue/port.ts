import { invariant } from '../../core/errors.ts';

export const LARGEST_DATA = 65_536;
export const LONGEST_ID = 256;
export const HIGHEST_PRIORITY = 1_000;
/** Failures until a job is a dead letter, unless told. */
export const ATTEMPTS = 5;

/** A piece of work that must not be lost: data is plain JSON. */
export interface Job<Data = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly data: Data;
  /** Higher goes first within a kind; equal ones in order of arrival, but for those that come back from a failure. */
  readonly priority: number;
  /** Failures so far, and one for this attempt. Being killed or stopped on the way is no failure, however often. */
  readonly attempts: number;
}

export interface NewJob {
  /** Names the job within its kind; any text of 1..256 characters. */
  readonly id: string;
  /** Letters, digits and dashes. */
  readonly kind: string;
  /** JSON of at most `LARGEST_DATA` bytes: a job points at a document, it does not carry one. */
  readonly data: unknown;
  /** Whole number within ±`HIGHEST_PRIORITY`; 0 unless told. */
  readonly priority?: number;
  /** Failures until it becomes a dead letter; 5 unless told. */
  readonly attempts?: number;
}

export interface DeadJob extends Job {
  readonly error: string;
  /** What the storage holds of it is not what a node writes: nothing but its name is known, and it can only be removed. */
  readonly isDamaged: boolean;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly dead: number;
}

/** Resolving finishes the job, rejecting retries it later (with growing delay), then buries it. It may run twice: after a kill, or when its process did not answer for seconds. */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>;

/**
 * Work between the node's parts. No connection type appears here, so that an embedded file and a Redis serve alike;
 * both are held to one conformance suite (test/node/queue-conformance.ts).
 */
export interface Queue {
  /**
   * Resolves when the job would survive `kill -9` of this process; false when a job of that kind and id is waiting, active or dead.
   * @throws AssayError QUEUE_UNREACHABLE, DISK_FULL: the job may or may not be there; adding it again is harmless
   */
  add(job: NewJob): Promise<boolean>;
  /** Starts handing jobs of a kind to the handler, at most `concurrency` at a time. Once a kind. */
  work(kind: string, concurrency: number, handler: JobHandler): void;
  counts(kind: string): Promise<QueueCounts>;
  /** Dead letters of a kind, the longest dead first; 1,000 unless told. */
  dead(kind: string, limit?: number): Promise<DeadJob[]>;
  /** Puts a dead letter back to work, its attempts forgotten; false when there is none of that id, or it is damaged. */
  replay(kind: string, id: string): Promise<boolean>;
  /** Throws a dead letter away, damaged or not; false when there is none of that id. */
  remove(kind: string, id: string): Promise<boolean>;
  /** Hands out no more jobs of a kind to this process, and resolves when those it runs have ended; other kinds go on. */
  pause(kind: string): Promise<void>;
  /** Hands out nothing more, aborts what runs, and resolves when it has ended; unfinished jobs stay for the next start. */
  close(): Promise<void>;
}

/** A dead letter of which only its place can be read. @param error that killed it, where that can be read */
export function damaged(kind: string, id: string, error = ''): DeadJob {
  return { id, kind, data: null, priority: 0, attempts: 0, isDamaged: true, error };
}

/** Refuses a job that one of the adapters could not keep: the mistake of whoever adds it. */
export function checkJob(job: NewJob): void {
  const { id, kind, data, priority = 0, attempts = ATTEMPTS } = job;
  invariant(/^[a-z0-9-]{1,40}$/i.test(kind), 'a kind of job is letters, digits and dashes');
  invariant(id.length >= 1 && id.length <= LONGEST_ID && !/\p{Cs}/u.test(id), 'the id of a job is text of 1..256 characters');
  invariant(Number.isInteger(priority) && Math.abs(priority) <= HIGHEST_PRIORITY, 'a priority is a whole number within ±1,000');
  invariant(Number.isInteger(attempts) && attempts >= 1, 'a job is attempted at least once');
  const text: string | undefined = JSON.stringify(data);
  invariant(text !== undefined && Buffer.byteLength(text) <= LARGEST_DATA, 'the data of a job is JSON of at most 65,536 bytes');
}
