import { z } from 'zod';
import type { Log } from '../../runtime/log.ts';
import type { Store } from '../store/port.ts';
import { COLLECTION, dueKey, load, orderedId } from './documents.ts';

/** Seconds for which bytes are kept beyond the last moment at which they could be asked for. */
export const MARGIN = 24 * 3600;

const holdSchema = z.object({ until: z.int().min(0), due: z.string() });
type Hold = z.output<typeof holdSchema>;

/**
 * How long input bytes are kept, by name, in seconds of the chain's time. Every use extends it, none shortens it: an upload by a day,
 * an accepted request beyond its deadline, a receipt beyond its expiry, a claim beyond the last second of any dispute about it. A name
 * without a hold is kept for ever.
 */
export async function holdInput(store: Store, name: string, until: number): Promise<void> {
  const due = dueKey(until, name);
  let before: Hold | undefined;
  const held = await store.update<Hold>(COLLECTION.inputHolds, name, (known) => {
    before = known;
    return known !== undefined && known.until >= until ? undefined : { until, due };
  });
  if (held?.due !== due) return;
  await store.put(COLLECTION.inputsDue, due, { name });
  if (before !== undefined && before.due !== due) await store.remove(COLLECTION.inputsDue, before.due);
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

  /** @param now chain time, unix seconds; the machine's must have come too: an endpoint may lie about one, and late is early enough */
  async prune(now: number, machine = Math.floor(Date.now() / 1000)): Promise<void> {
    const both = Math.min(now, machine);
    const before = orderedId(String(both));
    for (const [key, { name }] of await this.store.list<{ name: string }>(COLLECTION.inputsDue, { limit: PAGE })) {
      if (key >= before) return;
      const hold = await load(this.store, holdSchema, COLLECTION.inputHolds, name);
      if (hold === undefined || hold.until < both) {
        await this.remove(name);
        await this.store.remove(COLLECTION.inputHolds, name);
        this.log.debug({ input: name }, 'input bytes that nothing needs any more were removed');
      }
      await this.store.remove(COLLECTION.inputsDue, key);
    }
  }
}

const PAGE = 256;
