import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AssayError } from '../core/errors.ts';
import { beforeExit } from './cleanup.ts';

const MEBIBYTE = 1 << 20;
/** Largest ONNX model, and largest file of external weights. */
export const MODEL_LIMIT = 512 * MEBIBYTE;
/** Largest file of cases: it is parsed as one JSON text. */
export const CASES_LIMIT = 448 * MEBIBYTE;
/** Largest proof or list of public signals. */
export const PROOF_LIMIT = MEBIBYTE;

export interface InputFile {
  /** What the file is to the reader of an error: "The model", "The proof". */
  readonly what: string;
  readonly limit: number;
  /** How to get such a file, or what to check. */
  readonly fix?: string;
}

/**
 * Reads a regular file whole; a folder, a device, a missing or oversized file is an error of its own, before anything is read.
 * @throws AssayError FILE_MISSING, FILE_UNUSABLE, FILE_TOO_LARGE
 */
export async function readInputFile(file: string, { what, limit, fix }: InputFile): Promise<Uint8Array> {
  const found = await stat(file).catch((cause: unknown) => {
    throw unusable(file, what, cause, fix);
  });
  if (!found.isFile()) {
    throw new AssayError(`${what} is ${found.isDirectory() ? 'a folder' : 'not a regular file'}`, {
      code: 'FILE_UNUSABLE',
      facts: { file },
      fix: fix ?? 'give the path of the file itself',
    });
  }
  if (found.size > limit) {
    throw new AssayError(`${what} is too large`, {
      code: 'FILE_TOO_LARGE',
      facts: { file, bytes: found.size, limit },
      fix: fix ?? 'give a smaller file',
    });
  }
  return readFile(file).catch((cause: unknown) => {
    throw unusable(file, what, cause, fix);
  });
}

/** As readInputFile, for text. @throws AssayError FILE_NOT_TEXT besides */
export async function readInputText(file: string, options: InputFile): Promise<string> {
  const bytes = await readInputFile(file, options);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AssayError(`${options.what} is not text in UTF-8`, {
      code: 'FILE_NOT_TEXT',
      facts: { file },
      fix: options.fix ?? 'give a JSON file',
      cause,
    });
  }
}

/** As readInputText, for JSON. @throws AssayError FILE_NOT_JSON besides */
export async function readInputJson(file: string, options: InputFile): Promise<unknown> {
  const text = await readInputText(file, options);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AssayError(`${options.what} is not JSON`, {
      code: 'FILE_NOT_JSON',
      facts: { file, bytes: text.length },
      fix: options.fix ?? 'give a JSON file',
      cause,
    });
  }
}

function unusable(file: string, what: string, cause: unknown, fix: string | undefined): AssayError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  if (reason === 'ENOENT') {
    return new AssayError(`${what} does not exist`, { code: 'FILE_MISSING', facts: { file }, fix: fix ?? 'check the path', cause });
  }
  return new AssayError(`${what} cannot be read`, {
    code: 'FILE_UNUSABLE',
    facts: { file, reason },
    fix: fix ?? 'check the path and its permissions',
    cause,
  });
}

/** A name beside `target` that nobody else uses; on the same file system, so that a rename moves it into place at once. */
function partialName(target: string): string {
  return `${target}.partial-${randomBytes(4).toString('hex')}`;
}

/** Writes a whole file or nothing: beside its place first, then moved there. Makes the folder it lies in. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const partial = partialName(path.resolve(file));
  await mkdir(path.dirname(partial), { recursive: true });
  const forget = beforeExit(() => rm(partial, { force: true }));
  try {
    const handle = await open(partial, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    forget();
  }
}

export interface FolderTarget {
  /** Whether a folder with these entries is one that this program wrote and may replace. */
  readonly isOurs: (entries: readonly string[]) => boolean;
  /** Replace a folder of ours. */
  readonly force: boolean;
}

/**
 * Refuses a target that holds something: before the hours of work, not after them.
 * @throws AssayError OUTPUT_EXISTS, OUTPUT_FOREIGN
 */
export async function checkFolderTarget(folder: string, { isOurs, force }: FolderTarget): Promise<void> {
  const entries = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new AssayError('The output folder cannot be used', {
      code: 'OUTPUT_FOREIGN',
      facts: { folder, reason: cause.code ?? '' },
      fix: 'name a folder that does not exist yet',
      cause,
    });
  });
  if (entries === undefined || entries.length === 0) return;
  if (!isOurs(entries)) {
    throw new AssayError('The output folder holds files of another origin', {
      code: 'OUTPUT_FOREIGN',
      facts: { folder, entries: entries.length },
      fix: 'name a folder that does not exist yet; this one is never replaced',
    });
  }
  if (!force) {
    throw new AssayError('The output folder holds a compiled model', {
      code: 'OUTPUT_EXISTS',
      facts: { folder },
      fix: 'add --force to replace it, keys included, or name another folder',
    });
  }
}

/**
 * Fills a folder whole or not at all: `fill` writes into a folder beside the target, which then takes its place.
 * @throws AssayError OUTPUT_EXISTS, OUTPUT_FOREIGN, and whatever `fill` throws
 */
export async function writeFolder(folder: string, target: FolderTarget, fill: (partial: string) => Promise<void>): Promise<void> {
  await checkFolderTarget(folder, target);
  const place = path.resolve(folder);
  const partial = partialName(place);
  const remove = (): Promise<void> => rm(partial, { recursive: true, force: true });
  const forget = beforeExit(remove);
  try {
    await mkdir(partial, { recursive: true });
    await fill(partial);
    await checkFolderTarget(folder, target);
    await exchange(partial, place);
  } finally {
    await remove();
    forget();
  }
}

/** Moves `partial` to `place`; what was there is put back should that fail, and removed otherwise. */
async function exchange(partial: string, place: string): Promise<void> {
  const old = partialName(place);
  const replaced = await rename(place, old).then(
    () => true,
    () => false,
  );
  try {
    await rename(partial, place);
  } catch (error) {
    if (replaced) await rename(old, place);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
