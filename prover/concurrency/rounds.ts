import { setTimeout as sleep } from 'node:timers/promises';

/** Work that is done again and again beside everything else, never twice at the same time. */
export class Rounds {
  private readonly round: () => Promise<number>;
  private readonly abort = new AbortController();
  private running: Promise<void> | undefined;

  /** @param round does not throw; resolves to the milliseconds until the next one */
  constructor(round: () => Promise<number>) {
    this.round = round;
  }

  /** Begins with a round at once. */
  start(): void {
    this.running ??= this.run();
  }

  get isStopped(): boolean {
    return this.abort.signal.aborted;
  }

  /** Begins no further round, and resolves when the one that runs has ended. */
  async stop(): Promise<void> {
    this.abort.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.abort;
    while (!signal.aborted) {
      const milliseconds = await this.round();
      await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
    }
  }
}
