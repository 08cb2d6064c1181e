import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { AssayError } from '../core/errors.ts';

/** No space, over a quota, over a limit of file size: as names (Node) and as numbers (LMDB). */
const NAMES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const { ENOSPC, EDQUOT, EFBIG } = constants.errno;
const NUMBERS: ReadonlySet<unknown> = new Set([ENOSPC, EDQUOT, EFBIG]);

/**
 * Bytes kept free, more than all that is ever on its way to the disk: lmdb does not outlive a commit that found no space, so it is not
 * brought there. What was acknowledged is safe either way.
 */
export const RESERVE = 16 << 20;

/** Whether an error says that there was no space to write. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return NAMES.has(code) || NUMBERS.has(code);
}

/** Bytes that this user may still write below a directory. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** @throws AssayError DISK_FULL when less than the reserve is free */
export function keepReserve(directory: string, reserve: number): void {
  if (freeBytes(directory) < reserve) throw diskFull(directory);
}

export function diskFull(directory: string, cause?: unknown): AssayError {
  return new AssayError('The disk of the state directory is full', {
    code: 'DISK_FULL',
    facts: { directory, freeBytes: freeBytes(directory) },
    fix: 'free some space; what was acknowledged is kept, and writing goes on without a restart',
    ...(cause === undefined ? {} : { cause }),
  });
}
