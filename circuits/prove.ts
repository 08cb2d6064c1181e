import type { ChildProcess } from 'node:child_process';
import { AssayError } from '../core/errors.ts';
import type { TypedArray } from '../core/tensor.ts';
import { encodeProof } from '../core/zk-encoding.ts';
import { ask, type ChildOptions, startChild } from './child-process.ts';
import type { ProveRequest, ProveResult } from './prove-child.ts';
import type { Proof } from './setup/files.ts';

export type { Progress } from './child-process.ts';

/** One proof to make. */
export interface ProveJob {
  /** The model's directory, with a complete setup. */
  readonly directory: string;
  /** The inputs; the model is run. Give these or `trace`. */
  readonly inputs?: readonly TypedArray[];
  /** All tensors of a run, as `execute` returns them. */
  readonly trace?: readonly TypedArray[];
  /** First public signal: keccak(chainId, contract, requestId, prover, modelId) >> 8. */
  readonly context: bigint;
  /** Another proving key than the directory's own: for its audit. */
  readonly zkey?: string;
  /** Cancels: the proving process is killed. */
  readonly signal?: AbortSignal;
  readonly onProgress?: ChildOptions['onProgress'];
}

/** A proof that has been verified against the directory's own verification key. */
export interface ProvedAnswer {
  /** snarkjs's proof.json. */
  readonly proof: Proof;
  /** snarkjs's public.json: context, input, output. */
  readonly publicSignals: readonly string[];
  /** The proof as the generic verifier takes it: 256 bytes. */
  readonly encodedProof: Uint8Array;
  /** The outputs that it proves, equal to the executor's. */
  readonly outputs: readonly TypedArray[];
  /** Most resident memory that the proving process has had so far, in MiB. */
  readonly peakMegabytes: number;
}

export interface ProvingOptions {
  /** Processes that prove at the same time; one proof already uses all cores. Default 1. */
  readonly processes?: number;
  /** Most resident memory of one process, in MiB. */
  readonly memoryMegabytes?: number;
}

const SCRIPT = './prove-child.ts';

interface Waiting {
  readonly job: ProveJob;
  resolve(answer: ProvedAnswer): void;
  reject(error: unknown): void;
}

/**
 * A pool of proving processes. Jobs wait in order; a process keeps the circuit of its last model, is killed on cancel or over its
 * memory cap, and replaced for the next job. A proof is verified before it leaves: a proof of a wrong output cannot be returned.
 */
export class ProvingService {
  private readonly idle: ChildProcess[] = [];
  private readonly waiting: Waiting[] = [];
  private running = 0;
  private closed = false;
  private readonly children = new Set<ChildProcess>();
  private readonly processes: number;
  private readonly memoryMegabytes: number | undefined;

  constructor(options: ProvingOptions = {}) {
    this.processes = options.processes ?? 1;
    this.memoryMegabytes = options.memoryMegabytes;
  }

  /** @throws AssayError SETUP_MISSING, SETUP_STALE, KEY_MALFORMED, INPUT_SHAPE, PROOF_REJECTED, CHILD_MEMORY, CHILD_ENDED, CANCELLED, SERVICE_CLOSED */
  prove(job: ProveJob): Promise<ProvedAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, resolve, reject });
      this.next();
    });
  }

  /** Kills every process; waiting jobs fail. */
  close(): void {
    this.closed = true;
    for (const child of this.children) child.kill('SIGKILL');
    this.children.clear();
    this.idle.length = 0;
    for (const { reject } of this.waiting.splice(0)) reject(closedError());
  }

  private next(): void {
    if (this.running >= this.processes) return;
    const task = this.waiting.shift();
    if (task === undefined) return;
    if (this.closed) {
      task.reject(closedError());
      return;
    }
    this.running++;
    void this.run(task.job)
      .then(task.resolve, task.reject)
      .finally(() => {
        this.running--;
        this.next();
      });
  }

  private async run(job: ProveJob): Promise<ProvedAnswer> {
    const tensors = job.trace ?? job.inputs;
    if (tensors === undefined) throw new AssayError('A proof needs inputs or a trace', { code: 'INPUT_SHAPE' });
    const child = this.idle.pop() ?? this.start();
    child.ref();
    child.channel?.ref();
    const { directory, context, zkey } = job;
    const request: ProveRequest = { directory, tensors, trace: job.trace !== undefined, context, zkey };
    try {
      const { proof, signals, outputs, peakMegabytes } = await ask<ProveResult>(child, request, {
        signal: job.signal,
        onProgress: job.onProgress,
      });
      return { proof, publicSignals: signals, encodedProof: encodeProof(proof), outputs, peakMegabytes };
    } finally {
      // An idle child does not keep its parent alive, and ends with it.
      child.unref();
      child.channel?.unref();
      if (child.connected && !child.killed) this.idle.push(child);
      else this.children.delete(child);
    }
  }

  private start(): ChildProcess {
    const child = startChild(SCRIPT, this.memoryMegabytes);
    this.children.add(child);
    child.on('exit', () => {
      this.children.delete(child);
      const at = this.idle.indexOf(child);
      if (at >= 0) this.idle.splice(at, 1);
    });
    return child;
  }
}

function closedError(): AssayError {
  return new AssayError('The proving service is closed', { code: 'SERVICE_CLOSED' });
}

/**
 * Makes one proof in a process of its own. Cost: about 0.5 s for 10,000 constraints, 4 s for 127,000 on two cores, and the start of Node.
 * @throws as `ProvingService.prove`
 */
export async function prove(job: ProveJob, options: ProvingOptions = {}): Promise<ProvedAnswer> {
  const service = new ProvingService(options);
  try {
    return await service.prove(job);
  } finally {
    service.close();
  }
}
