import { setTimeout as delay } from 'node:timers/promises';
import { JOB_STATES, type JobView } from './schemas.ts';

export interface EventOptions {
  /** Milliseconds between two looks at the job. */
  readonly every: number;
  /** Milliseconds without an event after which a comment is sent, so that nobody on the way takes the connection for dead. */
  readonly heartbeat: number;
  /** Id of the last event that the client has seen. */
  readonly lastSeen?: string | undefined;
  /** Ends the stream: the client has gone, or the node stops. */
  readonly signal: AbortSignal;
}

/** Whether a job can change no more. */
export function hasEnded(job: JobView): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
}

/** Names a state of a job: equal ids, equal content, so a client that comes back is told only what is new. */
export function eventId(job: JobView): string {
  return `${JOB_STATES.indexOf(job.state)}-${Math.round(job.progress * 1000)}`;
}

/**
 * Server-sent events of one job: `progress` whenever it changed, `end` with the result as the last one. Reads the job from the store
 * time and again, as the worker may be on another machine.
 */
export async function* jobEvents(look: () => Promise<JobView | undefined>, options: EventOptions): AsyncGenerator<string> {
  let last = options.lastSeen;
  let quietSince = performance.now();
  yield 'retry: 2000\n\n';
  while (!options.signal.aborted) {
    const job = await look();
    if (job === undefined) return;
    const id = eventId(job);
    if (id !== last) {
      last = id;
      quietSince = performance.now();
      yield `id: ${id}\nevent: ${hasEnded(job) ? 'end' : 'progress'}\ndata: ${JSON.stringify(job)}\n\n`;
    } else if (performance.now() - quietSince >= options.heartbeat) {
      quietSince = performance.now();
      yield ': still there\n\n';
    }
    if (hasEnded(job)) return;
    await delay(options.every, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
