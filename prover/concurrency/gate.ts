import { AssayError } from '../../core/errors.ts';

/** Lets a bounded number run and a bounded number wait; the rest is told to come back. */
export class Gate {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly most: number;
  private readonly mostWaiting: number;
  private readonly what: string;

  constructor(what: string, most: number, mostWaiting: number) {
    this.what = what;
    this.most = most;
    this.mostWaiting = mostWaiting;
  }

  /** @throws AssayError NODE_BUSY, and whatever the work throws */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.running >= this.most) {
      if (this.waiting.length >= this.mostWaiting) throw busy(this.what);
      // Whoever leaves hands its place over: `running` stays as it is.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.running++;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}

export function busy(what: string): AssayError {
  return new AssayError(`The node is busy with ${what}`, { code: 'NODE_BUSY', fix: 'wait some seconds, then try again' });
}
