import type { StateDirectory } from '../../runtime/state-directory.ts';
import { checkName, type Store } from './port.ts';

const LAST = '\u{10ffff}';

/** The store in the node's own state directory. */
export function embeddedStore(state: StateDirectory): Store {
  const { database, write } = state;
  const key = (collection: string, id: string): string[] => {
    checkName(collection);
    checkName(id);
    return ['store', collection, id];
  };
  return {
    async get<Document>(collection: string, id: string) {
      return database.get(key(collection, id)) as Document | undefined;
    },
    async put(collection, id, document) {
      await write(() => database.put(key(collection, id), document));
    },
    putIfAbsent: (collection, id, document) =>
      write(() => database.ifNoExists(key(collection, id), () => within(database.put(key(collection, id), document)))),
    update: <Document>(collection: string, id: string, change: (document: Document | undefined) => Document | undefined) =>
      write(() =>
        database.transaction(() => {
          const before = database.get(key(collection, id)) as Document | undefined;
          const after = change(before);
          if (after !== undefined) within(database.put(key(collection, id), after));
          return after ?? before;
        }),
      ),
    async remove(collection, id) {
      await write(() => database.remove(key(collection, id)), true);
    },
    removeBelow: (collection, before, limit) =>
      write(
        () =>
          database.transaction(() => {
            const ids = [...database.getKeys({ start: ['store', collection, ''], end: key(collection, before), limit })];
            for (const id of ids) within(database.remove(id));
            return ids.length;
          }),
        true,
      ),
    async list<Document>(collection: string, options: { after?: string; limit?: number } = {}) {
      const found: [string, Document][] = [];
      const limit = options.limit ?? Number.POSITIVE_INFINITY;
      for (const entry of database.getRange({ start: ['store', collection, options.after ?? ''], end: ['store', collection, LAST] })) {
        const id = entry.key[2]!;
        if (id === options.after) continue;
        if (found.length >= limit) break;
        found.push([id, entry.value as Document]);
      }
      return found;
    },
    // The state directory belongs to who opened it.
    async close() {},
  };
}

/** A write within a transaction: that it failed is told by the transaction. */
function within(write: Promise<unknown>): void {
  write.catch(() => undefined);
}
