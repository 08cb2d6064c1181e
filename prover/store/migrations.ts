import { type ColumnType, type Kysely, type Migration, type MigrationProvider, Migrator, sql } from 'kysely';
import { AssayError } from '../../core/errors.ts';

/** What lies in the database at its latest version. */
export interface Tables {
  documents: {
    collection: string;
    id: string;
    /** JSON text going in, the value coming out. */
    document: ColumnType<unknown, string, string>;
    /** A new one with every write, chosen by the writer: it tells whether a write whose answer was lost came to pass. */
    version: string;
  };
  artifacts: {
    kind: string;
    hash: string;
    bytes: Buffer;
  };
}

/**
 * Steps from an empty schema to the latest, by name. A step that was released is never changed: another one follows it.
 * Names are compared by bytes, as the embedded store does; `json` and not `jsonb` keeps a document exactly as it was given.
 */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_documents_and_artifacts': {
    async up(database: Kysely<unknown>): Promise<void> {
      const name = sql`text collate "C"`;
      await database.schema
        .createTable('documents')
        .addColumn('collection', name, (column) => column.notNull())
        .addColumn('id', name, (column) => column.notNull())
        .addColumn('document', 'json', (column) => column.notNull())
        .addColumn('version', 'uuid', (column) => column.notNull())
        .addPrimaryKeyConstraint('documents_key', ['collection', 'id'])
        .execute();
      await database.schema
        .createTable('artifacts')
        .addColumn('kind', name, (column) => column.notNull())
        .addColumn('hash', name, (column) => column.notNull())
        .addColumn('bytes', 'bytea', (column) => column.notNull())
        .addPrimaryKeyConstraint('artifacts_key', ['kind', 'hash'])
        .execute();
    },
  },
};

/** Steps that this version knows, in order. */
export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/**
 * Brings a schema to this version, one process at a time.
 * @throws AssayError STORE_NEWER when a later version of the node has been there
 */
export async function migrate(database: Kysely<Tables>, schema: string): Promise<void> {
  const provider: MigrationProvider = { getMigrations: async () => ({ ...MIGRATIONS }) };
  await refuseNewer(database, schema);
  const migrator = new Migrator({ db: database.withSchema(schema), provider, migrationTableSchema: schema });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

async function refuseNewer(database: Kysely<Tables>, schema: string): Promise<void> {
  const { rows } = await sql<{ present: boolean }>`select to_regclass(${`"${schema}".kysely_migration`}) is not null as present`.execute(
    database,
  );
  if (rows[0]?.present !== true) return;
  const done = await sql<{ name: string }>`select name from ${sql.id(schema, 'kysely_migration')} order by name`.execute(database);
  const unknown = done.rows.find(({ name }) => !Object.hasOwn(MIGRATIONS, name));
  if (unknown === undefined) return;
  throw new AssayError('The database was brought to a later version than this program knows', {
    code: 'STORE_NEWER',
    facts: { schema, step: unknown.name.slice(0, 100), known: Object.keys(MIGRATIONS).at(-1)! },
    fix: 'run the version that the other nodes on this database run',
  });
}
