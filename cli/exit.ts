import path from 'node:path';
import { CommanderError } from 'commander';
import { AssayError } from '../core/errors.ts';
import { revertOf } from '../runtime/log.ts';

/** 0 success, 1 a negative verdict, 2 wrong use or unreadable input. */
export type ExitCode = 0 | 1 | 2;

/** Errors that are a verdict about what was given; every other one says that it could not be read or used at all. */
const VERDICTS: ReadonlySet<string> = new Set([
  'ACCURACY_LOST',
  'ANSWER_FAULTED',
  'DEMO_FAILED',
  'KEY_REFUSED',
  'MODEL_REFUSED',
  'NOT_IN_ZK_TIER',
  'PROGRAM_INVALID',
  'RECEIPT_INVALID',
  'SELFTEST_FAILED',
  'STEP_DIFFERS',
  'STEP_TOO_LARGE',
]);

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof AssayError && VERDICTS.has(error.code) ? 1 : 2;
}

/** Any thrown value as the one error that users see. */
export function presentable(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  if (error instanceof CommanderError)
    return new AssayError(error.message.replace(/^error: /, '').replaceAll('\n', ' '), { code: 'USAGE', fix: 'see `assay --help`' });
  const system = error as NodeJS.ErrnoException;
  if (system?.code === 'ENOENT' || system?.code === 'EACCES' || system?.code === 'EISDIR' || system?.code === 'ENOTDIR') {
    return new AssayError('A file cannot be read or written', {
      code: 'FILE_UNUSABLE',
      facts: { file: system.path ?? '', reason: system.code },
      fix: 'check the path and its permissions',
      cause: error,
    });
  }
  if (system?.code === 'ENOSPC') {
    return new AssayError('The disk is full', {
      code: 'DISK_FULL',
      facts: { file: system.path ?? '' },
      fix: 'free some space',
      cause: error,
    });
  }
  // Loaded where a command wants it: cli/assay.mjs has not looked for it.
  const missing = system?.code === 'ERR_MODULE_NOT_FOUND' ? /Cannot find package '([^']+)'/.exec(system.message)?.[1] : undefined;
  if (missing !== undefined) {
    const folder = path.dirname(import.meta.dirname);
    return new AssayError('A package that this program needs is not installed', {
      code: 'NOT_INSTALLED',
      facts: { package: missing, folder },
      fix: `run \`npm install\` in ${folder}`,
      cause: error,
    });
  }
  const rpc = error as { shortMessage?: string; name?: string; walk?: unknown };
  if (typeof rpc?.walk === 'function') return chainError(rpc.name ?? '', rpc.shortMessage ?? '', error);
  return new AssayError(`Something unforeseen happened: ${error instanceof Error ? firstLine(error.message) : String(error)}`, {
    code: 'INTERNAL',
    fix: 'this is a defect: please report it with the command that led here (ASSAY_DEBUG=1 prints the stack)',
    cause: error,
  });
}

/** viem's errors: short message only, for an RPC URL may carry an API key. */
function chainError(name: string, message: string, cause: unknown): AssayError {
  const unreachable = /HTTP request failed|fetch failed|timed out|took too long/i.test(`${name} ${message}`);
  const revert = revertOf(cause);
  return new AssayError(unreachable ? 'The chain does not answer' : `The chain refused: ${firstLine(message)}`, {
    code: unreachable ? 'CHAIN_UNREACHABLE' : 'CHAIN_REFUSED',
    ...(revert === undefined ? {} : { facts: { revert: revert.slice(0, 200) } }),
    fix: unreachable ? 'check --rpc, and that the chain runs' : 'check the arguments, balances and the state of what is named',
    cause,
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
