import type { Log } from '../../runtime/log.ts';
import { below, COLLECTION, dueKey } from '../records/documents.ts';
import type { Store } from '../store/port.ts';

export interface RecentEndsParts {
  readonly store: Store;
  /** Looks at the chain, and takes up again what is not over there. @returns whether it was so */
  again(claimId: string): Promise<boolean>;
  readonly log: Log;
}

/** Seconds for which an end is remembered: longer than the blocks that are read again after a reorganisation take. */
const REMEMBERED = 6 * 3600;

/**
 * Requests and claims that ended lately. A reorganisation may take an end back whose request or claim lies before the blocks that are read
 * again: nothing else would look at it any more, its fee would stay unpaid and its stake locked.
 */
export class RecentEnds {
  private readonly parts: RecentEndsParts;
  /** The newest block's time, unix seconds. */
  now = 0;

  constructor(parts: RecentEndsParts) {
    this.parts = parts;
  }

  async forget(now: number): Promise<void> {
    const { store } = this.parts;
    for await (const [key] of below(store, COLLECTION.ended, '')) {
      if (key >= dueKey(Math.max(0, now - REMEMBERED), '')) return;
      await store.remove(COLLECTION.ended, key);
    }
  }

  async note(claimId: string): Promise<void> {
    await this.parts.store.put(COLLECTION.ended, dueKey(this.now, claimId), { id: claimId });
  }

  /** Blocks were replaced: what ended in them, or later, may not be over. @param since time of the first that is read again */
  async rewound(since: number): Promise<void> {
    const { store, again, log } = this.parts;
    for (const [key, { id }] of await this.since(since)) {
      if (!(await again(id))) continue;
      log.warn({ claim: id }, 'an end is not on chain any more; it is taken up again');
      await store.remove(COLLECTION.ended, key);
    }
  }

  private async since(second: number): Promise<[string, { readonly id: string }][]> {
    const found: [string, { readonly id: string }][] = [];
    const first = dueKey(Math.max(0, second), '');
    for await (const entry of below<{ id: string }>(this.parts.store, COLLECTION.ended, '')) if (entry[0] >= first) found.push(entry);
    return found;
  }
}
