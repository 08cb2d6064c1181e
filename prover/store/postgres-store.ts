import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { inTurn } from '../concurrency/in-turn.ts';
import type { Attempt } from './attempt.ts';
import type { Tables } from './migrations.ts';
import { checkName, type Store } from './port.ts';

interface Held {
  readonly document: unknown;
  readonly version: string;
}

/** Documents in a table. Every write carries a version of its own, so that one whose answer was lost is not made twice. */
export function postgresStore(tables: Kysely<Tables>, attempt: Attempt): Store {
  const underWay = new Map<string, Promise<unknown>>();
  const find = async (collection: string, id: string): Promise<Held | undefined> => {
    checkName(collection);
    checkName(id);
    return tables
      .selectFrom('documents')
      .select(['document', 'version'])
      .where('collection', '=', collection)
      .where('id', '=', id)
      .executeTakeFirst();
  };
  /** Whether the document is there as this write made it. */
  const insert = async (collection: string, id: string, document: string, version: string): Promise<boolean> => {
    const { numInsertedOrUpdatedRows } = await tables
      .insertInto('documents')
      .values({ collection, id, document, version })
      .onConflict((conflict) => conflict.columns(['collection', 'id']).doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n || (await find(collection, id))?.version === version;
  };
  const replace = async (collection: string, id: string, document: string, version: string, seen: string): Promise<boolean> => {
    const { numUpdatedRows } = await tables
      .updateTable('documents')
      .set({ document, version })
      .where('collection', '=', collection)
      .where('id', '=', id)
      .where('version', '=', seen)
      .executeTakeFirst();
    return numUpdatedRows === 1n || (await find(collection, id))?.version === version;
  };
  /** Tries until nobody else wrote between reading and writing. */
  const change = async <Document>(
    collection: string,
    id: string,
    pure: (document: Document | undefined) => Document | undefined,
  ): Promise<Document | undefined> => {
    for (;;) {
      const held = await attempt(() => find(collection, id));
      const before = held?.document as Document | undefined;
      const after = pure(before);
      if (after === undefined) return before;
      const text = jsonOf(after);
      const version = randomUUID();
      const isStored = await attempt(() =>
        held === undefined ? insert(collection, id, text, version) : replace(collection, id, text, version, held.version),
      );
      if (isStored) return after;
    }
  };
  return {
    get: async <Document>(collection: string, id: string) => (await attempt(() => find(collection, id)))?.document as Document | undefined,
    async put(collection, id, document) {
      checkName(collection);
      checkName(id);
      const row = { document: jsonOf(document), version: randomUUID() };
      await attempt(() =>
        tables
          .insertInto('documents')
          .values({ collection, id, ...row })
          .onConflict((conflict) => conflict.columns(['collection', 'id']).doUpdateSet(row))
          .execute(),
      );
    },
    async putIfAbsent(collection, id, document) {
      checkName(collection);
      checkName(id);
      const text = jsonOf(document);
      const version = randomUUID();
      return attempt(() => insert(collection, id, text, version));
    },
    // Writers in this process need not find out by failing that they are many.
    update: (collection, id, pure) => inTurn(underWay, `${collection}\0${id}`, () => change(collection, id, pure)),
    async remove(collection, id) {
      await attempt(() => tables.deleteFrom('documents').where('collection', '=', collection).where('id', '=', id).execute());
    },
    async removeBelow(collection, before, limit) {
      checkName(collection);
      checkName(before);
      const { numDeletedRows } = await attempt(() =>
        tables
          .deleteFrom('documents')
          .where('collection', '=', collection)
          .where('id', 'in', (query) =>
            query
              .selectFrom('documents')
              .select('id')
              .where('collection', '=', collection)
              .where('id', '<', before)
              .orderBy('id')
              .limit(limit),
          )
          .executeTakeFirst(),
      );
      return Number(numDeletedRows);
    },
    async list<Document>(collection: string, options: { readonly after?: string; readonly limit?: number } = {}) {
      if (options.limit === 0) return [];
      const rows = await attempt(() =>
        tables
          .selectFrom('documents')
          .select(['id', 'document'])
          .where('collection', '=', collection)
          .where('id', '>', options.after ?? '')
          .orderBy('id')
          .$if(options.limit !== undefined, (query) => query.limit(options.limit!))
          .execute(),
      );
      return rows.map(({ id, document }): [string, Document] => [id, document as Document]);
    },
    // The connections belong to who opened them.
    async close() {},
  };
}

function jsonOf(document: unknown): string {
  return JSON.stringify(document);
}
