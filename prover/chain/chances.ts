const LONGEST_PAUSE = 24 * 3_600_000;

/**
 * When what failed too often may be tried anew: at once, and then after pauses that double, so that trouble costs nothing for good and what
 * can never work costs little. In memory: a restart is a new beginning.
 */
export class Chances {
  private readonly firstPause: number;
  /** Milliseconds of a clock that only goes forward. */
  private readonly given = new Map<string, { readonly until: number; readonly pause: number }>();

  /** @param firstPause milliseconds between the first and the second chance */
  constructor(firstPause: number) {
    this.firstPause = firstPause;
  }

  isDue(name: string): boolean {
    return performance.now() >= (this.given.get(name)?.until ?? 0);
  }

  note(name: string): void {
    for (const [other, { until }] of this.given) if (performance.now() > until + LONGEST_PAUSE) this.given.delete(other);
    const before = this.given.get(name)?.pause;
    const pause = before === undefined ? this.firstPause : Math.min(LONGEST_PAUSE, 2 * before);
    this.given.set(name, { until: performance.now() + pause, pause });
  }
}
