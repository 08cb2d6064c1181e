import { bytesToHex } from 'viem';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Catalog, ServedModel } from '../models/catalog.ts';
import { answerInput, type FaultPlan } from '../models/run.ts';
import type { Job, Queue } from '../queue/port.ts';
import {
  type ClaimDocument,
  COLLECTION,
  chainTime,
  claimSchema,
  load,
  orderedId,
  type ProofDocument,
  proofSchema,
  type RequestDocument,
  requestSchema,
} from '../records/documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import { enqueue, JOBS, workOn } from './jobs.ts';

/** Makes a Groth16 proof in another process. */
export type Prove = (
  model: ServedModel,
  input: Uint8Array,
  context: bigint,
  signal: AbortSignal,
  /** Called with the share that is done, 0 to 1. */
  onProgress?: (done: number) => void,
) => Promise<{ readonly key: Uint8Array; readonly proof: Uint8Array; readonly output: Uint8Array }>;

export interface AnswererParts {
  readonly store: Store;
  readonly queue: Queue;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly prove: Prove;
  readonly log: Log;
  readonly fault: FaultPlan | undefined;
}

/** Milliseconds between two notes of a proof's progress. */
const NOTE_EVERY = 1_000;
/** The longest time a timer takes, milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Worker side: runs models and makes proofs, with no key and no chain. Jobs may run twice and on two machines at once; what
 * counts is the first answer that is stored, never two different ones.
 */
export class Answerer {
  private readonly parts: AnswererParts;

  constructor(parts: AnswererParts) {
    this.parts = parts;
  }

  start({ runs, proofs }: { readonly runs: number; readonly proofs: number }): void {
    const { queue } = this.parts;
    workOn(queue, 'run', runs, ({ requestId }) => this.run(requestId));
    workOn(queue, 'prove', proofs, ({ proofId }, signal, job) => this.prove(proofId, signal, job));
  }

  /** Runs the model on a request's input and remembers the answer before anybody is told of it. */
  private async run(requestId: string): Promise<void> {
    const { store, queue, log, fault: plan } = this.parts;
    const id = orderedId(requestId);
    const request = await load(store, requestSchema, COLLECTION.requests, id);
    if (request?.state !== 'queued') return;
    const held = await load(store, claimSchema, COLLECTION.claims, id);
    if (held === undefined || !answersRequest(held, request)) {
      const { model, input } = await this.material(request.modelId, request.input, request);
      const { output, fault } = await answerInput(model, input, plan);
      if (fault !== undefined) log.warn({ request: requestId, fault }, 'this answer is a lie, as told by --fault-seed');
      const document: ClaimDocument = {
        claimId: requestId,
        modelId: request.modelId,
        input: request.input,
        output: bytesToHex(output),
        fault: fault ?? null,
        state: 'prepared',
        claimedAt: 0,
      };
      // Where there was none, there mostly is none yet: reading it again is worth it only when there is.
      const isFirst = held === undefined && (await store.putIfAbsent(COLLECTION.claims, id, document));
      if (!isFirst) {
        await store.update<ClaimDocument>(COLLECTION.claims, id, (before) =>
          before !== undefined && answersRequest(before, request) ? undefined : document,
        );
      }
    }
    await enqueue(queue, 'claim', { requestId });
  }

  private async prove(proofId: string, signal: AbortSignal, job: Job): Promise<void> {
    const { store, queue, log } = this.parts;
    const wanted = await load(store, proofSchema, COLLECTION.proofs, proofId);
    if (wanted === undefined || wanted.state === 'failed') return;
    if (wanted.state !== 'done') {
      const late = await this.untilDeadline(wanted);
      try {
        await this.makeProof(wanted, AbortSignal.any([signal, late.signal]));
      } catch (error) {
        const isLast = job.attempts >= JOBS.prove.attempts && !signal.aborted;
        log.warn({ proof: proofId, attempt: job.attempts, error }, 'proving failed');
        if (!late.signal.aborted && !isLast) throw error;
        await this.failed(proofId, late.signal.aborted ? LATE : describe(error));
        return;
      } finally {
        late.stop();
      }
    }
    if (wanted.requestId !== null) await enqueue(queue, 'fulfil', { requestId: wanted.requestId });
  }

  private async makeProof(wanted: ProofDocument, signal: AbortSignal): Promise<void> {
    const { store, prove, log } = this.parts;
    signal.throwIfAborted();
    const { model, input } = await this.material(wanted.modelId, wanted.input, { tier: 0, input: wanted.input });
    const change = (next: Partial<ProofDocument>): Promise<ProofDocument | undefined> =>
      store.update<ProofDocument>(COLLECTION.proofs, wanted.id, (before) =>
        before === undefined || before.state === 'done' || before.state === 'failed' ? undefined : { ...before, ...next },
      );
    if ((await change({ state: 'running', progress: 0 }))?.state !== 'running') return;
    let noted = performance.now();
    const started = noted;
    const cancelled = this.untilCancelled(wanted.id);
    try {
      const { key, proof, output } = await prove(
        model,
        input,
        BigInt(wanted.context),
        AbortSignal.any([signal, cancelled.signal]),
        (done) => {
          if (performance.now() - noted < NOTE_EVERY) return;
          noted = performance.now();
          change({ progress: Math.min(0.99, Math.max(0, done)) }).catch((error) => log.debug({ error }, 'progress was not noted'));
        },
      );
      await change({ state: 'done', progress: 1, key: bytesToHex(key), proof: bytesToHex(proof), output: bytesToHex(output) });
    } catch (error) {
      if (!cancelled.signal.aborted) throw error;
      log.info({ proof: wanted.id }, 'given up by who asked for it');
      return;
    } finally {
      cancelled.stop();
    }
    log.info({ proof: wanted.id, model: wanted.modelId, milliseconds: Math.round(performance.now() - started) }, 'proved');
  }

  private async failed(proofId: string, error: { readonly code: string; readonly message: string }): Promise<void> {
    await this.parts.store.update<ProofDocument>(COLLECTION.proofs, proofId, (before) =>
      before === undefined || before.state === 'done' ? undefined : { ...before, state: 'failed', error },
    );
  }

  /** Aborts when the customer gives a proof up, through whichever process: that is written into its document. */
  private untilCancelled(id: string): { readonly signal: AbortSignal; stop(): void } {
    const abort = new AbortController();
    const timer = setInterval(() => {
      load(this.parts.store, proofSchema, COLLECTION.proofs, id).then(
        (proof) => {
          if (proof?.state === 'failed') abort.abort();
        },
        (error) => this.parts.log.debug({ error }, 'a proof could not be looked at'),
      );
    }, NOTE_EVERY);
    return { signal: abort.signal, stop: () => clearInterval(timer) };
  }

  /** Aborts when the deadline of a proof comes: by the chain's time for a request, for which this machine's clock is no witness. */
  private async untilDeadline({ requestId, deadline }: ProofDocument): Promise<{ readonly signal: AbortSignal; stop(): void }> {
    const now = requestId === null ? Math.floor(Date.now() / 1000) : await chainTime(this.parts.store);
    const abort = new AbortController();
    if (now > deadline) abort.abort();
    const timer = setTimeout(() => abort.abort(), Math.min(LONGEST_TIMER, (deadline - now) * 1000));
    return { signal: abort.signal, stop: () => clearTimeout(timer) };
  }

  private async material(
    modelId: string,
    name: string,
    named: Pick<RequestDocument, 'tier' | 'input'>,
  ): Promise<{ model: ServedModel; input: Uint8Array }> {
    const model = this.parts.catalog.get(modelId);
    const input = model === undefined ? undefined : await this.parts.inputs.of(model, named);
    if (model !== undefined && input !== undefined) return { model, input };
    throw new AssayError('The model or the input of accepted work is missing', {
      code: 'MATERIAL_MISSING',
      facts: { modelId, input: name, hasModel: model !== undefined },
      fix: 'restore the data directory, or serve the model again',
    });
  }
}

const LATE = { code: 'DEADLINE_PASSED', message: 'The deadline came before the proof' };

function describe(error: unknown): { readonly code: string; readonly message: string } {
  return error instanceof AssayError
    ? { code: error.code, message: error.message }
    : { code: 'PROVING_FAILED', message: 'The proof could not be made' };
}

/** Whether a claim document is the answer to this very request: after a reorganisation its number may be another's. */
export function answersRequest(claim: ClaimDocument, request: Pick<RequestDocument, 'modelId' | 'input'>): boolean {
  return claim.modelId === request.modelId && claim.input === request.input;
}
