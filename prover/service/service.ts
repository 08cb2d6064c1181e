import type { Address, Hex, LocalAccount } from 'viem';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { tensorUnit, type Unit } from '../../core/dispute/units.ts';
import { inputForms, joinTensors } from '../../core/tensor-list.ts';
import type { Trace } from '../../core/trace.ts';
import { within } from '../../runtime/within.ts';
import type { NodeChain } from '../chain/chain.ts';
import type { NodeService } from '../http/service.ts';
import { createMetrics, type NodeMetrics } from '../metrics.ts';
import { type Catalog, offerOf, type ServedModel } from '../models/catalog.ts';
import type { FaultPlan } from '../models/run.ts';
import type { TraceCache } from '../models/traces.ts';
import type { Queue } from '../queue/port.ts';
import { type ClaimDocument, COLLECTION, claimSchema, load, orderedId } from '../records/documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import { JOBS, type JobKind } from '../work/jobs.ts';
import { ProofJobs, reconcileJobs } from '../work/proof-jobs.ts';
import { Coverage } from './coverage.ts';
import { Idempotency } from './idempotency.ts';
import { Inference } from './inference.ts';
import { namedTensors } from './named-inputs.ts';
import { ReceiptMaker } from './receipts.ts';
import { accountSigner, type ReceiptSigner } from './signer.ts';

/** Where receipts and proofs are for. */
export interface Deployment {
  readonly client: Pick<NodeChain['client'], 'readContract'> & { readonly chain: { readonly id: number } };
  readonly addresses: Pick<NodeChain['addresses'], 'vault' | 'requests' | 'board'>;
}

export interface ServiceParts {
  readonly owner: Address;
  readonly account: LocalAccount;
  /** The same key in a form that signs fast; the account unless given. */
  readonly signer?: ReceiptSigner | undefined;
  readonly chain: Deployment;
  readonly store: Store;
  readonly queue: Queue;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly traces: TraceCache;
  /** Bytes that answer a demand of a unit of one of our claims. */
  dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined>;
  readonly fault: FaultPlan | undefined;
  /** Input bytes arrived under these names. */
  inputArrived(names: readonly (string | null)[]): Promise<void>;
  /** Wei below which a receipt on a model cannot be opened; asked of the board unless given. */
  minimumCoverage?(modelId: string): Promise<bigint>;
  /**
   * Resolves when a model computes what the step code of the chain does; awaited before a receipt that stake answers for.
   * @throws AssayError STEP_DIFFERS
   */
  checked?(model: ServedModel): Promise<unknown>;
  /** Seconds for which a receipt of a coverage channel can be opened; a day unless told. */
  readonly receiptSeconds?: number;
  /** Proofs that may wait (256); the next is refused. */
  readonly mostWaitingProofs?: number;
  readonly metrics?: NodeMetrics | undefined;
  /** Why no work can be taken now, one sentence each; empty when it can. */
  readonly reasonsNotReady?: () => Promise<readonly string[]>;
}

/** The HTTP side of a node, and what keeps it going. */
export interface HttpService extends NodeService {
  /** Puts proof jobs back into a queue that lost them. To be called at start and from time to time. */
  reconcile(): Promise<void>;
}

/** What the HTTP service offers, made of the node's parts. */
export function createService(parts: ServiceParts): HttpService {
  const { catalog, inputs, store, queue, owner, chain, traces, fault, metrics = createMetrics() } = parts;
  const chainId = chain.client.chain.id;
  const { vault, requests } = chain.addresses;
  const maker = new ReceiptMaker(owner, parts.signer ?? accountSigner(parts.account), { chainId, verifyingContract: vault });
  const idempotency = new Idempotency(store);
  const minimumCoverage = cached(30_000, (modelId) => parts.minimumCoverage?.(modelId) ?? readMinimumCoverage(chain, modelId as Hex));
  const coverage = new Coverage({ store, minimumCoverage, receiptSeconds: parts.receiptSeconds ?? 86_400 });
  const checked = (model: ServedModel): Promise<unknown> => parts.checked?.(model) ?? Promise.resolve();
  const inference = new Inference({ store, catalog, inputs, maker, coverage, checked, idempotency, fault, metrics });
  const mostWaiting = parts.mostWaitingProofs ?? 256;
  const proofs = new ProofJobs({ store, queue, catalog, inputs, idempotency, owner, chainId, requests, mostWaiting });
  const claimOf = (claimId: string): Promise<ClaimDocument | undefined> => load(store, claimSchema, COLLECTION.claims, orderedId(claimId));
  const traceOf = async (claimId: string): Promise<Trace | undefined> =>
    (await claimOf(claimId)) === undefined ? undefined : traces.get(claimId);
  return {
    metrics,
    refreshMetrics: () => refreshGauges(store, queue, metrics),
    health: () => ({ ok: true, prover: owner, key: parts.account.address, models: catalog.all.length }),
    readiness: async () => {
      const reasons = [...((await parts.reasonsNotReady?.()) ?? [])];
      return { ready: reasons.length === 0, reasons };
    },
    models: () => catalog.all.map(offerOf),
    programFile: (modelId) => {
      const model = catalog.get(modelId);
      return model === undefined ? undefined : { path: model.programFile, bytes: model.programBytes, hash: model.programHash };
    },
    inputBytes: (modelId, given) =>
      joinTensors(namedTensors(catalog.get(modelId)!.program, inputForms(catalog.get(modelId)!.program), given)),
    largestInput: catalog.largestInput,
    acceptInput: async (modelId, bytes) => {
      const names = await inputs.accept(catalog.get(modelId)!, bytes);
      await parts.inputArrived([names.inputRoot, names.commitment]);
      return names;
    },
    input: (hash) => inputs.get(hash),
    infer: (question) => inference.infer(question),
    receipt: (id, caller) => inference.receipt(id, caller),
    prove: (question) => proofs.create(question),
    job: (id, caller) => proofs.view(id, caller),
    cancelJob: (id, caller) => proofs.cancel(id, caller),
    reconcile: () => reconcileJobs(store, queue),
    claim: async (claimId) => {
      const claim = await claimOf(claimId);
      if (claim === undefined) return undefined;
      const { modelId, input, output, state, claimedAt } = claim;
      return { requestId: claimId, modelId, input, output, state, claimedAt };
    },
    traceRoots: async (claimId) => (await traceOf(claimId))?.roots,
    traceUnit: async (claimId, tensor, height, index) => {
      const claim = await claimOf(claimId);
      const program = claim === undefined ? undefined : catalog.get(claim.modelId)?.program;
      if (program?.instructions[tensor] === undefined) return undefined;
      return parts.dataOf(claimId, tensorUnit(program, tensor, height, index));
    },
  };
}

/** Wei below which a receipt on a model cannot be opened: it moves with the price of gas. */
function readMinimumCoverage({ client, addresses }: Deployment, modelId: Hex): Promise<bigint> {
  return client.readContract({ address: addresses.board, abi: claimBoardAbi, functionName: 'minimumCoverage', args: [modelId] });
}

/** Remembers answers for some time; a failure is not remembered. */
function cached(milliseconds: number, ask: (name: string) => Promise<bigint>): (name: string) => Promise<bigint> {
  const held = new Map<string, { readonly until: number; readonly answer: Promise<bigint> }>();
  return (name) => {
    const known = held.get(name);
    if (known !== undefined && known.until > performance.now()) return known.answer;
    const answer = ask(name);
    held.set(name, { until: performance.now() + milliseconds, answer });
    answer.catch(() => held.delete(name));
    return answer;
  };
}

/** Most open claims that are counted. */
const MOST_COUNTED = 10_000;

/** Milliseconds that a look may take: whoever scrapes, or asks for health, does not wait for long. */
export const LOOK_MILLISECONDS = 2_000;

/** Sets the gauges of what queue and store hold now. Of one that does not answer nothing is told: all else is, and then above all. */
export async function refreshGauges(store: Store, queue: Queue, metrics: Pick<NodeMetrics, 'queueDepth' | 'openClaims'>): Promise<void> {
  const depths = Promise.all((Object.keys(JOBS) as JobKind[]).map(async (kind) => ({ kind, counts: await queue.counts(kind) })));
  const open = store.list(COLLECTION.claimsOpen, { limit: MOST_COUNTED });
  await Promise.all([
    within(LOOK_MILLISECONDS, depths, () => new Error('The queue does not answer')).then(
      (kinds) => {
        for (const { kind, counts } of kinds)
          for (const state of ['waiting', 'active', 'dead'] as const) metrics.queueDepth.set({ kind, state }, counts[state]);
      },
      () => metrics.queueDepth.reset(),
    ),
    within(LOOK_MILLISECONDS, open, () => new Error('The store does not answer')).then(
      ({ length }) => metrics.openClaims.set(length),
      () => metrics.openClaims.remove(),
    ),
  ]);
}
