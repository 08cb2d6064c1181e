import { setTimeout as sleep } from 'node:timers/promises';
import type { Queue } from '../queue/port.ts';
import type { JobKind } from '../work/jobs.ts';

/** Milliseconds between two looks at what still has to be sent. */
const LOOK_EVERY = 100;

/**
 * Lets what runs end: takes no job of the working kinds any more, then waits until what they prepared is sent. Answers to demands go
 * on all the while. Resolves after `seconds` at the latest; what has not ended stays in the queue for the next start.
 * @param working kinds of this process whose jobs make others @param sending kinds of this process that end what the working ones made
 */
export async function drain(queue: Queue, working: readonly JobKind[], sending: readonly JobKind[], seconds: number): Promise<void> {
  const abort = new AbortController();
  const inOrder = async (): Promise<void> => {
    await Promise.all(working.map((kind) => queue.pause(kind)));
    while (working.length > 0 && !abort.signal.aborted && (await isUnsent(queue, sending))) await sleep(LOOK_EVERY);
    if (!abort.signal.aborted) await Promise.all(sending.map((kind) => queue.pause(kind)));
  };
  const late = sleep(seconds * 1_000, undefined, { signal: abort.signal }).catch(() => undefined);
  try {
    // A queue that cannot be asked has nothing more to say: stopping goes on.
    await Promise.race([inOrder().catch(() => undefined), late]);
  } finally {
    abort.abort();
  }
}

async function isUnsent(queue: Queue, kinds: readonly JobKind[]): Promise<boolean> {
  const counts = await Promise.all(kinds.map((kind) => queue.counts(kind)));
  return counts.some(({ waiting, active }) => waiting + active > 0);
}
