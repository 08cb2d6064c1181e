import { busy } from '../concurrency/gate.ts';

const HOUR = 3_600_000;
const HOURS = 24;
/** What a small file and its records take on a disk. */
const LEAST_BYTES = 4_096;

/**
 * Bytes that callers without a key may have kept in a day: anybody may send the input of a request on chain, before or after asking it, and
 * nobody can tell them from those who fill the disk, which costs others their receipts. In memory, by the hour.
 */
export class UploadBudget {
  private readonly most: number;
  /** Bytes of an hour, by its number; the oldest first. */
  private readonly hours = new Map<number, number>();

  constructor(most: number) {
    this.most = most;
  }

  /** @param now milliseconds @throws AssayError NODE_BUSY */
  take(bytes: number, now = Date.now()): void {
    const hour = Math.floor(now / HOUR);
    for (const old of this.hours.keys()) if (old <= hour - HOURS || old > hour) this.hours.delete(old);
    const taken = [...this.hours.values()].reduce((sum, some) => sum + some, 0);
    const wanted = Math.max(LEAST_BYTES, bytes);
    if (taken + wanted > this.most)
      throw busy('inputs that others have sent today; put yours into the request, or send it with an API key');
    this.hours.set(hour, (this.hours.get(hour) ?? 0) + wanted);
  }
}
