import { Worker } from 'node:worker_threads';
import { AssayError, invariant } from '../core/errors.ts';
import { decodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import type { TypedArray } from '../core/tensor.ts';
import type { ModelSession, SessionOptions } from './session.ts';
import type { ThreadAnswer, ThreadData, ThreadError, ThreadRequest } from './session-thread.ts';

interface Pending {
  resolve(tensors: TypedArray[]): void;
  reject(error: AssayError): void;
}

const START = new URL('./thread.mjs', import.meta.url);
const SCRIPT = new URL('./session-thread.ts', import.meta.url).href;

/**
 * A model on a thread of its own: the caller's goes on while onnxruntime computes. Costs some 50 MiB and half a second to open, and a copy
 * of inputs and outputs a call (some 50 µs and more): for models that compute for milliseconds.
 * @param source bytes of a program file
 * @throws AssayError as `openModel`; RUNTIME_THREAD when the thread ended
 */
export async function openThreadedModel(source: Uint8Array, options: SessionOptions = {}): Promise<ModelSession> {
  const program = decodeProgram(source);
  const thread = new SessionThread({ source, options });
  try {
    await thread.opened;
  } catch (error) {
    await thread.end();
    throw error;
  }
  return thread.sessionOf(program);
}

class SessionThread {
  readonly opened: Promise<unknown>;
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private readonly exited: Promise<void>;
  private sent = 0;
  private ended: AssayError | undefined;

  constructor(data: ThreadData) {
    this.worker = new Worker(START, { workerData: { script: SCRIPT, ...data } });
    this.opened = this.answerTo(0);
    this.worker.on('message', (answer: ThreadAnswer) => this.answered(answer));
    this.worker.on('error', (error) => this.lost(error.message));
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.lost('it ended');
        resolve();
      });
    });
  }

  sessionOf(program: Program): ModelSession {
    let closing: Promise<void> | undefined;
    const ask = (what: ThreadRequest['what'], inputs: readonly TypedArray[]): Promise<TypedArray[]> => {
      invariant(closing === undefined, 'a closed model session was used');
      return this.ask(what, inputs);
    };
    const close = async (): Promise<void> => {
      // A thread that ended by itself has nothing left to free.
      await this.ask('close', []).catch(() => undefined);
      await this.exited;
    };
    return {
      program,
      run: (inputs) => ask('run', inputs),
      trace: (inputs) => ask('trace', inputs),
      close: () => (closing ??= close()),
    };
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private ask(what: ThreadRequest['what'], inputs: readonly TypedArray[]): Promise<TypedArray[]> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    const id = ++this.sent;
    const answer = this.answerTo(id);
    this.worker.postMessage({ id, what, inputs } satisfies ThreadRequest);
    return answer;
  }

  private answerTo(id: number): Promise<TypedArray[]> {
    return new Promise((resolve, reject) => this.pending.set(id, { resolve, reject }));
  }

  private answered(answer: ThreadAnswer): void {
    const pending = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if ('error' in answer) pending?.reject(errorOf(answer.error));
    else pending?.resolve([...answer.tensors]);
  }

  private lost(reason: string): void {
    this.ended ??= new AssayError('The thread that runs a model has ended', {
      code: 'RUNTIME_THREAD',
      facts: { reason },
      fix: 'check the machine for free memory; the next start opens it again',
    });
    for (const { reject } of this.pending.values()) reject(this.ended);
    this.pending.clear();
  }
}

function errorOf({ message, code, facts, fix }: ThreadError): AssayError {
  return new AssayError(message, { code, facts, ...(fix === null ? {} : { fix }) });
}
