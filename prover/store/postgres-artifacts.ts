import type { Kysely } from 'kysely';
import { type ArtifactStore, checkArtifactName } from '../../runtime/artifacts.ts';
import type { Attempt } from './attempt.ts';
import type { Tables } from './migrations.ts';

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
        tables.selectFrom('artifacts').select('bytes').where('kind', '=', kind).where('hash', '=', hash).executeTakeFirst(),
      );
      return row === undefined ? undefined : new Uint8Array(row.bytes);
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
