import { Kysely, PostgresDialect } from 'kysely';
import { Client, Pool, type PoolConfig } from 'pg';
import type { AssayError } from '../../core/errors.ts';
import type { ArtifactStore } from '../../runtime/artifacts.ts';
import type { Log } from '../../runtime/log.ts';
import { type Attempt, storeError, tryFor } from './attempt.ts';
import { migrate, type Tables } from './migrations.ts';
import type { Store } from './port.ts';
import { postgresArtifacts } from './postgres-artifacts.ts';
import { type HeldLock, holdLock } from './postgres-lock.ts';
import { postgresStore } from './postgres-store.ts';

export interface PostgresOptions {
  /** postgres:// with user and password; never logged. */
  readonly url: string;
  /** PostgreSQL schema that holds the tables: one for each deployment and stake that shares the database. */
  readonly schema?: string;
  readonly log: Log;
  /** Milliseconds for which an operation is tried again while the server is away. */
  readonly patience?: number;
  readonly connections?: number;
}

/** A PostgreSQL that keeps documents and artifacts for any number of processes. */
export interface Postgres {
  readonly store: Store;
  readonly artifacts: ArtifactStore;
  /**
   * Holds a name alone among all processes on this database, until released or lost; waits for a holder that is just ending.
   * @param onLost the connection that held it broke and another process may have it: stop doing what it stands for
   * @throws AssayError LOCK_HELD, STORE_UNREACHABLE
   */
  hold(name: string, onLost: (error: AssayError) => void): Promise<HeldLock>;
  close(): Promise<void>;
}

const PATIENCE = 10_000;

/**
 * Opens the store on a PostgreSQL (12 or later) and brings its tables to this version.
 * @throws AssayError STORE_UNREACHABLE, STORE_FAILED, STORE_NEWER
 */
export async function openPostgres(options: PostgresOptions): Promise<Postgres> {
  const { url, schema = 'assay', log, patience = PATIENCE } = options;
  const connection: PoolConfig = {
    connectionString: url,
    application_name: 'assay',
    connectionTimeoutMillis: Math.min(5_000, patience),
    // A server that was paused, or whose machine is gone, closes no connection.
    query_timeout: Math.min(5_000, patience),
    keepAlive: true,
  };
  const pool = new Pool({ ...connection, max: options.connections ?? 10 });
  // An idle connection broke: the next query opens another one.
  // One in use: its query says so. Without a listener either would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => log.debug({ reason: error.message }, 'a connection to PostgreSQL ended'));
  const database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const tables = database.withSchema(schema);
  const attempt: Attempt = (operation) => tryFor(patience, url, operation);
  try {
    await attempt(() => migrate(database, schema));
    const store = postgresStore(tables, attempt);
    return {
      store,
      artifacts: postgresArtifacts(tables, attempt),
      hold: (name, onLost) => {
        const report = (error: unknown): void => onLost(storeError(url, error));
        return attempt(() => holdLock(() => new Client({ ...connection, query_timeout: 2_000 }), `${schema}/${name}`, report));
      },
      close: () => database.destroy(),
    };
  } catch (error) {
    await database.destroy();
    throw error;
  }
}
