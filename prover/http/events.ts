import { setTimeout as delay } from 'node:timers/promises';
import { errorBody, fromFastify } from './errors.ts';
import { JOB_STATES, type JobView } from './schemas.ts';

export interface EventTimes {
  /** Milliseconds between two looks at the job. */
  readonly every: number;
  /** Milliseconds without an event after which a comment is sent, so that nobody on the way takes the connection for dead. */
  readonly heartbeat: number;
}

export interface EventOptions extends EventTimes {
  /** Id of the last event that the client has seen. */
  readonly lastSeen?: string | undefined;
  /** The client has gone. */
  readonly gone: AbortSignal;
  /** The stream has to end before the job does; the reason, an error, is its last event. */
  readonly ending: AbortSignal;
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
 * Server-sent events of one job: `progress` whenever it changed, `end` with the result as the last one; `closed` with an error where the
 * stream ends before the job. Reads the job from the store time and again, as the worker may be on another machine; looks no further
 * while nobody takes what it gave.
 */
export async function* jobEvents(look: () => Promise<JobView | undefined>, options: EventOptions): AsyncGenerator<string> {
  const { every, heartbeat, gone, ending } = options;
  const signal = AbortSignal.any([gone, ending]);
  let last = options.lastSeen;
  let quietSince = performance.now();
  yield 'retry: 2000\n\n';
  try {
    while (!signal.aborted) {
      const job = await look();
      if (job === undefined) return;
      const id = eventId(job);
      if (id !== last) {
        last = id;
        quietSince = performance.now();
        yield `id: ${id}\nevent: ${hasEnded(job) ? 'end' : 'progress'}\ndata: ${JSON.stringify(job)}\n\n`;
      } else if (performance.now() - quietSince >= heartbeat) {
        quietSince = performance.now();
        yield ': still there\n\n';
      }
      if (hasEnded(job)) return;
      await delay(every, undefined, { signal }).catch(() => undefined);
    }
  } catch (error) {
    yield closed(error);
    return;
  }
  if (ending.aborted) yield closed(ending.reason);
}

/** Without an id: who comes back is told what it missed of the job. */
function closed(error: unknown): string {
  return `event: closed\ndata: ${JSON.stringify(errorBody(fromFastify(error)))}\n\n`;
}
