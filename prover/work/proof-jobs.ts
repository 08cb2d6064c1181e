import { randomBytes } from 'node:crypto';
import { type Address, encodeAbiParameters, type Hex } from 'viem';
import { AssayError } from '../../core/errors.ts';
import { fromHex, keccak256, toHash } from '../../core/keccak.ts';
import { decodeProof, packBytes } from '../../core/zk-encoding.ts';
import { busy } from '../concurrency/gate.ts';
import type { JobView } from '../http/schemas.ts';
import type { Caller, ProofQuestion } from '../http/service.ts';
import type { Catalog, ServedModel } from '../models/catalog.ts';
import type { Queue } from '../queue/port.ts';
import { below, COLLECTION, dueKey, load, type Pointer, type ProofDocument, proofSchema } from '../records/documents.ts';
import { HTTP_COLLECTION, type JobDocument, jobDocument } from '../records/http-documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Idempotency } from '../service/idempotency.ts';
import { outputViews, ownerOf } from '../service/inference.ts';
import type { Store } from '../store/port.ts';
import { enqueue } from './jobs.ts';

export interface ProofJobsParts {
  readonly store: Store;
  readonly queue: Queue;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly idempotency: Idempotency;
  readonly owner: Address;
  readonly chainId: number;
  /** The contract that would take a proof of a request. */
  readonly requests: Address;
  /** Proofs that may wait; the next is refused. */
  readonly mostWaiting: number;
}

const CANCELLED = { code: 'CANCELLED', message: 'The proof was given up' };

/**
 * First public signal of a proof that answers no request on chain: that of request number 0, which no chain ever has. It binds the
 * proof to deployment, prover and model, and no contract takes it for an answer to a request.
 */
export function offChainContext(chainId: number, requests: Address, owner: Address, modelId: string): bigint {
  const encoded = encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'address' }, { type: 'uint256' }, { type: 'address' }, { type: 'bytes32' }],
    [BigInt(chainId), requests, 0n, owner, modelId as Hex],
  );
  return BigInt(toHash(keccak256(fromHex(encoded)))) >> 8n;
}

/** Proofs asked for over HTTP: accepted here, made by workers, told by their documents. */
export class ProofJobs {
  private readonly parts: ProofJobsParts;

  constructor(parts: ProofJobsParts) {
    this.parts = parts;
  }

  /** @throws AssayError TIER_MISSING, TENSOR_SIZE, NODE_BUSY, IDEMPOTENCY_CONFLICT */
  async create(question: ProofQuestion): Promise<JobView> {
    const { catalog, idempotency } = this.parts;
    const { modelId, caller, input, idempotencyKey } = question;
    const model = catalog.get(modelId);
    if (model === undefined || model.inputForm === 0) {
      throw new AssayError('The model has no zk tier here', { code: 'TIER_MISSING', fix: 'ask at the optimistic tier' });
    }
    const make = (): Promise<string> => this.accept(question, model);
    const terms = ['zk', modelId, String(question.seconds)];
    const id =
      idempotencyKey === undefined
        ? await make()
        : await idempotency.answer({ caller: caller.id, key: idempotencyKey, terms, input }, make);
    const view = await this.view(id, caller);
    if (view === undefined) throw new AssayError('A stored job is gone', { code: 'INTERNAL', facts: { job: id } });
    return view;
  }

  /** A job of this caller. */
  async view(id: string, caller: Caller): Promise<JobView | undefined> {
    const { store } = this.parts;
    const [job, proof] = await Promise.all([
      load(store, jobDocument, HTTP_COLLECTION.jobs, id),
      load(store, proofSchema, COLLECTION.proofs, id),
    ]);
    if (job === undefined || proof === undefined || (job.owner !== null && job.owner !== caller.id)) return undefined;
    const { modelId, input, context, deadline, progress, createdAt, error } = proof;
    const state = proof.state === 'failed' && error?.code === CANCELLED.code ? 'cancelled' : proof.state;
    return {
      ...{ id, modelId, input, context, state, progress, createdAt, deadline },
      ...(error === undefined ? {} : { error }),
      ...(proof.state === 'done' ? { result: this.result(proof, job) } : {}),
    };
  }

  async cancel(id: string, caller: Caller): Promise<JobView | undefined> {
    const before = await this.view(id, caller);
    if (before === undefined) return undefined;
    await this.parts.store.update<ProofDocument>(COLLECTION.proofs, id, (proof) =>
      proof === undefined || hasEnded(proof) ? undefined : { ...proof, state: 'failed', error: CANCELLED },
    );
    return this.view(id, caller);
  }

  private async accept(question: ProofQuestion, model: ServedModel): Promise<string> {
    const { store, queue, inputs, owner, chainId, requests, mostWaiting } = this.parts;
    if ((await queue.counts('prove')).waiting >= mostWaiting) throw busy('other proofs');
    const { inputRoot, commitment } = await inputs.accept(model, question.input);
    const id = `job-${randomBytes(16).toString('hex')}`;
    const now = Math.floor(Date.now() / 1000);
    const proof: ProofDocument = {
      id,
      modelId: question.modelId,
      input: commitment ?? inputRoot,
      context: String(offChainContext(chainId, requests, owner, question.modelId)),
      deadline: now + question.seconds,
      state: 'queued',
      progress: 0,
      requestId: null,
      createdAt: now,
    };
    await store.put(HTTP_COLLECTION.jobsByTime, dueKey(proof.deadline, id), { id } satisfies Pointer);
    await store.put(COLLECTION.proofs, id, proof);
    const publicInput = commitment === null ? toHex(question.input) : null;
    const job: JobDocument = { owner: ownerOf(question.caller), createdAt: now, publicInput };
    await store.put(HTTP_COLLECTION.jobs, id, job);
    await store.put(HTTP_COLLECTION.jobsOpen, id, { id } satisfies Pointer);
    await enqueue(queue, 'prove', { proofId: id });
    return id;
  }

  /** What `assay verify` takes: the proof as snarkjs writes it, and the signals that it is a proof of. */
  private result(proof: ProofDocument, { publicInput }: JobDocument): NonNullable<JobView['result']> {
    const model = this.parts.catalog.get(proof.modelId);
    if (model === undefined) {
      throw new AssayError('The model of a finished proof is not served any more', {
        code: 'MATERIAL_MISSING',
        facts: { job: proof.id, model: proof.modelId },
        fix: 'serve the model again',
      });
    }
    const output = proof.output ?? '0x';
    const inputSignals = publicInput === null ? [BigInt(proof.input)] : packBytes(fromHex(publicInput));
    const signals = [BigInt(proof.context), ...inputSignals, ...packBytes(fromHex(output))];
    return {
      proof: decodeProof(fromHex(proof.proof ?? '0x')),
      publicSignals: signals.map(String),
      output,
      outputs: outputViews(model, output),
    };
  }
}

function toHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

function hasEnded({ state }: ProofDocument): boolean {
  return state === 'done' || state === 'failed';
}

/** Puts HTTP proof jobs back into a queue that lost them, and forgets those that have ended. Cost: one look at each that is open. */
export async function reconcileJobs(store: Store, queue: Queue): Promise<void> {
  for await (const [id] of below<Pointer>(store, HTTP_COLLECTION.jobsOpen, '')) {
    const proof = await load(store, proofSchema, COLLECTION.proofs, id);
    if (proof === undefined || hasEnded(proof)) await store.remove(HTTP_COLLECTION.jobsOpen, id);
    else await enqueue(queue, 'prove', { proofId: id });
  }
}
