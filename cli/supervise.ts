import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AssayError } from '../core/errors.ts';
import { beforeExit, isEnding } from './cleanup.ts';

const launcher = path.join(path.dirname(fileURLToPath(import.meta.url)), 'assay.mjs');
const STOP_MILLISECONDS = 10_000;

export interface ChildOptions {
  /** How messages name it. */
  readonly name: string;
  /** Arguments to `assay`. */
  readonly arguments: readonly string[];
  /** Secrets go here, never into arguments, which other users of a machine can read. */
  readonly environment?: Readonly<Record<string, string>>;
  /** File that gets its standard error. */
  readonly log: string;
  /** Milliseconds until it must be ready. */
  readonly startTimeout?: number;
}

/** Another `assay` process that ends with this one, however this one ends. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Facts of its `ready` line. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Resolves with the exit code when it has ended; null when killed by a signal. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
  /** SIGKILL: for the tests of what survives it. */
  kill(): Promise<void>;
}

/**
 * Starts `assay …` and resolves once it has printed `{"event":"ready",…}`.
 * @throws AssayError CHILD_FAILED with what it said
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  // What is being ended starts nothing new.
  if (isEnding()) throw failed(options, 'is not started: this process is ending', '');
  const child = spawn(process.execPath, [launcher, ...options.arguments, '--json'], {
    // The channel closes when this process ends, even by SIGKILL; the child ends itself then (cli/cleanup.ts).
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...options.environment },
    // A Ctrl-C on the terminal reaches this process alone, which then stops its children in order.
    detached: true,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= end(child, ended);
    return stopping;
  };
  const forget = beforeExit(stop);
  void ended.then(forget);
  const log = createWriteStream(options.log, { flags: 'a' });
  child.stderr!.pipe(log);
  try {
    const facts = await ready(child, ended, options);
    return {
      name: options.name,
      pid: child.pid ?? 0,
      facts,
      ended,
      stop,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MILLISECONDS);
  await ended;
  clearTimeout(force);
}

function ready(child: ChildProcess, ended: Promise<number | null>, options: ChildOptions): Promise<Readonly<Record<string, unknown>>> {
  let said = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failed(options, 'was not ready in time', said)), options.startTimeout ?? 60_000);
    void ended.then(() => {
      clearTimeout(timer);
      // Its last words may still be on their way.
      setTimeout(() => reject(failed(options, 'ended before it was ready', said)), 50);
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const message = parseLine(line);
      if (message?.event === 'ready') {
        clearTimeout(timer);
        resolve(message);
      } else said = (said + line).slice(-2_000);
    });
  });
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The child's own error, where it gave one, is the one to show. */
function failed(options: ChildOptions, what: string, said: string): AssayError {
  const error = parseLine(said)?.error as { code?: string; message?: string; fix?: string; facts?: Record<string, string> } | undefined;
  if (error?.code !== undefined && error.message !== undefined) {
    return new AssayError(error.message, {
      code: error.code,
      facts: { process: options.name, ...error.facts },
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
  }
  return new AssayError(`The process ${options.name} ${what}`, {
    code: 'CHILD_FAILED',
    facts: { log: options.log, said: said.slice(-300) },
    fix: 'read its log',
  });
}
