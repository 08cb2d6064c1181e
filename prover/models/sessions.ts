import { availableParallelism } from 'node:os';
import { AssayError } from '../../core/errors.ts';
import type { Program } from '../../core/program/types.ts';
import { allocate, type TypedArray } from '../../core/tensor.ts';
import { inputForms } from '../../core/tensor-list.ts';
import { type ModelSession, openModel, type SessionOptions } from '../../runtime/session.ts';
import { openThreadedModel } from '../../runtime/threaded-session.ts';

export interface PoolOptions {
  /** Runs at the same time, each in a session of its own; 1 unless told. */
  readonly sessions?: number | undefined;
  /** Threads inside one session; the processors shared out among the sessions, unless told. */
  readonly threads?: number | undefined;
  /** Models whose run takes less, in milliseconds, stay on the caller's thread. */
  readonly inline?: number;
  /** Opens a session on a thread of its own. */
  readonly open?: (source: Uint8Array, options: SessionOptions) => Promise<ModelSession>;
}

/**
 * onnxruntime computes on the thread that calls it and keeps it until it has done. Handing a run to another thread costs about as much as
 * running a small model: only what would hold up the process for longer is worth it.
 */
const INLINE_MILLISECONDS = 2;
const WARM_UP_RUNS = 3;

/**
 * Opens a model for serving: warmed up, on this thread when it is quick, else as a pool of sessions on threads of their own, one run at a
 * time each, so that memory is bounded and clocks, locks and HTTP go on meanwhile. Runs wait in order of arrival, and traces before them: demands are answered
 * with those.
 * @throws AssayError as `openModel`
 */
export async function openPool(source: Uint8Array, options: PoolOptions = {}): Promise<ModelSession> {
  const { sessions = 1, threads, inline = INLINE_MILLISECONDS, open = openThreadedModel } = options;
  const first = await openModel(source, threads === undefined ? {} : { threads });
  if ((await warmUp(first)) < inline) return first;
  await first.close();
  const shared = threads ?? Math.max(1, Math.floor(availableParallelism() / sessions));
  return SessionPool.open(first.program, sessions, () => open(source, { threads: shared }));
}

/** First runs are slow: memory is laid out, pages come in. @returns milliseconds of the quickest */
async function warmUp(session: ModelSession): Promise<number> {
  const inputs = inputForms(session.program).map(({ type, length }) => allocate(type, length));
  let quickest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < WARM_UP_RUNS; i++) {
    const started = performance.now();
    await session.run(inputs);
    quickest = Math.min(quickest, performance.now() - started);
  }
  return quickest;
}

interface Waiting {
  readonly use: (session: ModelSession) => Promise<TypedArray[]>;
  /** Before all runs: a clock runs for whoever is answered with a trace. */
  readonly isFirst: boolean;
  resolve(tensors: TypedArray[]): void;
  reject(error: unknown): void;
}

class SessionPool implements ModelSession {
  readonly program: Program;
  private readonly idle: ModelSession[] = [];
  private readonly waiting: Waiting[] = [];
  private readonly busy = new Set<Promise<void>>();
  private readonly reopen: () => Promise<ModelSession>;
  private closed = false;

  private constructor(program: Program, reopen: () => Promise<ModelSession>) {
    this.program = program;
    this.reopen = reopen;
  }

  static async open(program: Program, count: number, openOne: () => Promise<ModelSession>): Promise<SessionPool> {
    const openWarm = async (): Promise<ModelSession> => {
      const session = await openOne();
      await warmUp(session);
      return session;
    };
    const pool = new SessionPool(program, openWarm);
    const opened = await Promise.allSettled(Array.from({ length: count }, openWarm));
    for (const result of opened) if (result.status === 'fulfilled') pool.idle.push(result.value);
    const failure = opened.find((result) => result.status === 'rejected');
    if (failure === undefined) return pool;
    await pool.close();
    throw failure.reason;
  }

  run(inputs: readonly TypedArray[]): Promise<TypedArray[]> {
    return this.take({ use: (session) => session.run(inputs), isFirst: false });
  }

  trace(inputs: readonly TypedArray[]): Promise<TypedArray[]> {
    return this.take({ use: (session) => session.trace(inputs), isFirst: true });
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { reject } of this.waiting.splice(0)) reject(closedError());
    await Promise.all(this.busy);
    await Promise.all(this.idle.splice(0).map((session) => session.close()));
  }

  private take(wanted: Pick<Waiting, 'use' | 'isFirst'>): Promise<TypedArray[]> {
    if (this.closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const place = wanted.isFirst ? this.waiting.findIndex(({ isFirst }) => !isFirst) : -1;
      this.waiting.splice(place < 0 ? this.waiting.length : place, 0, { ...wanted, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    while (this.idle.length > 0 && this.waiting.length > 0) {
      const session = this.idle.pop()!;
      const busy = this.serve(session, this.waiting.shift()!).finally(() => {
        this.busy.delete(busy);
        this.next();
      });
      this.busy.add(busy);
    }
  }

  private async serve(session: ModelSession, { use, resolve, reject }: Waiting): Promise<void> {
    let next = session;
    try {
      resolve(await use(session));
    } catch (error) {
      reject(error);
      if (error instanceof AssayError && error.code === 'RUNTIME_THREAD') next = await this.replace(session);
    }
    this.idle.push(next);
  }

  /** Another session in the place of one whose thread ended; where none can be opened, the old one says so again. */
  private async replace(ended: ModelSession): Promise<ModelSession> {
    if (this.closed) return ended;
    try {
      const fresh = await this.reopen();
      await ended.close();
      return fresh;
    } catch {
      return ended;
    }
  }
}

function closedError(): AssayError {
  return new AssayError('The model is being closed', { code: 'SERVICE_CLOSED' });
}
