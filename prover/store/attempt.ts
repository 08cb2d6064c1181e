import { AssayError } from '../../core/errors.ts';

/** Runs SQL, again and again while the server is away. */
export type Attempt = <Result>(operation: () => Promise<Result>) => Promise<Result>;

const FIRST_PAUSE = 50;

/** Tries for `patience` milliseconds, while what fails may pass. @throws AssayError as `storeError` */
export async function tryFor<Result>(patience: number, url: string, operation: () => Promise<Result>): Promise<Result> {
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
const PASSING = /^(08...|57P0[1-5]|57014|53300|40001|40P01|55P03|E[A-Z_]+)$/;
const DISK_FULL = '53100';

/** Whether an error is of the connection or of the moment: the same again may work. */
function isPassing(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  // One of the two does not speak TLS as the other wants: that is somebody's setting.
  if (/^ERR_(TLS|SSL)_/.test(String(code)) || /support SSL/i.test(String(message))) return false;
  if (typeof code === 'string') return PASSING.test(code);
  return /timeout|terminated|connection|ended/i.test(String(message));
}

/** What PostgreSQL said, as one of the project's errors: DISK_FULL, STORE_UNREACHABLE, STORE_FAILED. */
export function storeError(url: string, error: unknown): AssayError {
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
    fix: 'check user, password, database, TLS (sslmode) and rights: the user must be allowed to create a schema and tables of its own',
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
