import { bytesToHex, type Hex } from 'viem';
import { AssayError } from '../core/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Catalog, ServedModel } from './catalog.ts';
import { type NodeChain, STATUS } from './chain.ts';
import { type ClaimDocument, COLLECTION, orderedId, type RequestDocument } from './documents.ts';
import type { InputStore } from './inputs.ts';
import type { Job, Queue } from './queue/port.ts';
import { answerInput, type FaultPlan } from './run.ts';
import type { Store } from './store/port.ts';

/** Makes a Groth16 proof in another process. */
export type Prove = (
  model: ServedModel,
  input: Uint8Array,
  context: bigint,
  signal: AbortSignal,
) => Promise<{ readonly key: Uint8Array; readonly proof: Uint8Array; readonly output: Uint8Array }>;

export interface AttestorParts {
  readonly store: Store;
  readonly queue: Queue;
  readonly chain: NodeChain;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly prove: Prove;
  readonly log: Log;
  readonly fault: FaultPlan | undefined;
}

/**
 * Answers accepted requests: under stake, or by a proof. Jobs may run twice (a crash between sending and remembering), so each
 * looks at the chain first, and what was prepared once is sent again as it was: never two different answers.
 */
export class Attestor {
  private readonly parts: AttestorParts;

  constructor(parts: AttestorParts) {
    this.parts = parts;
  }

  start(proofProcesses: number): void {
    this.parts.queue.work('claim', 4, (job) => this.guarded(job, (request) => this.claim(request)));
    this.parts.queue.work('prove', proofProcesses, (job, signal) => this.guarded(job, (request) => this.proveRequest(request, signal)));
  }

  /** Loads the request, skips it when the chain no longer waits for it, and records how it ended. */
  private async guarded(job: Job, answer: (request: RequestDocument) => Promise<void>): Promise<void> {
    const { requestId } = job.data as { requestId: string };
    const { store, log } = this.parts;
    const request = await store.get<RequestDocument>(COLLECTION.requests, orderedId(requestId));
    if (request === undefined) return;
    if (!(await this.stillOpen(request))) return this.settle(request);
    try {
      await answer(request);
    } catch (error) {
      // Another prover may have been faster: that is no failure of ours.
      if (!(await this.stillOpen(request))) return this.settle(request);
      log.warn({ request: requestId, attempt: job.attempts, error }, 'answering failed');
      throw error;
    }
    await this.settle(request);
  }

  private async stillOpen(request: RequestDocument): Promise<boolean> {
    const seen = await this.parts.chain.request(request.requestId);
    // After a reorganisation the id may be another request's: an answer to this one would be a wrong answer to that one.
    const isSame = seen.terms.modelId === request.modelId && seen.input === request.input;
    return seen.status === STATUS.open && isSame;
  }

  private async settle(request: RequestDocument): Promise<void> {
    const { chain, store } = this.parts;
    const [seen, owner] = await Promise.all([chain.request(request.requestId), chain.owner()]);
    const ours =
      seen.prover === owner && (seen.status === STATUS.claimed || seen.status === STATUS.final || seen.status === STATUS.faulted);
    const ended: RequestDocument = ours
      ? { ...request, state: 'answered' }
      : { ...request, state: 'passed', reason: 'it was answered by another prover, refunded, or its time is over' };
    await store.put(COLLECTION.requests, orderedId(request.requestId), ended);
  }

  private async material(request: RequestDocument): Promise<{ model: ServedModel; input: Uint8Array }> {
    const model = this.parts.catalog.get(request.modelId);
    const input = model === undefined ? undefined : await this.parts.inputs.of(model, request);
    if (model === undefined || input === undefined) {
      throw new AssayError('The model or the input of an accepted request is missing', {
        code: 'MATERIAL_MISSING',
        facts: { request: request.requestId, model: model !== undefined, input: input !== undefined },
        fix: 'restore the data directory, or serve the model again',
      });
    }
    return { model, input };
  }

  private async claim(request: RequestDocument): Promise<void> {
    const { store, chain, log } = this.parts;
    const id = orderedId(request.requestId);
    const held = await store.get<ClaimDocument>(COLLECTION.claims, id);
    const isOfThis = held?.modelId === request.modelId && held.input === request.input;
    const prepared = held !== undefined && isOfThis ? held : await this.prepareClaim(request);
    await chain.claim(request.requestId, Uint8Array.from(Buffer.from(prepared.output.slice(2), 'hex')));
    log.info({ request: request.requestId, model: request.modelId }, 'claimed');
  }

  /** Runs the model and remembers the answer before it is sent. */
  private async prepareClaim(request: RequestDocument): Promise<ClaimDocument> {
    const { store, log, fault: plan } = this.parts;
    const { model, input } = await this.material(request);
    const { output, fault } = await answerInput(model, input, plan);
    if (fault !== undefined) log.warn({ request: request.requestId, fault }, 'this answer is a lie, as told by --fault-seed');
    const document: ClaimDocument = {
      requestId: request.requestId,
      modelId: request.modelId,
      input: request.input,
      output: bytesToHex(output),
      fault: fault ?? null,
      state: 'prepared',
      claimedAt: 0,
    };
    await store.put(COLLECTION.claims, orderedId(request.requestId), document);
    return document;
  }

  private async proveRequest(request: RequestDocument, signal: AbortSignal): Promise<void> {
    const { chain, prove, log } = this.parts;
    const { model, input } = await this.material(request);
    const owner = await chain.owner();
    const context = await chain.context(request.requestId, owner, request.modelId as Hex);
    const started = performance.now();
    const { key, proof, output } = await prove(model, input, context, signal);
    const milliseconds = Math.round(performance.now() - started);
    log.info({ request: request.requestId, model: request.modelId, milliseconds }, 'proved');
    await chain.fulfil(request.requestId, key, proof, model.inputForm === 1 ? input : new Uint8Array(), output);
    log.info({ request: request.requestId }, 'fulfilled');
  }
}
