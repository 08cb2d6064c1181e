import { Job as BullJob, Queue as BullQueue, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { AssayError, invariant } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import {
  ATTEMPTS,
  checkJob,
  type DeadJob,
  HIGHEST_PRIORITY,
  type Job,
  type JobHandler,
  LARGEST_DATA,
  LONGEST_ID,
  type NewJob,
  type Queue,
  type QueueCounts,
} from './port.ts';

export interface RedisQueueOptions {
  /** redis:// or rediss://, password included; never logged. */
  readonly url: string;
  /** Keys begin with it: one for each deployment and stake that shares the Redis. Letters, digits, dashes. */
  readonly prefix: string;
  readonly log: Log;
  /** Milliseconds before the first retry; doubles with every further one, up to `longestDelay`. */
  readonly firstDelay?: number;
  readonly longestDelay?: number;
  /** Milliseconds without a sign of life after which a worker's jobs go to others; it gives one six times as often. */
  readonly lockMilliseconds?: number;
  /** Milliseconds that the Redis may take to answer. */
  readonly patience?: number;
  /** Milliseconds between two looks for retries that a wrong clock has put off too far. */
  readonly lookMilliseconds?: number;
}

/** What lies in a job's data: anybody who reaches the Redis can write it. */
const envelopeSchema = z.strictObject({ id: z.string().min(1).max(LONGEST_ID), data: z.json() });
type Envelope = z.output<typeof envelopeSchema>;

/** A kill says nothing about a job: no number of them buries it. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** BullMQ's own priorities: the lowest number first, 1 at least. */
const redisPriority = (priority: number): number => HIGHEST_PRIORITY - priority + 1;
/** BullMQ refuses colons and whole numbers as ids. */
const redisId = (id: string): string => `id-${encodeURIComponent(id)}`;

/**
 * The queue on a Redis, for any number of processes on any number of machines, through BullMQ. A job whose worker was killed goes to
 * another one when its lock has run out. Jobs are as durable as the Redis; what it loses is queued again from the store
 * (prover/chain/reconcile.ts).
 * @throws AssayError QUEUE_UNREACHABLE when the Redis does not answer a first time
 */
export async function openRedisQueue(options: RedisQueueOptions): Promise<Queue> {
  const queue = new RedisQueue(options);
  try {
    await queue.reach();
    return queue;
  } catch (error) {
    await queue.close();
    throw error;
  }
}

class RedisQueue implements Queue {
  private readonly client: Redis;
  private readonly queues = new Map<string, BullQueue<Envelope>>();
  private readonly workers = new Map<string, Worker<Envelope>>();
  private readonly running = new Set<Promise<void>>();
  private readonly abort = new AbortController();
  private readonly options: RedisQueueOptions;
  private readonly patience: number;
  private lastError = 'no answer';
  private warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RedisQueueOptions) {
    this.options = options;
    this.patience = options.patience ?? 10_000;
    this.client = new Redis(options.url, {
      // Work goes on when the Redis comes back, however long that takes; callers are told after `patience`.
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(times * 100, 1_000),
      connectTimeout: 5_000,
      // A Redis whose machine is gone closes no connection.
      socketTimeout: Math.max(15_000, 2 * this.patience),
      keepAlive: 10_000,
    });
    this.client.on('error', this.failed);
  }

  /** @throws AssayError QUEUE_UNREACHABLE */
  async reach(): Promise<void> {
    const memory = await this.bounded(this.client.info('memory'));
    const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
    if (policy !== undefined && policy !== 'noeviction') {
      this.options.log.warn({ policy }, 'the Redis may evict jobs; set its maxmemory-policy to noeviction');
    }
  }

  async add(job: NewJob): Promise<boolean> {
    checkJob(job);
    const queue = this.queue(job.kind);
    const added = new BullJob<Envelope>(
      queue,
      job.kind,
      { id: job.id, data: job.data as Envelope['data'] },
      {
        priority: redisPriority(job.priority ?? 0),
        attempts: job.attempts ?? ATTEMPTS,
        backoff: { type: 'custom' },
        removeOnComplete: true,
        removeOnFail: false,
        stackTraceLimit: 1,
      },
      redisId(job.id),
    );
    // One transaction: whether it was there, and adding it unless it was. BullMQ alone does not tell.
    const transaction = (await this.bounded(queue.backend.client)).multi().hgetall(queue.toKey(redisId(job.id)));
    added.addJob(transaction).catch(this.failed);
    const results = await this.bounded(transaction.exec());
    const failure = results?.find(([error]) => error !== null)?.[0];
    if (results === null || failure != null) throw this.unreachable(failure ?? undefined);
    const [, before] = results[0] as [null, Record<string, string>];
    return Object.keys(before).length === 0;
  }

  work(kind: string, concurrency: number, handler: JobHandler): void {
    invariant(!this.workers.has(kind), 'a kind of job has one handler');
    const { lockMilliseconds = 6_000, firstDelay = 500, longestDelay = 60_000, lookMilliseconds = 15_000 } = this.options;
    const worker = new Worker<Envelope>(kind, (job, token) => this.handle(job, token ?? '', handler), {
      connection: this.client,
      prefix: this.options.prefix,
      concurrency,
      lockDuration: lockMilliseconds,
      lockRenewTime: lockMilliseconds / 6,
      stalledInterval: lockMilliseconds / 3,
      maxStalledCount: NO_LIMIT,
      // Seconds until an idle worker looks by itself; milliseconds after a failed command.
      drainDelay: 1,
      runRetryDelay: 500,
      settings: { backoffStrategy: (attempts) => Math.min(longestDelay, firstDelay * 2 ** (attempts - 1)) },
    });
    worker.on('error', (error) => {
      this.failed(error);
      // It cannot even be buried as it lies there; mended, it comes again when its lock is over.
      if (error instanceof SyntaxError) this.mend(kind).catch(this.failed);
    });
    this.workers.set(kind, worker);
    const timer = setInterval(() => {
      this.hasten(kind, longestDelay).catch(this.failed);
    }, lookMilliseconds);
    this.abort.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  async counts(kind: string): Promise<QueueCounts> {
    const counts = await this.bounded(this.queue(kind).getJobCounts('wait', 'prioritized', 'delayed', 'active', 'failed'));
    const of = (...states: string[]): number => states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
    return { waiting: of('wait', 'prioritized', 'delayed'), active: of('active'), dead: of('failed') };
  }

  async dead(kind: string, limit = 1_000): Promise<DeadJob[]> {
    if (limit < 1) return [];
    const jobs = await this.bounded(this.queue(kind).getJobs(['failed'], 0, limit - 1, true));
    return jobs.map((job) => {
      const envelope = envelopeOf(job) ?? { id: String(job.id).slice(0, LONGEST_ID), data: null };
      return { ...portJob(kind, envelope, job), attempts: job.attemptsMade, error: job.failedReason ?? '' };
    });
  }

  async replay(kind: string, id: string): Promise<boolean> {
    const job = await this.bounded(this.queue(kind).getJob(redisId(id)));
    if (job === undefined || !(await this.bounded(job.isFailed()))) return false;
    return this.bounded(
      job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }).then(
        () => true,
        // Another process was faster.
        (error: { code?: unknown }) => (error.code === MISSING_JOB || error.code === JOB_IN_OTHER_STATE ? false : Promise.reject(error)),
      ),
    );
  }

  async pause(kind: string): Promise<void> {
    await this.workers.get(kind)?.pause();
  }

  async close(): Promise<void> {
    this.abort.abort();
    // Handlers end in their own time; a Redis that is away may not keep us.
    const closing = [...this.workers.values()].map((worker) => worker.close());
    await Promise.allSettled(this.running);
    const all = Promise.all([...closing, ...[...this.queues.values()].map((queue) => queue.close())]);
    await this.bounded(all).catch(() => undefined);
    this.client.disconnect();
  }

  private queue(kind: string): BullQueue<Envelope> {
    const held = this.queues.get(kind);
    if (held !== undefined) return held;
    const options = { connection: this.client, prefix: this.options.prefix, streams: { events: { maxLen: 100 } } };
    const queue = new BullQueue<Envelope>(kind, options);
    queue.on('error', this.failed);
    this.queues.set(kind, queue);
    return queue;
  }

  /** Puts what can be read in the place of what cannot: BullMQ fails over such a job for ever, and the job is nobody's dead letter. */
  private async mend(kind: string): Promise<void> {
    const queue = this.queue(kind);
    const ids = await this.bounded(this.client.lrange(queue.toKey('active'), 0, MOST_MENDED - 1));
    for (const id of ids) {
      const key = queue.toKey(id);
      const held = await this.bounded(this.client.hmget(key, ...Object.keys(READABLE)));
      const mended = Object.entries(READABLE).flatMap(([name, instead], at) => {
        const text = held[at] ?? null;
        return text === null || isJson(text) ? [] : [name, instead(text)];
      });
      if (mended.length > 0) await this.bounded(this.client.hset(key, ...mended));
    }
  }

  /** A retry is due by the clock of the process that it failed in: where that was ahead, it would wait for as long as it was wrong. */
  private async hasten(kind: string, longestDelay: number): Promise<void> {
    const queue = this.queue(kind);
    const farthest = (Date.now() + 2 * longestDelay) * SCORES_A_MILLISECOND;
    const ids = await this.bounded(this.client.zrangebyscore(queue.toKey('delayed'), farthest, '+inf', 'LIMIT', 0, MOST_MENDED));
    for (const id of ids) {
      const job = await this.bounded(queue.getJob(id));
      // It may have been taken up or promoted meanwhile.
      await this.bounded(job?.promote().catch(() => undefined) ?? Promise.resolve());
    }
  }

  private async handle(job: BullJob<Envelope>, token: string, handler: JobHandler): Promise<void> {
    const envelope = envelopeOf(job);
    if (envelope === undefined) throw new UnrecoverableError('the job holds what no node writes');
    const run = handler(portJob(job.name, envelope, job), this.abort.signal);
    this.running.add(run);
    try {
      await run;
    } catch (error) {
      if (this.abort.signal.aborted) {
        // Stopped by us: not the job's failure. Where the Redis is away, the lock runs out instead.
        await this.bounded(job.moveToWait(token)).catch(this.failed);
        throw new WaitingError();
      }
      throw new Error((error instanceof Error ? error.message : String(error)).slice(0, 2_000));
    } finally {
      this.running.delete(run);
    }
  }

  /** The answer of the Redis, or an error when it takes too long. A command that was given up may still come to pass. */
  private async bounded<Result>(answer: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.unreachable()), this.patience);
    });
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      throw error instanceof AssayError ? error : this.unreachable(error as Error);
    } finally {
      clearTimeout(timer);
      answer.catch(() => undefined);
    }
  }

  /** Takes of the cause its words alone: what ioredis throws carries the arguments of the command, the password among them. */
  private unreachable(cause?: Error): AssayError {
    return new AssayError('The Redis of the queue does not answer', {
      code: 'QUEUE_UNREACHABLE',
      facts: { redis: new URL(this.options.url).host, reason: (cause?.message ?? this.lastError).slice(0, 300) },
      fix: 'check that it runs, its address, user and password; nothing is lost meanwhile',
    });
  }

  /** Connections come back by themselves: said once in ten seconds, not at every try. */
  private readonly failed = (error: Error): void => {
    this.lastError = error.message;
    if (performance.now() < this.warnedAt + 10_000 || this.abort.signal.aborted) return;
    this.warnedAt = performance.now();
    this.options.log.warn({ redis: new URL(this.options.url).host, reason: error.message }, 'trouble with the Redis of the queue');
  };
}

const MOST_MENDED = 1_000;
/** BullMQ's scores of delayed jobs: milliseconds, and places for those of the same one. */
const SCORES_A_MILLISECOND = 0x1000;
/** The members of a job that BullMQ parses, and what stands in for one that is no JSON: no envelope, so that the job is buried. */
const READABLE: Readonly<Record<string, (text: string) => string>> = {
  data: (text) => JSON.stringify(text.slice(0, 1_000)),
  opts: () => '{}',
  progress: () => '0',
};

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** BullMQ's codes. */
const MISSING_JOB = -1;
const JOB_IN_OTHER_STATE = -3;

function envelopeOf(job: BullJob<Envelope>): Envelope | undefined {
  const parsed = envelopeSchema.safeParse(job.data);
  if (!parsed.success || job.id !== redisId(parsed.data.id)) return undefined;
  return Buffer.byteLength(JSON.stringify(parsed.data.data)) <= LARGEST_DATA ? parsed.data : undefined;
}

function portJob(kind: string, { id, data }: Envelope, job: BullJob<Envelope>): Job {
  return { id, kind, data, priority: HIGHEST_PRIORITY + 1 - (job.opts.priority ?? 0), attempts: job.attemptsMade + 1 };
}
