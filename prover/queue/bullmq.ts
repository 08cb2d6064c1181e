import { Job as BullJob, Queue as BullQueue, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { AssayError, invariant } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import { ATTEMPTS, checkJob, type DeadJob, type Job, type JobHandler, type NewJob, type Queue, type QueueCounts } from './port.ts';
import { redisReason } from './redis-reason.ts';
import {
  type Envelope,
  envelopeOf,
  FOREIGN_FIELDS,
  freshFields,
  LETTER_FIELDS,
  letterOf,
  nameOf,
  optionsOf,
  portPriority,
  redisId,
  redisPriority,
} from './redis-record.ts';

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

/** A kill says nothing about a job: no number of them buries it. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

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
  private readonly host: string;
  private warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RedisQueueOptions) {
    this.options = options;
    this.host = new URL(options.url).host;
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
    // ioredis goes on with another database then.
    if (/DB index/i.test(this.lastError)) throw this.unreachable();
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
      optionsOf(redisPriority(job.priority ?? 0), job.attempts ?? ATTEMPTS),
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
    const worker = new Worker<Envelope>(kind, (job, token) => this.handle(kind, job, token ?? '', handler), {
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
    const members = await this.bounded(this.client.zrange(this.queue(kind).toKey('failed'), '0', String(limit - 1)));
    return (await this.letters(kind, members)).map(({ letter }) => letter);
  }

  async replay(kind: string, id: string): Promise<boolean> {
    const queue = this.queue(kind);
    const member = redisId(id);
    if ((await this.bounded(this.client.zscore(queue.toKey('failed'), member))) === null) return false;
    const [found] = await this.letters(kind, [member]);
    if (found === undefined || found.letter.isDamaged) return false;
    const key = queue.toKey(member);
    const fresh = freshFields(found.letter, found.opts);
    await this.bounded(
      this.client
        .multi()
        .hset(key, fresh)
        .hdel(key, ...FOREIGN_FIELDS)
        .exec(),
    );
    const job = new BullJob<Envelope>(queue, kind, { id, data: null }, {}, member);
    return this.bounded(
      job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }).then(
        () => true,
        // Another process was faster.
        (error: { code?: unknown }) => (error.code === MISSING_JOB || error.code === JOB_IN_OTHER_STATE ? false : Promise.reject(error)),
      ),
    );
  }

  async remove(kind: string, id: string): Promise<boolean> {
    const queue = this.queue(kind);
    const failed = queue.toKey('failed');
    if (await this.unlist(queue, redisId(id), true)) return true;
    // One that no node wrote has a name made of where it lies.
    const members = await this.bounded(this.client.zrange(failed, '0', String(MOST_MENDED - 1)));
    const member = members.find((held) => nameOf(held) === id);
    return member !== undefined && this.unlist(queue, member, false);
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

  /** Takes a dead letter off the list in one step with what belongs to it: another process may be putting it back to work. */
  private async unlist(queue: BullQueue<Envelope>, member: string, isOurs: boolean): Promise<boolean> {
    const key = queue.toKey(member);
    const keys = isOurs ? [key, `${key}:logs`, `${key}:lock`] : [];
    const script =
      "if redis.call('zrem', KEYS[1], ARGV[1]) == 0 then return 0 end for i = 2, #KEYS do redis.call('del', KEYS[i]) end return 1";
    return (await this.bounded(this.client.eval(script, 1 + keys.length, queue.toKey('failed'), ...keys, member))) === 1;
  }

  /** Reads dead letters as they lie there: BullMQ itself gives up on all of them where one is damaged. */
  private async letters(kind: string, members: readonly string[]): Promise<{ letter: DeadJob; opts: string | null | undefined }[]> {
    const queue = this.queue(kind);
    const pipeline = this.client.pipeline();
    for (const member of members) pipeline.hmget(queue.toKey(member), ...LETTER_FIELDS);
    const results = await this.bounded(pipeline.exec());
    return members.map((member, i) => {
      const [error, fields] = results?.[i] ?? [];
      // Not even a hash, perhaps.
      const held = error == null ? (fields as (string | null)[] | undefined) : undefined;
      return { letter: letterOf(kind, member, held), opts: held?.[LETTER_FIELDS.indexOf('opts')] };
    });
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

  private async handle(kind: string, job: BullJob<Envelope>, token: string, handler: JobHandler): Promise<void> {
    const envelope = envelopeOf(job.id, job.data);
    if (envelope === undefined) throw new UnrecoverableError('the job holds what no node writes');
    const run = handler(portJob(kind, envelope, job), this.abort.signal);
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
      facts: { redis: this.host, reason: redisReason(this.options.url, cause?.message ?? this.lastError) },
      fix: 'check that it runs, its address, user and password; nothing is lost meanwhile',
    });
  }

  /** Connections come back by themselves: said once in ten seconds, not at every try. */
  private readonly failed = (error: Error): void => {
    this.lastError = error.message;
    if (performance.now() < this.warnedAt + 10_000 || this.abort.signal.aborted) return;
    this.warnedAt = performance.now();
    const reason = redisReason(this.options.url, error.message);
    this.options.log.warn({ server: this.host, reason }, 'trouble with the Redis of the queue');
  };
}

const MOST_MENDED = 1_000;
/** BullMQ's scores of delayed jobs: milliseconds, and places for those of the same one. */
const SCORES_A_MILLISECOND = 0x1000;
/** The members of a job that BullMQ parses, and what stands in for one that is no JSON: no envelope, so that the job is buried. */
const READABLE: Readonly<Record<string, (text: string) => string>> = {
  data: (text) => JSON.stringify(text.slice(0, 1_000)),
  opts: () => JSON.stringify(optionsOf(redisPriority(0), ATTEMPTS)),
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

function portJob(kind: string, { id, data }: Envelope, job: BullJob<Envelope>): Job {
  return { id, kind, data, priority: portPriority(job.opts.priority ?? 0), attempts: job.attemptsMade + 1 };
}
