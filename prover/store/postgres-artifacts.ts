import { type Kysely, sql } from 'kysely';
import { type ArtifactStore, checkArtifactName } from '../../runtime/artifacts.ts';
import type { Attempt } from './attempt.ts';
import type { Tables } from './migrations.ts';

/** The driver reads text alone, by default two hex digits a byte. This is a third less, which the collector of garbage feels with large inputs. */
const BASE64 = sql<string>`encode(bytes, 'base64')`;

/** Artifacts in a table, for nodes on several machines. */
export function postgresArtifacts(tables: Kysely<Tables>, attempt: Attempt): ArtifactStore {
  return {
    async has(kind, hash) {
      checkArtifactName(kind, hash);
      const row = await attempt(() =>
        tables.selectFrom('artifacts').select('hash').where('kind', '=', kind).where('hash', '=', hash).executeTakeFirst(),
      );
      return row !== undefined;
    },
    async get(kind, hash) {
      checkArtifactName(kind, hash);
      const row = await attempt(() =>
        tables.selectFrom('artifacts').select(BASE64.as('text')).where('kind', '=', kind).where('hash', '=', hash).executeTakeFirst(),
      );
      return row === undefined ? undefined : bytesOf(row.text);
    },
    async put(kind, hash, bytes) {
      checkArtifactName(kind, hash);
      const row = { kind, hash, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
      await attempt(() =>
        tables
          .insertInto('artifacts')
          .values(row)
          .onConflict((conflict) => conflict.columns(['kind', 'hash']).doNothing())
          .execute(),
      );
    },
    async remove(kind, hash) {
      checkArtifactName(kind, hash);
      await attempt(() => tables.deleteFrom('artifacts').where('kind', '=', kind).where('hash', '=', hash).execute());
    },
  };
}

function bytesOf(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
