import { z } from 'zod';
import type { ChainEvent } from '../../contracts/client/follow.ts';
import type { Log } from '../../runtime/log.ts';
import { below, COLLECTION, checked } from '../records/documents.ts';
import type { Store } from '../store/port.ts';
import { deadlineOf, nameOf } from './event-names.ts';

export interface LateRequestsParts {
  readonly store: Store;
  /** Events of one block, as the chain holds it now. */
  read(block: bigint): Promise<readonly ChainEvent[]>;
  readonly log: Log;
}

const lateSchema = z.object({ block: z.string().regex(/^[0-9]{1,20}$/), deadline: z.int().min(0) });
type Late = z.output<typeof lateSchema>;

/** Milliseconds between two tries to read what a start has to take up again. */
const AGAIN = 60_000;

/**
 * Requests that could not be handled for so long that the cursor for the next start no longer waits for them. Where their events are is
 * stored, until they are handled or their time is over.
 */
export class LateRequests {
  private readonly parts: LateRequestsParts;
  private isRecalled = false;
  private running: Promise<void> | undefined;
  /** Milliseconds of a clock that only goes forward. */
  private next = 0;

  constructor(parts: LateRequestsParts) {
    this.parts = parts;
  }

  async keep(event: ChainEvent): Promise<void> {
    const late: Late = { block: String(event.blockNumber), deadline: deadlineOf(event) };
    await this.parts.store.put(COLLECTION.requestsLate, nameOf(event), late);
  }

  async forget(event: ChainEvent): Promise<void> {
    await this.parts.store.remove(COLLECTION.requestsLate, nameOf(event));
  }

  /**
   * Once after a start, at the first head at which the chain answers: takes up what was kept before. Not waited for.
   * @param now the newest block's time, unix seconds
   */
  recall(now: number, take: (event: ChainEvent) => void): void {
    if (this.isRecalled || this.running !== undefined || performance.now() < this.next) return;
    this.next = performance.now() + AGAIN;
    this.running = this.look(now, take)
      .then(() => {
        this.isRecalled = true;
      })
      .catch((error) => this.parts.log.warn({ error }, 'requests of before the start could not be read; trying again'))
      .finally(() => {
        this.running = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.running;
  }

  private async look(now: number, take: (event: ChainEvent) => void): Promise<void> {
    const { store, read } = this.parts;
    for await (const [name, document] of below(store, COLLECTION.requestsLate, '')) {
      const { block, deadline } = checked(lateSchema, COLLECTION.requestsLate, name, document);
      // In another block by now, it is read with that.
      const event = deadline < now ? undefined : (await read(BigInt(block))).find((each) => nameOf(each) === name);
      if (event === undefined) await store.remove(COLLECTION.requestsLate, name);
      else take(event);
    }
  }
}
