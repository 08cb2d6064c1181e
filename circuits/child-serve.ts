import { AssayError } from '../core/errors.ts';
import { type ChildMessage, OVER_MEMORY, type Progress } from './child-process.ts';

const WATCH_MILLISECONDS = 250;

function send(message: ChildMessage<unknown>): void {
  process.send?.(message);
}

/** Ends the process once its resident memory passes the cap that its parent set. */
function watchMemory(): void {
  const cap = Number(process.env.ASSAY_CHILD_MEMORY);
  if (!(cap > 0)) return;
  setInterval(() => {
    if (process.memoryUsage.rss() > cap * 2 ** 20) process.exit(OVER_MEMORY);
  }, WATCH_MILLISECONDS).unref();
}

/** Main loop of a child: answers requests one after the other, errors as data, until the parent goes away. */
export function serve<Request>(answer: (request: Request, progress: (progress: Progress) => void) => Promise<unknown>): void {
  watchMemory();
  let queue = Promise.resolve();
  process.on('message', (request: Request) => {
    queue = queue.then(async () => {
      try {
        const result = await answer(request, (progress) => send({ type: 'progress', ...progress }));
        send({ type: 'result', result });
      } catch (error) {
        send(describe(error));
      }
    });
  });
  process.on('disconnect', () => process.exit(0));
}

function describe(error: unknown): ChildMessage<never> {
  if (error instanceof AssayError)
    return { type: 'error', message: error.message, code: error.code, facts: error.facts, fix: error.fix ?? null };
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'error', message: `The proof system failed: ${message}`, code: 'PROOF_SYSTEM', facts: {}, fix: null };
}
