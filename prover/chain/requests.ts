import { type Address, type Hex, hexToBytes, isAddressEqual } from 'viem';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Catalog } from '../models/catalog.ts';
import type { Queue } from '../queue/port.ts';
import {
  below,
  type ClaimDocument,
  COLLECTION,
  checked,
  load,
  orderedId,
  type Pointer,
  type ProofDocument,
  pointerSchema,
  proofId,
  type RequestDocument,
  requestSchema,
  waitingKey,
} from '../records/documents.ts';
import { noteInHistory } from '../records/history.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import { enqueue } from '../work/jobs.ts';
import { type NodeChain, STATUS } from './chain.ts';
import type { RecentEnds } from './ends.ts';
import type { InputFetcher } from './fetch-input.ts';
import { type IntakePolicy, reasonToPass } from './intake.ts';
import { PostponedRequests } from './postponed.ts';
import { type AskedNow, isStillAsked, questionOfRequest } from './question.ts';

export interface RequestDeskParts {
  readonly owner: Address;
  readonly store: Store;
  readonly queue: Queue;
  readonly chain: NodeChain;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly fetcher: Pick<InputFetcher, 'fetch'>;
  readonly ends: Pick<RecentEnds, 'note'>;
  /** Watches a claim of ours again where the chain says that it is open. @returns whether it was so */
  takeUp(claimId: string): Promise<boolean>;
  readonly policy: Pick<IntakePolicy, 'minimumFee' | 'mostFee' | 'mostCoverage' | 'faulty'>;
  readonly log: Log;
}

export interface RequestedArgs {
  readonly requestId: bigint;
  readonly modelId: Hex;
  readonly terms: Omit<AskedNow['terms'], 'modelId'>;
  readonly fee: bigint;
  readonly inputRoot: Hex;
  readonly input: Hex;
  readonly inputUri: string;
}

const LONGEST_URI = 2_048;
/** Seconds after which no reorganisation takes an answer back. */
const LONG_AGO = 6 * 3600;

/** Decides on requests, and turns those that are for this node into work. Everything here may happen twice. */
export class RequestDesk {
  private readonly parts: RequestDeskParts;
  private readonly postponed: PostponedRequests;

  constructor(parts: RequestDeskParts) {
    this.parts = parts;
    const { owner, store, chain, policy } = parts;
    this.postponed = new PostponedRequests({ owner, store, chain, minimumFee: policy.minimumFee });
  }

  async requested(args: RequestedArgs, now: number): Promise<void> {
    const { store, catalog } = this.parts;
    const requestId = String(args.requestId);
    const id = orderedId(requestId);
    if (catalog.get(args.modelId) === undefined) return;
    // Nobody can answer it any more: what is known of it ends by its deadline, and what was removed is not stored again.
    if (args.terms.deadline < now) return;
    if (args.input !== '0x' && !(await this.keepInput(args))) return;
    const request: RequestDocument = {
      requestId,
      modelId: args.modelId,
      tier: args.terms.tier,
      input: args.inputRoot,
      fee: String(args.fee),
      coverage: String(args.terms.coverage),
      callbackGas: args.terms.callbackGas,
      earlyDelivery: args.terms.earlyDelivery,
      deadline: args.terms.deadline,
      ...(args.inputUri === '' || args.inputUri.length > LONGEST_URI ? {} : { inputUri: args.inputUri }),
      state: 'waiting',
    };
    // A reorganisation may have given the number to another request, or to the same question on other terms.
    const question = questionOfRequest(request);
    await noteInHistory(store, id, request.deadline);
    const known = await store.update<RequestDocument>(COLLECTION.requests, id, (before) =>
      before !== undefined && questionOfRequest(before) === question ? undefined : request,
    );
    if (known === undefined || known.state === 'waiting') return this.consider(request, now);
    if (known.state === 'queued') return this.enqueue(known);
    // Told again, after a restart or a reorganisation: what was answered may wait for an answer once more.
    if (await this.waitsOnChain(known)) await this.consider({ ...request, state: 'waiting' }, now);
  }

  /** Input bytes came in: requests that waited for them become work. */
  async inputArrived(names: readonly (string | null)[], now: number): Promise<void> {
    for (const name of names) {
      if (name === null) continue;
      for await (const [key, pointer] of below<Pointer>(this.parts.store, COLLECTION.requestsWaiting, `${name}/`)) {
        await this.reconsider(key, pointer, now);
      }
    }
  }

  /** Requests whose input has not come before their deadline wait no more. */
  async sweep(now: number): Promise<void> {
    for await (const [key, pointer] of below<Pointer>(this.parts.store, COLLECTION.requestsWaiting, '')) {
      const request = await this.pointed(key, pointer);
      if (request === undefined || request.state !== 'waiting') await this.parts.store.remove(COLLECTION.requestsWaiting, key);
      else if (request.deadline < now) await this.pass(request, 'its input never came');
      else if (request.reason === undefined) this.fetchInput(request);
    }
  }

  /**
   * An answer of ours was sent; no event told of it yet. Where the block that held it was replaced, none ever will. And what is still work
   * long after its time is none: its proof failed, its customer takes no refund.
   */
  async confirm(now: number): Promise<void> {
    const { store, chain, log } = this.parts;
    for await (const [key, pointer] of below<Pointer>(store, COLLECTION.requestsQueued, '')) {
      const request = await this.pointed(key, pointer);
      const isLate = request !== undefined && request.deadline + LONG_AGO < now;
      if (request?.state !== 'answered' && !(request?.state === 'queued' && isLate)) continue;
      const { status, time } = await chain.request(request.requestId);
      if (isLate || (status !== STATUS.open && status !== STATUS.none && time + LONG_AGO < now)) await this.close(request, status);
      else if (status === STATUS.open && (await this.reopened(request.requestId, now))) {
        log.warn({ request: request.requestId }, 'an answer of ours is not on chain any more; it is sent again');
      }
    }
  }

  /** Its event came long ago, and a crash left it among the work; or it never came. */
  private async close(request: RequestDocument, status: number): Promise<void> {
    const isOurs = status === STATUS.claimed && (await this.parts.takeUp(request.requestId));
    if (request.state === 'queued' && !isOurs) return this.pass(request, 'its time is over');
    await this.parts.store.put(COLLECTION.requests, orderedId(request.requestId), {
      ...request,
      state: 'answered',
    } satisfies RequestDocument);
    await this.forget(request);
  }

  /** Stake came free, or gas is cheaper: what waited for that becomes work. What waited in vain is passed. */
  async resume(now: number): Promise<void> {
    const { store, log } = this.parts;
    for (const id of await this.postponed.due(now)) {
      try {
        const request = await load(store, requestSchema, COLLECTION.requests, id);
        if (request?.state !== 'waiting') await store.remove(COLLECTION.requestsPostponed, id);
        else if (request.deadline < now) await this.pass(request, request.reason ?? 'its time is over');
        else await this.consider(request, now);
      } catch (error) {
        log.warn({ request: id, error }, 'a request that waited could not be taken; trying again');
      }
    }
  }

  /** The chain says that a request is over, as far as `confirmations` tell. */
  async ended(requestId: string, prover: Address | undefined): Promise<void> {
    const { store, owner, ends } = this.parts;
    const id = orderedId(requestId);
    const request = await load(store, requestSchema, COLLECTION.requests, id);
    if (request === undefined) return;
    const isOurs = prover !== undefined && isAddressEqual(prover, owner);
    // A claim of ours is not over yet.
    if (!isOurs || request.tier === 0) await ends.note(requestId);
    if (!isOurs) return this.pass(request, 'it was answered by another prover or refunded');
    await store.put(COLLECTION.requests, id, { ...request, state: 'answered' } satisfies RequestDocument);
    await this.forget(request);
  }

  /** An answer is not on chain any more: its request waits again, and what was prepared is sent again. @returns whether it was so */
  async reopened(requestId: string, now: number): Promise<boolean> {
    const request = await load(this.parts.store, requestSchema, COLLECTION.requests, orderedId(requestId));
    if (request === undefined || !(await this.waitsOnChain(request))) return false;
    await this.consider({ ...request, state: 'waiting' }, now);
    return true;
  }

  private async keepInput(args: RequestedArgs): Promise<boolean> {
    const model = this.parts.catalog.get(args.modelId)!;
    try {
      await this.parts.inputs.accept(model, hexToBytes(args.input));
      return true;
    } catch (error) {
      // Anything else, such as a disk that is full, is ours and passes.
      if (!(error instanceof AssayError) || error.code !== 'TENSOR_SIZE') throw error;
      this.parts.log.warn({ request: String(args.requestId), error }, 'the input of a request is not one of its model');
      return false;
    }
  }

  /** Looks where the requester says that the input is; not waited for. */
  private fetchInput(request: RequestDocument): void {
    const model = this.parts.catalog.get(request.modelId);
    if (model !== undefined && request.inputUri !== undefined) this.parts.fetcher.fetch(model, request.input, request.inputUri);
  }

  private async waitsOnChain(request: RequestDocument): Promise<boolean> {
    const seen = await this.parts.chain.request(request.requestId);
    return seen.status === STATUS.open && isStillAsked(request, seen);
  }

  private async consider(request: RequestDocument, now: number): Promise<void> {
    const { catalog, inputs, log } = this.parts;
    const model = catalog.get(request.modelId);
    const { wait, pass } = await this.postponed.reasons(request);
    const reason = pass ?? (await this.reasonAgainst(request, now));
    if (reason !== undefined) {
      log.info({ request: request.requestId, reason }, 'passed a request');
      return this.pass(request, reason);
    }
    // Held before it is looked for: what is there then stays.
    if (model !== undefined && (await inputs.has(request.input))) await inputs.hold(request.input, request.deadline);
    const hasInput = model !== undefined && (await inputs.of(model, request)) !== undefined;
    if (hasInput && wait === undefined) await this.take(request);
    else await this.wait(request, hasInput, wait);
  }

  private async take(request: RequestDocument): Promise<void> {
    const { store } = this.parts;
    const id = orderedId(request.requestId);
    const queued: RequestDocument = { ...request, state: 'queued', reason: undefined };
    await store.put(COLLECTION.requestsQueued, id, { id } satisfies Pointer);
    if (queued.tier === 0) await this.orderProof(queued);
    await store.put(COLLECTION.requests, id, queued);
    await store.remove(COLLECTION.requestsWaiting, waitingKey(request));
    await this.postponed.remove(request.requestId);
    await this.enqueue(queued);
  }

  /** For its input, for stake and cheaper gas, or for both. @param reason why it cannot be taken now, whatever is in hand */
  private async wait(request: RequestDocument, hasInput: boolean, reason: string | undefined): Promise<void> {
    const { store, log } = this.parts;
    const { requestId, input } = request;
    const id = orderedId(requestId);
    if (!hasInput) await store.put(COLLECTION.requestsWaiting, waitingKey(request), { id } satisfies Pointer);
    if (reason !== undefined) await this.postponed.add(request);
    await store.put(COLLECTION.requests, id, { ...request, state: 'waiting', reason } satisfies RequestDocument);
    log.info({ request: requestId, input, hasInput, reason }, 'a request waits: for its input, or until it can be taken');
    if (hasInput) await store.remove(COLLECTION.requestsWaiting, waitingKey(request));
    // Nobody has this node look anywhere for nothing.
    else if (reason === undefined) this.fetchInput(request);
    if (reason === undefined) await this.postponed.remove(requestId);
  }

  private async reasonAgainst(request: RequestDocument, now: number): Promise<string | undefined> {
    const { chain, catalog, policy } = this.parts;
    const { modelId, tier, fee, coverage, deadline } = request;
    const model = catalog.get(modelId);
    if (model === undefined) return 'the model is not served here';
    const terms = await chain.terms(modelId as Hex);
    const disabled = terms.illFormed || (tier === 0 && terms.keyBroken);
    return reasonToPass({ tier, fee: BigInt(fee), coverage: BigInt(coverage), deadline }, model, { ...policy, now, disabled });
  }

  /** The document that a worker makes the proof from; one that is there for the same question is left as it is. */
  private async orderProof(request: RequestDocument): Promise<void> {
    const { chain, store, owner } = this.parts;
    const id = proofId(request.requestId);
    const context = String(await chain.context(request.requestId, owner, request.modelId as Hex));
    const wanted: ProofDocument = {
      id,
      modelId: request.modelId,
      input: request.input,
      context,
      deadline: request.deadline,
      state: 'queued',
      progress: 0,
      requestId: request.requestId,
      createdAt: Math.floor(Date.now() / 1000),
    };
    await store.update<ProofDocument>(COLLECTION.proofs, id, (before) =>
      before?.context === context && before.modelId === wanted.modelId && before.input === wanted.input && before.state !== 'failed'
        ? undefined
        : wanted,
    );
  }

  private async enqueue({ tier, requestId }: RequestDocument): Promise<void> {
    if (tier === 0) await enqueue(this.parts.queue, 'prove', { proofId: proofId(requestId) });
    else await enqueue(this.parts.queue, 'run', { requestId });
  }

  private async pass(request: RequestDocument, reason: string): Promise<void> {
    const { store } = this.parts;
    const id = orderedId(request.requestId);
    await store.put(COLLECTION.requests, id, { ...request, state: 'passed', reason } satisfies RequestDocument);
    await store.update<ClaimDocument>(COLLECTION.claims, id, (claim) =>
      claim?.state === 'prepared' ? { ...claim, state: 'void' } : undefined,
    );
    await this.forget(request);
  }

  private async forget(request: RequestDocument): Promise<void> {
    await this.parts.store.remove(COLLECTION.requestsQueued, orderedId(request.requestId));
    await this.parts.store.remove(COLLECTION.requestsWaiting, waitingKey(request));
    await this.postponed.remove(request.requestId);
  }

  private async pointed(key: string, pointer: unknown): Promise<RequestDocument | undefined> {
    const { id } = checked(pointerSchema, COLLECTION.requestsWaiting, key, pointer);
    return load(this.parts.store, requestSchema, COLLECTION.requests, id);
  }

  private async reconsider(key: string, pointer: Pointer, now: number): Promise<void> {
    const request = await this.pointed(key, pointer);
    if (request?.state === 'waiting') await this.consider(request, now);
    else await this.parts.store.remove(COLLECTION.requestsWaiting, key);
  }
}
