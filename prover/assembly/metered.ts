import type { NodeMetrics } from '../metrics.ts';
import type { Queue } from '../queue/port.ts';
import type { Prove } from '../work/answer.ts';
import { JOBS, type JobKind } from '../work/jobs.ts';

/** A queue that counts how the jobs of this process end. One that was stopped on its way has not ended. Closing it twice is closing it once. */
export function meteredQueue(queue: Queue, { jobs }: Pick<NodeMetrics, 'jobs'>): Queue {
  let closed: Promise<void> | undefined;
  return {
    add: (job) => queue.add(job),
    counts: (kind) => queue.counts(kind),
    dead: (kind, limit) => queue.dead(kind, limit),
    replay: (kind, id) => queue.replay(kind, id),
    remove: (kind, id) => queue.remove(kind, id),
    pause: (kind) => queue.pause(kind),
    close: () => (closed ??= queue.close()),
    work: (kind, concurrency, handler) =>
      queue.work(kind, concurrency, async (job, signal) => {
        try {
          await handler(job, signal);
          jobs.inc({ kind, result: 'done' });
        } catch (error) {
          const isLast = job.attempts >= (JOBS[kind as JobKind]?.attempts ?? Number.POSITIVE_INFINITY);
          if (!signal.aborted) jobs.inc({ kind, result: isLast ? 'dead' : 'failed' });
          throw error;
        }
      }),
  };
}

/** Proving that counts how proofs end, and how long those that succeed take. */
export function meteredProve(prove: Prove, { proofs, proofSeconds }: Pick<NodeMetrics, 'proofs' | 'proofSeconds'>): Prove {
  return async (model, input, context, signal, onProgress) => {
    const started = performance.now();
    try {
      const made = await prove(model, input, context, signal, onProgress);
      proofSeconds.observe((performance.now() - started) / 1_000);
      proofs.inc({ result: 'proved' });
      return made;
    } catch (error) {
      proofs.inc({ result: signal.aborted ? 'cancelled' : 'failed' });
      throw error;
    }
  };
}
