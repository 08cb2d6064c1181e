// needs: redis-server
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { openRedisQueue, type RedisQueueOptions } from '../../prover/queue/bullmq.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { createLog } from '../../runtime/log.ts';
import { freePort } from '../support/port.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';

const root = path.resolve(import.meta.dirname, '../..');
const log = createLog({ name: 'test', level: 'silent' });
const NONE = { waiting: 0, active: 0, dead: 0 };
const ending: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function redis(port?: number): Promise<RedisServer> {
  const server = await startRedis(port === undefined ? {} : { port });
  ending.push(() => server.stop('SIGKILL'));
  return server;
}

async function open(url: string, options: Partial<RedisQueueOptions> = {}): Promise<Queue> {
  const queue = await openRedisQueue({ url, prefix: 'faults', log, firstDelay: 5, lockMilliseconds: 1_200, patience: 1_500, ...options });
  ending.push(() => queue.close());
  return queue;
}

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  kill(): Promise<void>;
}

function worker(url: string): WorkerProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/queue-worker.ts', url, 'faults'], { cwd: root });
  const lines: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => void lines.push(...chunk.toString().split('\n').filter(Boolean)));
  child.stderr.on('data', (chunk: Buffer) => void lines.push(`error ${chunk.toString()}`));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  ending.push(kill);
  return { child, lines, kill };
}

function eventually<Value>(read: () => Value | Promise<Value>) {
  return expect.poll(read, { timeout: 60_000, interval: 50 });
}

async function raw<Result>(url: string, action: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis(url);
  try {
    return await action(client);
  } finally {
    client.disconnect();
  }
}

describe('workers on a Redis', () => {
  it('a job whose worker is killed again and again goes on to the next one, and is never buried for it', async () => {
    const { url } = await redis();
    const queue = await open(url);
    await queue.add({ id: 'run/1', kind: 'work', data: 'hang', attempts: 1 });
    for (let round = 0; round < 4; round++) {
      const { lines, kill } = worker(url);
      await eventually(() => lines).toContain('start run/1 1');
      await kill();
    }
    expect(await queue.dead('work')).toEqual([]);
    const seen: number[] = [];
    queue.work('work', 1, async (job) => {
      seen.push(job.attempts);
    });
    await eventually(() => queue.counts('work')).toEqual(NONE);
    expect(seen).toEqual([1]);
  });

  it('two processes share the work, each job to one of them', async () => {
    const { url } = await redis();
    const queue = await open(url);
    const workers = [worker(url), worker(url)];
    for (const { lines } of workers) await eventually(() => lines).toContain('ready');
    const ids = Array.from({ length: 300 }, (_, i) => `run/${i}`);
    await Promise.all(ids.map((id) => queue.add({ id, kind: 'work', data: null })));
    await eventually(() => queue.counts('work')).toEqual(NONE);
    const done = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith('done')).map((line) => line.slice(5));
    await eventually(() => workers.flatMap(({ lines }) => done(lines)).length).toBe(ids.length);
    expect(workers.flatMap(({ lines }) => done(lines)).sort()).toEqual([...ids].sort());
    for (const { lines } of workers) expect(done(lines).length).toBeGreaterThan(0);
  });
});

describe('a Redis that fails', () => {
  it('is away at start, or wants a password: one clear error, without the password', async () => {
    const port = await freePort();
    await expect(open(`redis://:hunter2@127.0.0.1:${port}`)).rejects.toMatchObject({
      code: 'QUEUE_UNREACHABLE',
      facts: { redis: `127.0.0.1:${port}`, reason: expect.stringContaining('ECONNREFUSED') as string },
    });
    const { url } = await redis();
    await raw(url, (client) => client.config('SET', 'requirepass', 'right'));
    const refused = open(url.replace('redis://', 'redis://:hunter2@'));
    await expect(refused).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
    await refused.catch((error: unknown) => expect(JSON.stringify(error)).not.toContain('hunter2'));
  });

  it('is killed and comes back empty: adding is refused in time, and work goes on by itself', async () => {
    const first = await redis();
    const queue = await open(first.url);
    const seen: string[] = [];
    queue.work('work', 2, async (job) => {
      seen.push(job.id);
    });
    await queue.add({ id: 'before', kind: 'work', data: null });
    await eventually(() => seen).toEqual(['before']);
    await first.stop('SIGKILL');
    await expect(queue.add({ id: 'away', kind: 'work', data: null })).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
    await expect(queue.counts('work')).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
    await redis(first.port);
    await eventually(() => queue.add({ id: 'after', kind: 'work', data: null }).catch(() => undefined)).toBe(true);
    await eventually(() => seen).toContain('after');
    await eventually(() => queue.counts('work')).toEqual(NONE);
  });

  it('is stopped for a while: what ran is finished, what waited runs', async () => {
    const server = await redis();
    const queue = await open(server.url);
    const seen: string[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    queue.work('work', 1, async (job) => {
      if (job.id === 'first') await gate;
      seen.push(job.id);
    });
    await queue.add({ id: 'first', kind: 'work', data: null });
    await queue.add({ id: 'second', kind: 'work', data: null });
    await eventually(() => queue.counts('work')).toMatchObject({ active: 1 });
    process.kill(server.pid, 'SIGSTOP');
    release();
    await expect(queue.add({ id: 'third', kind: 'work', data: null })).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
    process.kill(server.pid, 'SIGCONT');
    await eventually(() => queue.counts('work')).toEqual(NONE);
    expect(new Set(seen)).toEqual(new Set(['first', 'second', 'third']));
  });

  it('is emptied: nothing crashes, a running job ends, and every id can be added again', async () => {
    const { url } = await redis();
    const queue = await open(url);
    const seen: string[] = [];
    queue.work('work', 1, async (job) => {
      if (seen.length === 0) await raw(url, (client) => client.flushall());
      seen.push(job.id);
    });
    await queue.add({ id: 'a', kind: 'work', data: null });
    await eventually(() => seen).toEqual(['a']);
    for (const id of ['a', 'b']) expect(await queue.add({ id, kind: 'work', data: null })).toBe(true);
    await eventually(() => seen).toEqual(['a', 'a', 'b']);
    await eventually(() => queue.counts('work')).toEqual(NONE);
  });

  it('holds a retry that a wrong clock has put off by an hour: it comes in its time', async () => {
    const { url } = await redis();
    const queue = await open(url, { firstDelay: 60_000, longestDelay: 60_000, lookMilliseconds: 300 });
    const seen: number[] = [];
    queue.work('work', 1, async ({ attempts }) => {
      seen.push(attempts);
      if (attempts === 1) throw new Error('not yet');
    });
    await queue.add({ id: 'a', kind: 'work', data: null });
    await eventually(() => queue.counts('work')).toEqual({ waiting: 1, active: 0, dead: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // One that is due as it should be is left to wait.
    expect(seen).toEqual([1]);
    await raw(url, (client) => client.zincrby('faults:work:delayed', 3_600_000 * 0x1000, 'id-a'));
    await eventually(() => seen).toEqual([1, 2]);
    await eventually(() => queue.counts('work')).toEqual(NONE);
  });

  it('holds what no node wrote: a dead letter, and the other jobs run', async () => {
    const { url } = await redis();
    const queue = await open(url);
    for (const id of ['a', 'b', 'c', 'd', 'e']) await queue.add({ id, kind: 'work', data: null });
    await raw(url, async (client) => {
      await client.hset('faults:work:id-a', 'data', JSON.stringify({ id: 'b', data: null }));
      await client.hset('faults:work:id-b', 'data', JSON.stringify({ id: 'b', data: 'x'.repeat(70_000) }));
      await client.hset('faults:work:id-c', 'data', '[1,2');
      await client.hset('faults:work:id-e', 'opts', '{', 'progress', 'none');
    });
    const seen: string[] = [];
    queue.work('work', 1, async (job) => {
      seen.push(job.id);
    });
    // Of the last one, what it is to do can still be read.
    await eventually(() => seen.toSorted()).toEqual(['d', 'e']);
    await eventually(async () => (await queue.dead('work')).map(({ id, error }) => [id, error]).sort()).toEqual([
      ['a', 'the job holds what no node writes'],
      ['b', 'the job holds what no node writes'],
      ['c', 'the job holds what no node writes'],
    ]);
    expect(await queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 3 });
    // One that BullMQ would not even list: its name is made of what lies there, and what it would point at stays.
    await raw(url, (client) => client.zadd('faults:work:failed', 1, 'meta', 2, 'id-%41', 3, '\u001b[2J'));
    const letters = await queue.dead('work');
    expect(letters.filter(({ id }) => id.startsWith('unknown-'))).toHaveLength(3);
    for (const { id, isDamaged } of letters) {
      expect([isDamaged, await queue.replay('work', id), await queue.remove('work', id)]).toEqual([true, false, true]);
    }
    expect(await queue.counts('work')).toEqual(NONE);
    expect(await raw(url, (client) => client.exists('faults:work:meta'))).toBe(1);
  });

  it('is away at the end: closing does not wait for it', async () => {
    const server = await redis();
    const queue = await open(server.url);
    queue.work('work', 1, (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))));
    await queue.add({ id: 'a', kind: 'work', data: null });
    await eventually(() => queue.counts('work')).toMatchObject({ active: 1 });
    await server.stop('SIGKILL');
    await expect(queue.close()).resolves.toBeUndefined();
  });
});
