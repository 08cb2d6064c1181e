/** A piece of work that must not be lost: data is plain JSON. */
export interface Job<Data = unknown> {
  readonly id: string;
  readonly kind: string;
  readonly data: Data;
  /** Higher goes first; equal ones in order of arrival. */
  readonly priority: number;
  /** Times it has been handed to a handler, this one included. */
  readonly attempts: number;
}

export interface NewJob {
  /** Names the job for people; the same id twice is the caller's mistake, so the second is refused by returning false. */
  readonly id: string;
  readonly kind: string;
  readonly data: unknown;
  readonly priority?: number;
  /** Failures until it becomes a dead letter; 5 unless told. */
  readonly attempts?: number;
}

export interface DeadJob extends Job {
  readonly error: string;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly dead: number;
}

/** Resolving finishes the job, rejecting retries it later (with growing delay), then buries it. */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>;

/**
 * Work between the node's parts. No connection type appears here, so that an embedded file and a Redis serve alike;
 * both are held to one conformance suite (test/node/queue-conformance.ts).
 */
export interface Queue {
  /** Resolves when the job would survive `kill -9`; false when a job of that id is waiting, active or dead. */
  add(job: NewJob): Promise<boolean>;
  /** Starts handing jobs of a kind to the handler, at most `concurrency` at a time. */
  work(kind: string, concurrency: number, handler: JobHandler): void;
  counts(kind: string): Promise<QueueCounts>;
  /** Dead letters of a kind, oldest first. */
  dead(kind: string): Promise<DeadJob[]>;
  /** Puts a dead letter back to work, its attempts forgotten; false when there is none of that id. */
  replay(id: string): Promise<boolean>;
  /** Hands out nothing more, aborts what runs, and resolves when it has ended; unfinished jobs stay for the next start. */
  close(): Promise<void>;
}
