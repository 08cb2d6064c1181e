import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { buildCarrier } from '../core/carrier/carrier.ts';
import { AssayError } from '../core/errors.ts';
import { decodeProgram, encodeProgram } from '../core/program/codec.ts';
import { LIMITS, type Program } from '../core/program/types.ts';

/** Names of the files in a model's directory; after `assay setup` come the circuit and its keys. */
export const MODEL_FILES = { program: 'program.assay', carrier: 'carrier.onnx', report: 'report.json' } as const;

const REPORT_LIMIT = 16 << 20;
const CARRIER_LIMIT = 2 ** 31;

/** What `assay compile` leaves behind. */
export interface ModelDirectory {
  readonly directory: string;
  readonly program: Program;
  /** Exactly the bytes of program.assay. */
  readonly programBytes: Uint8Array;
  /** The parsed report, unchecked; undefined without one. */
  readonly report: unknown;
}

/** Reads a regular file of at most `limit` bytes; undefined when there is none. */
async function readBounded(file: string, limit: number): Promise<Uint8Array | undefined> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' || (cause as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw new AssayError('A file of the model cannot be read', {
      code: 'FILE_UNUSABLE',
      facts: { file },
      fix: 'check its permissions',
      cause,
    });
  }
  if (!found.isFile() || found.size > limit) {
    throw new AssayError('A file of the model is not a regular file of a sensible size', {
      code: 'FILE_TOO_LARGE',
      facts: { file, bytes: Number(found.size), limit },
      fix: 'compile the model again with `assay compile`',
    });
  }
  const bytes = await readFile(file);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Writes beside the place, syncs, then moves: a reader sees the old file or the new one, never half of one. */
export async function writeAtomically(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads and fully validates a model's directory. The carrier in it is for people and other tools: sessions generate their own.
 * @throws AssayError FILE_MISSING, FILE_TOO_LARGE, FILE_UNUSABLE, PROGRAM_MALFORMED, PROGRAM_INVALID, REPORT_MALFORMED
 */
export async function readModelDirectory(directory: string): Promise<ModelDirectory> {
  const file = path.join(directory, MODEL_FILES.program);
  const programBytes = await readBounded(file, LIMITS.programBytes);
  if (programBytes === undefined) {
    throw new AssayError('There is no compiled model', {
      code: 'FILE_MISSING',
      facts: { file },
      fix: 'give the directory that `assay compile … --out DIR` wrote',
    });
  }
  const program = decodeProgram(programBytes);
  return { directory, program, programBytes, report: await readReport(path.join(directory, MODEL_FILES.report)) };
}

async function readReport(file: string): Promise<unknown> {
  const bytes = await readBounded(file, REPORT_LIMIT);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new AssayError('The report is not JSON', { code: 'REPORT_MALFORMED', facts: { file }, fix: 'compile the model again', cause });
  }
}

/**
 * Writes program.assay, carrier.onnx and report.json, each atomically, the program last: a directory with a program is complete.
 * @returns the bytes of program.assay
 * @throws AssayError CARRIER_TOO_LARGE
 */
export async function writeModelDirectory(directory: string, program: Program, report: unknown): Promise<Uint8Array> {
  const programBytes = encodeProgram(program);
  const carrier = buildCarrier(program);
  await mkdir(directory, { recursive: true });
  await writeAtomically(path.join(directory, MODEL_FILES.carrier), carrier);
  await writeAtomically(path.join(directory, MODEL_FILES.report), new TextEncoder().encode(`${JSON.stringify(report, null, 2)}\n`));
  await writeAtomically(path.join(directory, MODEL_FILES.program), programBytes);
  return programBytes;
}

/**
 * Compares carrier.onnx with what the program generates: carriers have one spelling.
 * @throws AssayError CARRIER_MISMATCH, FILE_MISSING
 */
export async function checkCarrier(model: ModelDirectory): Promise<void> {
  const file = path.join(model.directory, MODEL_FILES.carrier);
  const found = await readBounded(file, CARRIER_LIMIT);
  if (found === undefined)
    throw new AssayError('There is no carrier', { code: 'FILE_MISSING', facts: { file }, fix: 'compile the model again' });
  if (Buffer.compare(found, buildCarrier(model.program)) !== 0) {
    throw new AssayError('The carrier is not the one that the program generates', {
      code: 'CARRIER_MISMATCH',
      facts: { file },
      fix: 'do not run it: it computes something else, or comes from another version; compile the model again',
    });
  }
}
