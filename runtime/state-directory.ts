import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { AssayError } from '../core/errors.ts';
import { holdDirectory } from './directory-hold.ts';
import { diskFull, isDiskFull, keepReserve, RESERVE } from './disk-full.ts';

/** Layout version of everything below a state directory. */
export const STATE_VERSION = 2;

/** A process's own directory: one database, versioned, held by one process at a time. */
export interface StateDirectory {
  readonly directory: string;
  readonly database: RootDatabase<unknown, string[]>;
  /**
   * Resolves when what the operation writes is on the disk; operations under way at the same time share one commit. Where space is
   * short nothing is written, and later ones go on as soon as there is some.
   * @param isRemoval it takes away: that may use what is kept free
   * @throws AssayError DISK_FULL, STATE_UNWRITABLE
   */
  write<Result>(operation: (database: RootDatabase<unknown, string[]>) => Promise<Result>, isRemoval?: boolean): Promise<Result>;
  /** Flushes and lets go of the directory; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens (creating) the state of a process. What was written and awaited survives `kill -9`.
 * @param kind name of the process the directory belongs to; another's directory is refused
 * @param reserve bytes of the disk that are left free
 * @throws AssayError STATE_IN_USE, STATE_VERSION, STATE_FOREIGN, STATE_UNWRITABLE
 */
export function openStateDirectory(directory: string, kind: string, reserve = RESERVE): StateDirectory {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  const release = hold(directory);
  try {
    checkVersion(directory, kind);
    const database = open<unknown, string[]>({
      path: path.join(directory, 'state.lmdb'),
      encoding: 'msgpack',
      noMemInit: true,
      separateFlushed: true,
    });
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await database.flushed;
      await database.close();
      release();
    };
    const write = async <Result>(operation: (held: typeof database) => Promise<Result>, isRemoval = false): Promise<Result> => {
      if (!isRemoval) keepReserve(directory, reserve);
      const written: Written<Result> = operation(database);
      const result = await written.catch((error: unknown) => writeFailed(directory, error));
      await (written.flushed ?? database.flushed);
      return result;
    };
    return { directory, database, write, close: () => (closing ??= close()) };
  } catch (error) {
    release();
    throw error instanceof AssayError ? error : unwritable(directory, error);
  }
}

/**
 * What lmdb answers a write with. Its own flush is over before that of the database, which is over when whatever was written meanwhile
 * is flushed as well: waiting for that one took up to twice as long.
 */
interface Written<Result> extends Promise<Result> {
  readonly flushed?: Promise<unknown>;
}

function hold(directory: string): () => void {
  try {
    return holdDirectory(directory);
  } catch (error) {
    throw error instanceof AssayError ? error : unwritable(directory, error);
  }
}

function checkVersion(directory: string, kind: string): void {
  const file = path.join(directory, 'version');
  const expected = `${kind} ${STATE_VERSION}\n`;
  let found: string;
  try {
    found = readFileSync(file, 'utf8');
  } catch {
    writeFileSync(file, expected, { mode: 0o600 });
    return;
  }
  const [owner, version] = found.trim().split(' ');
  if (owner !== kind) {
    throw new AssayError('The state directory belongs to another kind of process', {
      code: 'STATE_FOREIGN',
      facts: { directory, found: printable(owner), expected: kind },
      fix: 'give this process a directory of its own with --data',
    });
  }
  if (Number(version) !== STATE_VERSION) {
    throw new AssayError('The state directory was written by another version', {
      code: 'STATE_VERSION',
      facts: { directory, found: printable(version), known: STATE_VERSION },
      fix: 'run the version that wrote it until it has no open work, then start this one on a new directory',
    });
  }
}

function printable(word: string | undefined): string {
  return (word ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, 40);
}

function unwritable(directory: string, cause: unknown): AssayError {
  return new AssayError('The state directory cannot be used', {
    code: 'STATE_UNWRITABLE',
    facts: { directory, reason: cause instanceof Error ? cause.message : String(cause) },
    fix: 'check that the path is a directory this user may write and that the disk is not full',
    cause,
  });
}

/** lmdb says aside why a commit failed. */
async function writeFailed(directory: string, error: unknown): Promise<never> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (commitError === undefined) throw error;
  const cause: unknown = await commitError.catch((reason: unknown) => reason);
  throw isDiskFull(cause) ? diskFull(directory, cause) : unwritable(directory, cause);
}
