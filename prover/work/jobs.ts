import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';
import type { Job, NewJob, Queue } from '../queue/port.ts';

/** A request's id as the chain counts them, decimal. */
const requestId = z.string().regex(/^(0|[1-9][0-9]{0,77})$/);
/** Name of a proof document: `request-<orderedId>`, or what the HTTP service chose. */
const proofId = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

interface JobKindOf<Schema extends z.ZodType> {
  /** Jobs may come out of a Redis that others can write: nothing in them is believed. */
  readonly data: Schema;
  /** Higher goes first. */
  readonly priority: number;
  /** Failures until it is a dead letter. */
  readonly attempts: number;
}

function kind<Schema extends z.ZodType>(data: Schema, priority: number, attempts: number): JobKindOf<Schema> {
  return { data, priority, attempts };
}

/**
 * Every kind of work in the node. Jobs only point at documents of the store, which say what is to be done and whether it still is:
 * so a job may run twice, and a lost one is made again from its document (prover/chain/reconcile.ts).
 * An endpoint that is away for minutes must lose no request; a proof that fails is dear to try again.
 */
export const JOBS = {
  /** Worker: run the model on a request's input, store the claim as prepared, add `claim`. */
  run: kind(z.strictObject({ requestId }), 20, 40),
  /** Chain: send the prepared claim. */
  claim: kind(z.strictObject({ requestId }), 50, 40),
  /** Worker: make the proof of a proof document; add `fulfil` when it is a request's. */
  prove: kind(z.strictObject({ proofId }), 10, 12),
  /** Chain: the bytes of an input came in elsewhere; look for requests that wait for it. */
  input: kind(z.strictObject({ name: z.string().regex(/^0x[0-9a-f]{64}$/) }), 60, 40),
  /** Chain: send a request's finished proof. */
  fulfil: kind(z.strictObject({ requestId }), 50, 40),
} as const;

export type JobKind = keyof typeof JOBS;
export type JobData<Kind extends JobKind> = z.output<(typeof JOBS)[Kind]['data']>;

/** The job of a kind about one thing; the same thing twice is the same id. */
export function jobOf<Kind extends JobKind>(name: Kind, data: JobData<Kind>): NewJob {
  const { priority, attempts } = JOBS[name];
  return { id: `${name}/${Object.values(data)[0]}`, kind: name, data, priority, attempts };
}

/** Adds the job of a kind about one thing; false when it is there already. */
export function enqueue<Kind extends JobKind>(queue: Queue, name: Kind, data: JobData<Kind>): Promise<boolean> {
  return queue.add(jobOf(name, data));
}

/** What a job of a kind says. @throws AssayError JOB_MALFORMED */
export function jobData<Kind extends JobKind>(name: Kind, job: Pick<Job, 'id' | 'data'>): JobData<Kind> {
  const parsed = JOBS[name].data.safeParse(job.data);
  if (parsed.success) return parsed.data as JobData<Kind>;
  throw new AssayError('A job of the queue holds data that no node writes', {
    code: 'JOB_MALFORMED',
    facts: { kind: name, id: job.id.slice(0, 128), reason: parsed.error.issues[0]?.message ?? '' },
    fix: 'let nobody but the nodes write to the Redis; the job stays among the dead letters',
  });
}

/** Hands jobs of a kind to the handler, their data parsed. */
export function workOn<Kind extends JobKind>(
  queue: Queue,
  name: Kind,
  concurrency: number,
  handler: (data: JobData<Kind>, signal: AbortSignal, job: Job) => Promise<void>,
): void {
  queue.work(name, concurrency, async (job, signal) => handler(jobData(name, job), signal, job));
}
