import { type Address, type Hex, hexToBytes, isAddressEqual } from 'viem';
import { unitFromChain } from '../contracts/client/board/encode.ts';
import type { ChainEvent } from '../contracts/client/follow.ts';
import type { Unit } from '../core/dispute/units.ts';
import { AssayError } from '../core/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Catalog } from './catalog.ts';
import type { NodeChain } from './chain.ts';
import type { Defender } from './defend.ts';
import { type ClaimDocument, COLLECTION, orderedId, type RequestDocument } from './documents.ts';
import type { Finalizer } from './finalize.ts';
import type { InputStore } from './inputs.ts';
import { type IntakePolicy, jobKind, reasonToPass } from './intake.ts';
import type { Queue } from './queue/port.ts';
import type { Store } from './store/port.ts';

/** An endpoint that is away for minutes must lose no request; a proof that fails is dear to try again. */
const ATTEMPTS = { claim: 40, prove: 12 } as const;

export interface WatcherParts {
  readonly owner: Address;
  readonly store: Store;
  readonly queue: Queue;
  readonly chain: NodeChain;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly defender: Defender;
  readonly finalizer: Finalizer;
  readonly policy: Omit<IntakePolicy, 'freeStake' | 'now'>;
  readonly log: Log;
}

interface RequestedArgs {
  readonly requestId: bigint;
  readonly modelId: Hex;
  readonly terms: { readonly tier: number; readonly coverage: bigint; readonly deadline: number };
  readonly fee: bigint;
  readonly inputRoot: Hex;
  readonly input: Hex;
}

interface DemandedArgs {
  readonly source: Address;
  readonly claimId: Hex;
  readonly unit: { readonly kind: number } & Omit<Unit, 'kind'>;
  readonly deadline: bigint;
}

/** Turns the chain's events into work; every handler may see an event twice. */
export class Watcher {
  private readonly parts: WatcherParts;
  private now = 0;

  constructor(parts: WatcherParts) {
    this.parts = parts;
  }

  async onEvent(event: ChainEvent): Promise<void> {
    const { finalizer, defender } = this.parts;
    // The ABI decoded these arguments; their names and types are its own.
    const args = event.args as unknown;
    switch (event.name) {
      case 'Requested':
        return this.requested(args as RequestedArgs);
      case 'Claimed':
        return this.claimed(args as { requestId: bigint; prover: Address; output: Hex });
      case 'Finalized':
        return finalizer.ended(String((args as { requestId: bigint }).requestId), 'final');
      case 'Faulted':
        return finalizer.ended(String((args as { requestId: bigint }).requestId), 'faulted');
      case 'Demanded':
        return this.demanded(args as DemandedArgs);
      case 'Answered': {
        const { source, claimId, unit } = args as DemandedArgs;
        const seen = unitFromChain(unit);
        if (seen !== undefined && this.isOurs(source)) await defender.answered(String(BigInt(claimId)), seen);
        return;
      }
    }
  }

  /** A new block: what waits for time gets its turn. */
  async onHead(timestamp: bigint): Promise<void> {
    this.now = Number(timestamp);
    await this.parts.defender.wake(this.now);
    await this.parts.finalizer.wake();
  }

  /** Input bytes came in: requests that waited for them become work. */
  async inputArrived(names: readonly (string | null)[]): Promise<void> {
    for (const [, request] of await this.parts.store.list<RequestDocument>(COLLECTION.requests)) {
      if (request.state === 'waiting' && names.includes(request.input)) await this.consider(request);
    }
  }

  private isOurs(source: Address): boolean {
    return isAddressEqual(source, this.parts.chain.addresses.requests);
  }

  private async requested(args: RequestedArgs): Promise<void> {
    const { store, catalog, inputs, log } = this.parts;
    const requestId = String(args.requestId);
    const model = catalog.get(args.modelId);
    if (model === undefined) return;
    if (args.input !== '0x') {
      try {
        await inputs.accept(model, hexToBytes(args.input));
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        log.warn({ request: requestId, error }, 'the input of a request is not one of its model');
        return;
      }
    }
    const request: RequestDocument = {
      requestId,
      modelId: args.modelId,
      tier: args.terms.tier,
      input: args.inputRoot,
      fee: String(args.fee),
      coverage: String(args.terms.coverage),
      deadline: args.terms.deadline,
      state: 'waiting',
    };
    const id = orderedId(requestId);
    await store.putIfAbsent(COLLECTION.requests, id, request);
    let known = await store.get<RequestDocument>(COLLECTION.requests, id);
    if (known !== undefined && (known.modelId !== request.modelId || known.input !== request.input)) {
      // A reorganisation gave the id to another request.
      await store.put(COLLECTION.requests, id, request);
      known = request;
    }
    // Seen before a restart: only what has not been decided is decided now.
    if (known?.state === 'waiting') await this.consider(known);
    else if (known?.state === 'queued') await this.enqueue(known);
  }

  private async consider(request: RequestDocument): Promise<void> {
    const { store, chain, catalog, inputs, owner, policy, log } = this.parts;
    const id = orderedId(request.requestId);
    const model = catalog.get(request.modelId);
    const reason = reasonToPass(
      { tier: request.tier, fee: BigInt(request.fee), coverage: BigInt(request.coverage), deadline: request.deadline },
      model,
      { ...policy, freeStake: await chain.freeStake(owner), now: this.now },
    );
    if (reason !== undefined) {
      log.info({ request: request.requestId, reason }, 'passed a request');
      await store.put(COLLECTION.requests, id, { ...request, state: 'passed', reason });
      return;
    }
    if (model === undefined || (await inputs.of(model, request)) === undefined) {
      log.info({ request: request.requestId, input: request.input }, 'a request waits for its input');
      return;
    }
    const queued: RequestDocument = { ...request, state: 'queued' };
    await store.put(COLLECTION.requests, id, queued);
    await this.enqueue(queued);
  }

  private async enqueue(request: RequestDocument): Promise<void> {
    const kind = jobKind(request);
    await this.parts.queue.add({
      id: `${kind}/${request.requestId}`,
      kind,
      data: { requestId: request.requestId },
      attempts: ATTEMPTS[kind],
    });
  }

  private async claimed(args: { requestId: bigint; prover: Address; output: Hex }): Promise<void> {
    if (!isAddressEqual(args.prover, this.parts.owner)) return;
    const requestId = String(args.requestId);
    const claim = await this.parts.store.get<ClaimDocument>(COLLECTION.claims, orderedId(requestId));
    if (claim === undefined) {
      this.parts.log.error({ request: requestId }, 'a claim of ours that this node does not know: another node uses the same stake');
      return;
    }
    await this.parts.finalizer.opened(requestId, args.output, this.now);
  }

  private async demanded(args: DemandedArgs): Promise<void> {
    if (!this.isOurs(args.source)) return;
    const claimId = String(BigInt(args.claimId));
    const claim = await this.parts.store.get<ClaimDocument>(COLLECTION.claims, orderedId(claimId));
    const unit = unitFromChain(args.unit);
    if (claim === undefined || unit === undefined) return;
    await this.parts.defender.demanded({ claimId, unit, deadline: Number(args.deadline) });
  }
}
