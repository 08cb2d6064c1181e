import { afterEach, describe, expect, it } from 'vitest';
import { damaged, type Job, type Queue } from '../../prover/queue/port.ts';
import { random } from '../circuits/build.ts';

/** A queue on storage that `reopen` opens again, as after a restart. */
export interface QueueUnderTest {
  readonly queue: Queue;
  reopen(): Promise<Queue>;
  /** Alters the records of jobs at random, as somebody who reaches the storage could; the queue afterwards. */
  damage(kind: string, ids: readonly string[], draw: () => number): Promise<Queue>;
  remove(): Promise<void>;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Servers, retries and a busy machine take their time. */
function eventually<Value>(read: () => Value | Promise<Value>) {
  return expect.poll(read, { timeout: 120_000, interval: 20 });
}

const NONE = { waiting: 0, active: 0, dead: 0 };

/** What every adapter of the queue port must do. */
export function queueConformance(name: string, create: () => Promise<QueueUnderTest>): void {
  describe(`${name} queue`, () => {
    const open: QueueUnderTest[] = [];
    const start = async (): Promise<QueueUnderTest> => {
      const made = await create();
      open.push(made);
      return made;
    };
    afterEach(async () => {
      for (const made of open.splice(0)) await made.remove();
    });

    it('hands out each job once and forgets it when done', async () => {
      const { queue } = await start();
      const seen: string[] = [];
      for (const id of ['a', 'b', 'c']) expect(await queue.add({ id, kind: 'work', data: { id } })).toBe(true);
      queue.work('work', 2, async (job) => {
        seen.push(job.id);
      });
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(seen.sort()).toEqual(['a', 'b', 'c']);
    });

    it('refuses an id that is still there, and takes it again once it is done', async () => {
      const { queue } = await start();
      expect(await queue.add({ id: 'same', kind: 'work', data: 1 })).toBe(true);
      expect(await queue.add({ id: 'same', kind: 'work', data: 2 })).toBe(false);
      const seen: unknown[] = [];
      queue.work('work', 1, async (job) => {
        seen.push(job.data);
      });
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(await queue.add({ id: 'same', kind: 'work', data: 3 })).toBe(true);
      await eventually(() => seen).toEqual([1, 3]);
    });

    it('goes by priority, then by arrival', async () => {
      const { queue } = await start();
      for (const [id, priority] of [
        ['low', 0],
        ['first', 5],
        ['second', 5],
        ['highest', 9],
      ] as const)
        await queue.add({ id, kind: 'work', data: null, priority });
      const seen: string[] = [];
      queue.work('work', 1, async (job) => {
        seen.push(job.id);
      });
      await eventually(() => seen).toEqual(['highest', 'first', 'second', 'low']);
    });

    it('runs no more at a time than it was told, and no other kind', async () => {
      const { queue } = await start();
      const gate = deferred();
      let running = 0;
      let most = 0;
      for (let i = 0; i < 5; i++) await queue.add({ id: `job-${i}`, kind: 'work', data: null });
      await queue.add({ id: 'other', kind: 'other', data: null });
      queue.work('work', 2, async () => {
        most = Math.max(most, ++running);
        await gate.promise;
        running--;
      });
      await eventually(() => queue.counts('work')).toEqual({ waiting: 3, active: 2, dead: 0 });
      gate.resolve();
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(most).toBe(2);
      expect(await queue.counts('other')).toEqual({ waiting: 1, active: 0, dead: 0 });
    });

    it('tries again, then keeps a dead letter with its error, which can be replayed', async () => {
      const { queue } = await start();
      const attempts: number[] = [];
      let fail = true;
      await queue.add({ id: 'poison', kind: 'work', data: { a: 1 }, attempts: 2 });
      queue.work('work', 1, async (job: Job) => {
        attempts.push(job.attempts);
        if (fail) throw new Error('no luck');
      });
      await eventually(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 1 });
      expect(await queue.dead('work')).toMatchObject([{ id: 'poison', data: { a: 1 }, error: 'no luck' }]);
      expect(await queue.replay('work', 'unknown')).toBe(false);
      fail = false;
      expect(await queue.replay('work', 'poison')).toBe(true);
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(attempts).toEqual([1, 2, 1]);
    });

    it('lets what runs of a kind end when it is paused, and starts no more of it', async () => {
      const { queue } = await start();
      const gate = deferred();
      const seen: string[] = [];
      for (const id of ['first', 'second']) await queue.add({ id, kind: 'work', data: null });
      queue.work('work', 1, async (job) => {
        seen.push(job.id);
        await gate.promise;
      });
      queue.work('urgent', 1, async (job) => {
        seen.push(job.id);
      });
      await eventually(() => seen).toEqual(['first']);
      let isPaused = false;
      const paused = queue.pause('work').then(() => {
        isPaused = true;
      });
      await queue.add({ id: 'demand', kind: 'urgent', data: null });
      await eventually(() => seen).toEqual(['first', 'demand']);
      expect(isPaused).toBe(false);
      gate.resolve();
      await paused;
      await eventually(() => queue.counts('work')).toEqual({ waiting: 1, active: 0, dead: 0 });
      expect(seen).toEqual(['first', 'demand']);
    });

    it('keeps waiting, running and dead jobs over a restart, and aborts what runs', async () => {
      const made = await start();
      await made.queue.add({ id: 'dead', kind: 'dying', data: null, attempts: 1 });
      made.queue.work('dying', 1, async () => {
        throw new Error('dead on arrival');
      });
      await eventually(() => made.queue.counts('dying')).toMatchObject({ dead: 1 });
      await made.queue.add({ id: 'running', kind: 'work', data: null, attempts: 1 });
      await made.queue.add({ id: 'waiting', kind: 'work', data: null });
      const started = deferred();
      made.queue.work('work', 1, (_, signal) => {
        started.resolve();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      });
      await started.promise;
      const again = await made.reopen();
      const seen: [string, number][] = [];
      again.work('work', 1, async (job) => {
        seen.push([job.id, job.attempts]);
      });
      // Being stopped was no failure: a job of one attempt runs, and it is still its first.
      await eventually(() => seen).toEqual([
        ['running', 1],
        ['waiting', 1],
      ]);
      expect(await again.dead('dying')).toMatchObject([{ id: 'dead', error: 'dead on arrival' }]);
    });

    it('takes any text as an id, apart from the other kinds', async () => {
      const { queue } = await start();
      const ids = ['run/17', 'a:b', '17', '%2F', '..', 'ünï/\u{1f600}', 'x'.repeat(256)];
      for (const id of ids) expect(await queue.add({ id, kind: 'work', data: id })).toBe(true);
      for (const id of ids) expect(await queue.add({ id, kind: 'work', data: id })).toBe(false);
      expect(await queue.add({ id: 'run/17', kind: 'other', data: null })).toBe(true);
      const seen: unknown[] = [];
      queue.work('work', 1, async (job) => {
        expect(job).toMatchObject({ kind: 'work', data: job.id });
        seen.push(job.id);
      });
      await eventually(() => seen).toEqual(ids);
      await eventually(() => queue.counts('work')).toEqual(NONE);
    });

    it('hands data over as it was, up to the limit, and refuses what is beyond', async () => {
      const { queue } = await start();
      const data = [null, true, 'tëxt\n', -1.5, 1e15, [], { a: { b: [1, '2'] } }, 'x'.repeat(65_534)];
      for (const [i, value] of data.entries()) await queue.add({ id: `data-${i}`, kind: 'work', data: value });
      const seen: unknown[] = [];
      queue.work('work', 1, async (job) => {
        seen.push(job.data);
      });
      await eventually(() => seen.length).toBe(data.length);
      expect(seen).toEqual(data);
      const wrong = [
        { id: 'a', kind: 'work', data: 'x'.repeat(65_535) },
        { id: 'a', kind: 'work', data: undefined },
        { id: '', kind: 'work', data: null },
        { id: 'x'.repeat(257), kind: 'work', data: null },
        { id: '\ud800', kind: 'work', data: null },
        { id: 'a', kind: 'w:k', data: null },
        { id: 'a', kind: 'work', data: null, priority: 1_001 },
        { id: 'a', kind: 'work', data: null, attempts: 0 },
      ];
      for (const job of wrong) await expect(queue.add(job)).rejects.toMatchObject({ code: 'INTERNAL' });
      await eventually(() => queue.counts('work')).toEqual(NONE);
    });

    it('refuses the id of a running and of a dead job, and adds it once when many try', async () => {
      const { queue } = await start();
      const gate = deferred();
      queue.work('work', 1, async () => {
        await gate.promise;
        throw new Error('in vain');
      });
      const many = await Promise.all(Array.from({ length: 8 }, () => queue.add({ id: 'a', kind: 'work', data: null, attempts: 1 })));
      expect(many.filter(Boolean)).toHaveLength(1);
      await eventually(() => queue.counts('work')).toMatchObject({ active: 1 });
      expect(await queue.add({ id: 'a', kind: 'work', data: null })).toBe(false);
      gate.resolve();
      await eventually(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 1 });
      expect(await queue.add({ id: 'a', kind: 'work', data: null })).toBe(false);
      expect(await queue.replay('other', 'a')).toBe(false);
    });

    it('counts failures, lets others pass a failed job, and goes up and down in priority', async () => {
      const { queue } = await start();
      const seen: string[] = [];
      await queue.add({ id: 'failing', kind: 'work', data: null, priority: 1_000 });
      for (const priority of [-1_000, 0, 1_000]) await queue.add({ id: `at ${priority}`, kind: 'work', data: null, priority });
      queue.work('work', 1, async (job) => {
        seen.push(`${job.id} ${job.priority} ${job.attempts}`);
        if (job.id === 'failing' && job.attempts < 3) throw 'not an error object';
      });
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(seen.filter((line) => line.startsWith('failing'))).toEqual([1, 2, 3].map((attempt) => `failing 1000 ${attempt}`));
      expect(seen.filter((line) => line.startsWith('at'))).toEqual(['at 1000 1000 1', 'at 0 0 1', 'at -1000 -1000 1']);
    });

    it('lists dead letters in the order of their death, as many as asked for', async () => {
      const { queue } = await start();
      queue.work('work', 1, async (job) => {
        throw new Error(`of ${job.id}`);
      });
      for (const id of ['c', 'a', 'b']) {
        await queue.add({ id, kind: 'work', data: null, attempts: 1 });
        await eventually(async () => (await queue.dead('work')).map((job) => job.id)).toContain(id);
        // Order is kept to the millisecond.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect((await queue.dead('work')).map(({ id, error, attempts }) => [id, error, attempts])).toEqual([
        ['c', 'of c', 1],
        ['a', 'of a', 1],
        ['b', 'of b', 1],
      ]);
      expect((await queue.dead('work', 2)).map(({ id }) => id)).toEqual(['c', 'a']);
      expect(await queue.dead('work', 0)).toEqual([]);
    });

    it.each([1, 2, 3, 4])('lists, replays and removes dead letters whatever was done to their records (seed %i)', async (seed) => {
      const made = await start();
      made.queue.work('work', 4, async () => {
        throw new Error('in vain');
      });
      const ids = Array.from({ length: 24 }, (_, i) => `run/${i}`);
      for (const id of ids) await made.queue.add({ id, kind: 'work', data: { requestId: id }, attempts: 1, priority: 3 });
      await eventually(() => made.queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: ids.length });
      const queue = await made.damage('work', ids.slice(4), random(seed));
      const letters = await queue.dead('work');
      expect(letters.map(({ id }) => id).sort()).toEqual([...ids].sort());
      for (const letter of letters) {
        if (letter.isDamaged) expect(letter).toEqual({ ...damaged('work', letter.id), error: letter.error });
        else expect(letter).toMatchObject({ kind: 'work', attempts: expect.any(Number) as number, priority: expect.any(Number) as number });
      }
      for (const id of ids.slice(0, 4))
        expect(letters.find((letter) => letter.id === id)).toMatchObject({ data: { requestId: id }, isDamaged: false });
      expect(letters.filter(({ isDamaged }) => isDamaged).length).toBeGreaterThan(5);
      // Half of them go back to work, which a damaged one cannot; the other half is thrown away.
      const again: string[] = [];
      queue.work('work', 4, async (job) => {
        again.push(job.id);
      });
      for (const [i, { id, isDamaged }] of letters.entries()) {
        if (i % 2 === 0) expect(await queue.replay('work', id)).toBe(!isDamaged);
        if (i % 2 === 1 || isDamaged) expect(await queue.remove('work', id)).toBe(true);
        expect(await queue.remove('work', id)).toBe(false);
      }
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(again.sort()).toEqual(letters.flatMap(({ id, isDamaged }, i) => (i % 2 === 0 && !isDamaged ? [id] : [])).sort());
      // Nothing is left of any: each can be added again.
      for (const id of ids) expect(await queue.add({ id, kind: 'work', data: null })).toBe(true);
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(await queue.dead('work')).toEqual([]);
    });

    it('removes dead letters alone', async () => {
      const { queue } = await start();
      await queue.add({ id: 'waiting', kind: 'work', data: null });
      expect(await queue.remove('work', 'waiting')).toBe(false);
      expect(await queue.remove('work', 'none')).toBe(false);
      expect(await queue.counts('work')).toEqual({ waiting: 1, active: 0, dead: 0 });
    });

    it('works on what was there before and on what comes in later, all of it, in order', async () => {
      const { queue } = await start();
      const name = (i: number): string => String(i).padStart(4, '0');
      await Promise.all(Array.from({ length: 200 }, (_, i) => queue.add({ id: name(i), kind: 'work', data: null, priority: i % 3 })));
      const seen: string[] = [];
      queue.work('work', 1, async (job) => {
        seen.push(job.id);
      });
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(new Set(seen).size).toBe(200);
      for (let i = 200; i < 210; i++) await queue.add({ id: name(i), kind: 'work', data: null });
      await eventually(() => queue.counts('work')).toEqual(NONE);
      expect(seen.slice(200)).toEqual(Array.from({ length: 10 }, (_, i) => name(200 + i)));
    });
  });
}
