import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../../runtime/log.ts';
import type { Store } from '../store/port.ts';
import { COLLECTION, dueKey, load, orderedId } from './documents.ts';

/** Seconds for which bytes are kept beyond the last moment at which they could be asked for. */
export const MARGIN = 24 * 3600;

const holdSchema = z.object({
  until: z.int().min(0),
  due: z.string(),
  /** The bytes are being removed: who wants them kept waits, and stores them again. */
  going: z.literal(true).optional(),
});
type Hold = z.output<typeof holdSchema>;

/** Milliseconds for which a removal is waited for; one that takes longer was broken off. And between two looks at it. */
const PATIENCE = 10_000;
const PAUSE = 20;

/**
 * How long input bytes are kept, by name, in seconds of the chain's time. Every use extends it, none shortens it: an upload by a day,
 * an accepted request beyond its deadline, a receipt beyond its expiry, a claim beyond the last second of any dispute about it. A name
 * without a hold is kept for ever. Bytes that are there when this resolves stay; those that are not, the caller stores.
 */
export async function holdInput(store: Store, name: string, until: number, patience = PATIENCE): Promise<void> {
  const due = dueKey(until, name);
  const isEnough = (known: Hold | undefined): boolean => known !== undefined && known.going !== true && known.until >= until;
  const end = performance.now() + patience;
  let before = await load(store, holdSchema, COLLECTION.inputHolds, name);
  if (isEnough(before)) return;
  // Where the pruner finds it: there before the hold is, however this process ends.
  await store.put(COLLECTION.inputsDue, due, { name });
  for (;;) {
    const isLate = performance.now() >= end;
    const held = await store.update<Hold>(COLLECTION.inputHolds, name, (known) => {
      before = known;
      return isEnough(known) || (known?.going === true && !isLate) ? undefined : { until, due };
    });
    if (held?.going !== true) break;
    await sleep(PAUSE);
  }
  if (before !== undefined && before.due !== due) await store.remove(COLLECTION.inputsDue, isEnough(before) ? due : before.due);
}

/** Removes input bytes that nothing can ask for any more. */
export class InputPruner {
  private readonly store: Store;
  private readonly remove: (name: string) => Promise<void>;
  private readonly log: Log;

  constructor(store: Store, remove: (name: string) => Promise<void>, log: Log) {
    this.store = store;
    this.remove = remove;
    this.log = log;
  }

  /**
   * Removes a bounded number.
   * @param now unix seconds that the chain's time and the machine's have reached: an endpoint may lie about one, and late is early enough
   * @returns whether there may be more
   */
  async prune(now: number): Promise<boolean> {
    const before = orderedId(String(now));
    const page = await this.store.list<{ name: string }>(COLLECTION.inputsDue, { limit: PAGE });
    const due = page.filter(([key]) => key < before);
    await Promise.all([...new Set(due.map(([, { name }]) => name))].map((name) => this.look(name, now)));
    await Promise.all(due.map(([key]) => this.store.remove(COLLECTION.inputsDue, key)));
    return due.length === PAGE;
  }

  private async look(name: string, now: number): Promise<void> {
    const { store } = this;
    const hold = await store.update<Hold>(COLLECTION.inputHolds, name, (known) =>
      known !== undefined && known.until < now && known.going !== true ? { ...known, going: true } : undefined,
    );
    if (hold !== undefined && hold.going !== true) return;
    await this.remove(name);
    await store.remove(COLLECTION.inputHolds, name);
    this.log.debug({ input: name }, 'input bytes that nothing needs any more were removed');
  }
}

/** Most names that are looked at in one go. */
const PAGE = 64;
