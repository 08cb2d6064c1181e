import { afterEach, describe, expect, it } from 'vitest';
import type { Job, Queue } from '../../prover/queue/port.ts';

/** A queue on storage that `reopen` opens again, as after a restart. */
export interface QueueUnderTest {
  readonly queue: Queue;
  reopen(): Promise<Queue>;
  remove(): Promise<void>;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

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
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 0 });
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
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 0 });
      expect(await queue.add({ id: 'same', kind: 'work', data: 3 })).toBe(true);
      await expect.poll(() => seen).toEqual([1, 3]);
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
      await expect.poll(() => seen).toEqual(['highest', 'first', 'second', 'low']);
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
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 3, active: 2, dead: 0 });
      gate.resolve();
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 0 });
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
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 1 });
      expect(await queue.dead('work')).toMatchObject([{ id: 'poison', data: { a: 1 }, error: 'no luck' }]);
      expect(await queue.replay('work', 'unknown')).toBe(false);
      fail = false;
      expect(await queue.replay('work', 'poison')).toBe(true);
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 0, active: 0, dead: 0 });
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
      await expect.poll(() => seen).toEqual(['first']);
      let isPaused = false;
      const paused = queue.pause('work').then(() => {
        isPaused = true;
      });
      await queue.add({ id: 'demand', kind: 'urgent', data: null });
      await expect.poll(() => seen).toEqual(['first', 'demand']);
      expect(isPaused).toBe(false);
      gate.resolve();
      await paused;
      await expect.poll(() => queue.counts('work')).toEqual({ waiting: 1, active: 0, dead: 0 });
      expect(seen).toEqual(['first', 'demand']);
    });

    it('keeps waiting, running and dead jobs over a restart, and aborts what runs', async () => {
      const made = await start();
      await made.queue.add({ id: 'dead', kind: 'dying', data: null, attempts: 1 });
      made.queue.work('dying', 1, async () => {
        throw new Error('dead on arrival');
      });
      await expect.poll(() => made.queue.counts('dying')).toMatchObject({ dead: 1 });
      await made.queue.add({ id: 'running', kind: 'work', data: null, attempts: 1 });
      await made.queue.add({ id: 'waiting', kind: 'work', data: null });
      const started = deferred();
      made.queue.work('work', 1, (_, signal) => {
        started.resolve();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      });
      await started.promise;
      const again = await made.reopen();
      const seen: string[] = [];
      again.work('work', 1, async (job) => {
        seen.push(job.id);
      });
      await expect.poll(() => seen).toEqual(['running', 'waiting']);
      expect(await again.dead('dying')).toMatchObject([{ id: 'dead', error: 'dead on arrival' }]);
    });
  });
}
