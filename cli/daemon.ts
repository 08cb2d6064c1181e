/** Never resolves by itself: the process runs until a signal ends it (cli/cleanup.ts), and stays alive until then. */
export function untilStopped(): Promise<never> {
  return new Promise(() => {
    setInterval(() => {}, 2 ** 30);
  });
}
