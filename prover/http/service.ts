import type { NodeMetrics } from '../metrics.ts';
import type { AnswerView, ClaimView, HealthView, JobView, OfferedModel, ReadyView } from './schemas.ts';

/** Who asks: a customer with an API key, or whoever sends from an address. */
export interface Caller {
  /** Scopes idempotency keys and owns jobs: `key:<id>` or `address:<ip>`. */
  readonly id: string;
  /** Ethereum address of the customer, where its API key names one: whose coverage channels it may draw on. */
  readonly customer: string | undefined;
}

export interface Question {
  readonly modelId: string;
  /** Canonical bytes of all inputs, joined. */
  readonly input: Uint8Array;
  readonly caller: Caller;
  readonly idempotencyKey?: string | undefined;
}

export interface OptimisticQuestion extends Question {
  /** Coverage channel to draw on; unsecured without. */
  readonly channel?: string | undefined;
  /** Wei, decimal. */
  readonly coverage?: string | undefined;
  /** Whether the answer is wanted as numbers besides. */
  readonly asNumbers: boolean;
}

export interface ProofQuestion extends Question {
  /** Time that the proof may take. */
  readonly seconds: number;
}

/** A program file that can be read in part. */
export interface ProgramFile {
  readonly path: string;
  readonly bytes: number;
  /** keccak256 of the whole. */
  readonly hash: string;
}

/** What watches a node asks. */
export interface OperationsService {
  health(): HealthView;
  /** Whether work can be taken now, and why not. */
  readiness(): Promise<ReadyView>;
  readonly metrics: NodeMetrics;
  /** Brings gauges up to date before they are read. */
  refreshMetrics(): Promise<void>;
}

/** What the HTTP service offers of the node; transport stays out of the node, and the node out of transport. */
export interface NodeService extends OperationsService {
  models(): readonly OfferedModel[];
  /** Undefined for a model that is not served. */
  programFile(modelId: string): ProgramFile | undefined;
  /** Canonical input bytes of values by name. @throws AssayError INPUT_VALUES, INPUT_RANGE, INPUT_SHAPE */
  inputBytes(modelId: string, given: { readonly values?: Named | undefined; readonly integers?: Named | undefined }): Uint8Array;
  /** Largest input any served model takes, bytes. */
  readonly largestInput: number;
  /** Keeps input bytes under their root (and commitment) and starts what waited for them. */
  acceptInput(modelId: string, bytes: Uint8Array): Promise<{ readonly inputRoot: string; readonly commitment: string | null }>;
  /** Input bytes by root or commitment. */
  input(hash: string): Promise<Uint8Array | undefined>;
  /** Runs the model and signs what it answered; the answer is stored when this resolves. */
  infer(question: OptimisticQuestion): Promise<AnswerView>;
  receipt(id: string, caller: Caller): Promise<AnswerView | undefined>;
  /** Accepts a proof to make; it is stored and queued when this resolves. @throws AssayError TIER_MISSING, NODE_BUSY */
  prove(question: ProofQuestion): Promise<JobView>;
  /** A job of this caller. */
  job(id: string, caller: Caller): Promise<JobView | undefined>;
  /** Gives up a job of this caller; one that has ended stays as it is. */
  cancelJob(id: string, caller: Caller): Promise<JobView | undefined>;
  /** Claim of this node: by number of its request, or digest of its receipt. Its trace is computed when asked for. */
  claim(claimId: string): Promise<ClaimView | undefined>;
  traceRoots(claimId: string): Promise<readonly string[] | undefined>;
  /** Bytes that would answer a demand of a node (height ≥ 1) or leaf (height 0) of a tensor (docs/dispute.md, "Answers"). */
  traceUnit(claimId: string, tensor: number, height: number, index: number): Promise<Uint8Array | undefined>;
}

export type Named = Readonly<Record<string, readonly number[]>>;
