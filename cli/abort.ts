import { beforeExit } from './cleanup.ts';

/**
 * Runs work that can be cancelled; when this process is told to end meanwhile, the work is cancelled and given the time to clean up
 * behind itself.
 */
export async function cancellable<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const running = work(controller.signal);
  const forget = beforeExit(async () => {
    controller.abort();
    await running.catch(() => undefined);
  });
  try {
    return await running;
  } finally {
    forget();
  }
}
