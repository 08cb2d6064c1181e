import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AssayError, type ErrorFacts } from '../core/errors.ts';

/** What a child sends. Errors travel as data: messages, never stacks. */
export type ChildMessage<Result> =
  | { readonly type: 'progress'; readonly phase: string; readonly done: number; readonly total: number }
  | { readonly type: 'result'; readonly result: Result }
  | { readonly type: 'error'; readonly message: string; readonly code: string; readonly facts: ErrorFacts; readonly fix: string | null };

export interface Progress {
  /** What is being done, in a few words. */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

export interface ChildOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Most resident memory of the child, in MiB; beyond it the child ends itself and the call fails. */
  readonly memoryMegabytes?: number | undefined;
}

const TSX = import.meta.resolve('tsx');
/** Exit code of a child that went over its memory cap. */
export const OVER_MEMORY = 86;

export function startChild(script: string, memoryMegabytes: number | undefined): ChildProcess {
  return fork(fileURLToPath(new URL(script, import.meta.url)), [], {
    execArgv: ['--import', TSX],
    serialization: 'advanced',
    // Standard output belongs to the command that called us.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...(memoryMegabytes === undefined ? {} : { ASSAY_CHILD_MEMORY: String(memoryMegabytes) }) },
  });
}

function ended(code: number | null, signal: string | null): AssayError {
  if (code === OVER_MEMORY) {
    return new AssayError('A proving process went over its memory cap', {
      code: 'CHILD_MEMORY',
      fix: 'raise the cap, or use a model with a smaller proving key',
    });
  }
  return new AssayError('A proving process ended early', {
    code: 'CHILD_ENDED',
    facts: { exit: code, signal },
    fix: 'check the machine for free memory, then try again',
  });
}

/**
 * Sends one request to a running child and waits for its result. snarkjs keeps threads alive and crashes inside worker threads, so
 * everything that touches it lives in a process of its own. On abort the child is killed.
 */
export function ask<Result>(child: ChildProcess, request: object, options: ChildOptions = {}): Promise<Result> {
  const { signal, onProgress } = options;
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const onMessage = (message: ChildMessage<Result>): void => {
      if (message.type === 'progress') onProgress?.({ phase: message.phase, done: message.done, total: message.total });
      else if (message.type === 'result') finish(() => resolve(message.result));
      else {
        const { code, facts, fix } = message;
        finish(() => reject(new AssayError(message.message, { code, facts, ...(fix === null ? {} : { fix }) })));
      }
    };
    const onExit = (code: number | null, by: string | null): void => finish(() => reject(ended(code, by)));
    const onAbort = (): void =>
      finish(() => {
        child.kill('SIGKILL');
        reject(new AssayError('Cancelled', { code: 'CANCELLED' }));
      });
    if (signal?.aborted) return onAbort();
    child.on('message', onMessage);
    child.on('exit', onExit);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.send(request);
  });
}

/** One request in a child of its own, which ends with it. */
export async function runChild<Result>(script: string, request: object, options: ChildOptions = {}): Promise<Result> {
  const child = startChild(script, options.memoryMegabytes);
  try {
    return await ask<Result>(child, request, options);
  } finally {
    child.kill('SIGKILL');
  }
}

const lingering = new Map<string, { child: ChildProcess; queue: Promise<unknown> }>();

/**
 * One request to a child that stays for the next ones: for short calls, whose cost is the start of a process. It does not keep its parent
 * alive and ends with it; after a failure of the process itself the next call starts another.
 */
export function askLingering<Result>(script: string, request: object, options: ChildOptions = {}): Promise<Result> {
  const known = lingering.get(script);
  const alive = known?.child.connected && !known.child.killed ? known : undefined;
  const entry = alive ?? { child: startChild(script, options.memoryMegabytes), queue: Promise.resolve() as Promise<unknown> };
  lingering.set(script, entry);
  const { child } = entry;
  const answer = entry.queue.then(async () => {
    child.ref();
    child.channel?.ref();
    try {
      return await ask<Result>(child, request, options);
    } finally {
      child.unref();
      child.channel?.unref();
    }
  });
  entry.queue = answer.catch(() => undefined);
  return answer;
}
