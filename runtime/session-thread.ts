import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { AssayError, type ErrorFacts, invariant } from '../core/errors.ts';
import type { TypedArray } from '../core/tensor.ts';
import { openModel, type SessionOptions } from './session.ts';

/** What a thread is started with. */
export interface ThreadData {
  /** Bytes of a program file. */
  readonly source: Uint8Array;
  readonly options: SessionOptions;
}

export interface ThreadRequest {
  readonly id: number;
  readonly what: 'run' | 'trace' | 'close';
  readonly inputs: readonly TypedArray[];
}

/** Errors travel as data: a class does not survive the way. */
export interface ThreadError {
  readonly message: string;
  readonly code: string;
  readonly facts: ErrorFacts;
  readonly fix: string | null;
}

/** Request 0 is the opening. */
export type ThreadAnswer =
  | { readonly id: number; readonly tensors: readonly TypedArray[] }
  | { readonly id: number; readonly error: ThreadError };

const OPENING = 0;

function dataOf(error: unknown): ThreadError {
  if (!(error instanceof AssayError)) return { message: String(error), code: 'RUNTIME_THREAD', facts: {}, fix: null };
  const { message, code, facts, fix } = error;
  return { message, code, facts, fix: fix ?? null };
}

/** Runs a model on this thread: onnxruntime computes on the thread that calls it, and keeps it until it has done. */
async function serve(port: MessagePort, { source, options }: ThreadData): Promise<void> {
  const answer = (message: ThreadAnswer): void => port.postMessage(message);
  try {
    const session = await openModel(source, options);
    answer({ id: OPENING, tensors: [] });
    port.on('message', ({ id, what, inputs }: ThreadRequest) => {
      const done = what === 'close' ? session.close().then(() => []) : session[what](inputs);
      done.then(
        (tensors) => {
          answer({ id, tensors });
          if (what === 'close') port.close();
        },
        (error: unknown) => answer({ id, error: dataOf(error) }),
      );
    });
  } catch (error) {
    answer({ id: OPENING, error: dataOf(error) });
  }
}

invariant(parentPort !== null, 'this file is the start of a thread');
await serve(parentPort, workerData as ThreadData);
