import { Kysely, PostgresDialect } from 'kysely';
import { Client, Pool, type PoolConfig } from 'pg';
import { AssayError } from '../../core/errors.ts';
import type { ArtifactStore } from '../../runtime/artifacts.ts';
import type { Log } from '../../runtime/log.ts';
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

/** Runs SQL, again and again while the server is away. */
export type Attempt = <Result>(operation: () => Promise<Result>) => Promise<Result>;

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
const FIRST_PAUSE = 50;

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

async function tryFor<Result>(patience: number, url: string, operation: () => Promise<Result>): Promise<Result> {
  const end = performance.now() + patience;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, 1_000)) {
    try {
      return await operation();
    } catch (error) {
      if (error instanceof AssayError) throw error;
      const isOver = performance.now() + pause > end;
      if (isOver || !isPassing(error)) throw storeError(url, error);
      // Spread: those who met must not meet again.
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
    }
  }
}

/** SQLSTATE classes and codes that say: not now. */
const PASSING = /^(08...|57P0[1-5]|57014|53300|40001|40P01|55P03|E[A-Z]+)$/;
const DISK_FULL = '53100';

/** Whether an error is of the connection or of the moment: the same again may work. */
function isPassing(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return PASSING.test(code);
  return /timeout|terminated|connection|ended/i.test(String(message));
}

function storeError(url: string, error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  // Of the cause its words alone: pg's errors can carry values of the query.
  const facts = { database: hostOf(url), reason: String(message).slice(0, 300) };
  if (code === DISK_FULL) {
    return new AssayError('The disk of the PostgreSQL server is full', {
      code: 'DISK_FULL',
      facts,
      fix: 'free some space; what was acknowledged is kept, and writing goes on without a restart',
    });
  }
  if (isPassing(error)) {
    return new AssayError('The PostgreSQL server does not answer', {
      code: 'STORE_UNREACHABLE',
      facts,
      fix: 'check that it runs and DATABASE_URL; work goes on by itself when it is back',
    });
  }
  return new AssayError('The PostgreSQL server refuses', {
    code: 'STORE_FAILED',
    facts: { ...facts, sqlstate: typeof code === 'string' ? code : null },
    fix: 'check user, password, database and rights: the user must be allowed to create a schema and tables of its own',
  });
}

function hostOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  } catch {
    return 'unreadable address';
  }
}
