import { type Address, type Hex, isAddressEqual } from 'viem';
import { claimNameOf, isReceiptName } from '../../contracts/client/board/claim-name.ts';
import { unitFromChain } from '../../contracts/client/board/encode.ts';
import type { ChainEvent } from '../../contracts/client/follow.ts';
import { TENSOR_ROOTS, type Unit } from '../../core/dispute/units.ts';
import type { Log } from '../../runtime/log.ts';
import { COLLECTION, claimSchema, load, noteChainTime, orderedId } from '../records/documents.ts';
import type { ChannelBook } from '../service/channels.ts';
import type { Store } from '../store/port.ts';
import { type NodeChain, STATUS } from './chain.ts';
import type { ClaimBook } from './claims.ts';
import type { Collector } from './collect.ts';
import type { Defender } from './defend.ts';
import type { RecentEnds } from './ends.ts';
import type { Finalizer } from './finalize.ts';
import type { RequestDesk, RequestedArgs } from './requests.ts';
import { Sightings } from './sightings.ts';

export interface WatcherParts {
  readonly owner: Address;
  readonly store: Store;
  readonly chain: NodeChain;
  readonly desk: RequestDesk;
  readonly claims: ClaimBook;
  readonly defender: Defender;
  readonly finalizer: Finalizer;
  readonly channels: ChannelBook;
  readonly collector: Collector;
  readonly ends: RecentEnds;
  readonly log: Log;
}

interface DemandedArgs {
  readonly source: Address;
  readonly claimId: Hex;
  readonly unit: { readonly kind: number } & Omit<Unit, 'kind'>;
  readonly deadline: bigint;
}

/** Seconds between two looks at what waits for an input that may never come. */
const SWEEP = 60;
/** Seconds between two looks at answers that were sent and that no event has told of. */
const CONFIRM = 20;
/** Claims of others that are remembered as such. */
const MOST_FOREIGN = 10_000;

/** Turns the chain's events into work; every handler may see an event twice. */
export class Watcher {
  private readonly parts: WatcherParts;
  private now = 0;
  private swept = 0;
  private confirmed = 0;
  /** Time of the first block that was read again, where what may be gone with it was not looked for yet. */
  private replaced: number | undefined;
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly sightings = new Sightings();
  /** Open claims of other provers. Anybody may demand of them what he pays for: none of that may cost us a look at the chain each. */
  private readonly foreign = new Set<string>();

  constructor(parts: WatcherParts) {
    this.parts = parts;
  }

  onEvent(event: ChainEvent): Promise<void> {
    const { requests, board, channels } = this.parts.chain.addresses;
    if (isAddressEqual(event.address, requests)) return this.onRequests(event);
    if (isAddressEqual(event.address, board)) return this.onBoard(event);
    if (isAddressEqual(event.address, channels)) return this.onChannels(event);
    return Promise.resolve();
  }

  /** A new block: what waits for time gets its turn. */
  async onHead(timestamp: bigint): Promise<void> {
    const { store, desk, defender, finalizer, channels, collector, ends, log } = this.parts;
    const now = Number(timestamp);
    // A store that takes nothing, as on a full disk, must not keep demands from being answered.
    if (now !== this.now) await noteChainTime(store, now).catch((error) => log.warn({ error }, 'the time of the chain could not be noted'));
    this.now = now;
    ends.now = now;
    await defender.wake(now);
    await finalizer.wake(now);
    collector.wake(now);
    if (this.replaced !== undefined) this.beside('replaced blocks', () => this.afterRewind());
    if (now >= this.confirmed + CONFIRM) {
      this.confirmed = now;
      this.beside('answers that were sent', () => desk.confirm(now));
      this.beside('requests that wait', () => desk.resume(now));
    }
    if (now < this.swept + SWEEP) return;
    this.swept = now;
    this.beside('what is over', async () => {
      await ends.forget(now);
      await desk.sweep(now);
      await channels.release(now);
    });
  }

  /** Blocks are about to be read again: a number may be that of another request by now. */
  onRewind(): void {
    this.foreign.clear();
  }

  /** After a restart or a reorganisation: claims and answers that were on chain may be gone with the blocks that held them. */
  async onRewound({ timestamp }: { readonly timestamp: bigint }): Promise<void> {
    await this.parts.defender.rewound();
    this.replaced = Math.min(this.replaced ?? Number.POSITIVE_INFINITY, Number(timestamp));
    this.beside('replaced blocks', () => this.afterRewind());
  }

  /** Resolves when nothing is under way beside the stream of events. */
  async idle(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay.values());
  }

  private async afterRewind(): Promise<void> {
    const { claims, channels, ends, log } = this.parts;
    const since = this.replaced;
    if (since === undefined) return;
    this.replaced = undefined;
    try {
      await channels.refresh();
      await ends.rewound(since);
      for (const claimId of await claims.lost(since)) {
        if (await this.takeUp(claimId)) log.warn({ request: claimId }, 'a claim of ours is not on chain any more; its request waits again');
      }
    } catch (error) {
      this.replaced = Math.min(since, this.replaced ?? since);
      throw error;
    }
  }

  /**
   * Looks at the chain that may be many, and transactions that may take minutes to be mined: no demand waits for them. One of a kind at a
   * time; what failed is tried again when it is due again.
   */
  private beside(what: string, work: () => Promise<void>): void {
    if (this.underWay.has(what)) return;
    const run = work()
      .catch((error) => this.parts.log.warn({ what, error }, 'a look at the chain failed; trying again'))
      .finally(() => this.underWay.delete(what));
    this.underWay.set(what, run);
  }

  /** What was over may not be any more: an open claim is watched again, an open request answered again. @returns whether it was so */
  async takeUp(claimId: string): Promise<boolean> {
    const { claims, desk, finalizer } = this.parts;
    if (await claims.openAgain(claimId)) return true;
    if (isReceiptName(claimId) || !(await desk.reopened(claimId, this.now))) return false;
    await finalizer.ended(claimId, 'prepared');
    return true;
  }

  /** Input bytes came in: requests that waited for them become work. */
  inputArrived(names: readonly (string | null)[]): Promise<void> {
    return this.parts.desk.inputArrived(names, this.now);
  }

  private async onRequests(event: ChainEvent): Promise<void> {
    const { desk, claims, finalizer } = this.parts;
    // The ABI decoded these arguments; their names and types are its own.
    const args = event.args as unknown as { readonly requestId: bigint; readonly prover: Address; readonly output: Hex };
    const requestId = String(args.requestId);
    switch (event.name) {
      case 'Requested':
        return desk.requested(event.args as unknown as RequestedArgs, this.now);
      case 'Claimed':
        await desk.ended(requestId, args.prover);
        if (isAddressEqual(args.prover, this.parts.owner)) await this.sighted(requestId, () => claims.opened(requestId, args.output));
        return;
      case 'Fulfilled':
        return desk.ended(requestId, args.prover);
      case 'Refunded':
        return desk.ended(requestId, undefined);
      case 'Finalized':
        await finalizer.ended(requestId, 'final');
        return;
      case 'Faulted':
        return this.faulted(requestId);
    }
  }

  private async onBoard(event: ChainEvent): Promise<void> {
    const { chain, claims, defender } = this.parts;
    const args = event.args as unknown as DemandedArgs;
    if (event.name !== 'Demanded' && event.name !== 'Answered' && event.name !== 'RootsPosted') return;
    const claimId = claimNameOf(chain.addresses, args);
    const unit = event.name === 'RootsPosted' ? TENSOR_ROOTS : unitFromChain(args.unit);
    if (claimId === undefined || unit === undefined) return;
    if (event.name !== 'Demanded') return defender.answered(claimId, unit);
    if (this.foreign.has(claimId)) return;
    const demand = { claimId, unit, deadline: Number(args.deadline) };
    const look = (): Promise<boolean> => claims.isOurs(claimId);
    // One that ended since was not open long ago either.
    const isOurs = demand.deadline < this.now ? await look() : await this.sighted(claimId, look);
    if (isOurs) await defender.demanded(demand);
  }

  /**
   * An event told of a claim: an endpoint that does not show it may lag behind the one which told.
   * @returns whether it is ours and open @throws AssayError STATE_BEHIND until it is shown, or seconds have passed
   */
  private async sighted(claimId: string, isOurs: () => Promise<boolean>): Promise<boolean> {
    const { chain, owner, store } = this.parts;
    if (await isOurs()) {
      this.sightings.found(claimId);
      return true;
    }
    const known = await load(store, claimSchema, COLLECTION.claims, orderedId(claimId));
    if (known?.state === 'final' || known?.state === 'faulted') return false;
    const { open: isOpen, prover } = await chain.claimView(claimId);
    // As after a store was lost, when all claims there ever were are told of again: one that is over hides behind no lag.
    const isOver = !isOpen && !isReceiptName(claimId) && (await chain.request(claimId)).status > STATUS.claimed;
    if (isOver) this.sightings.found(claimId);
    else if (!isOpen || isAddressEqual(prover, owner)) this.sightings.miss(claimId);
    else {
      this.sightings.found(claimId);
      if (this.foreign.size >= MOST_FOREIGN) this.foreign.clear();
      this.foreign.add(claimId);
    }
    return false;
  }

  private async onChannels(event: ChainEvent): Promise<void> {
    const { claims, channels, finalizer, owner, log } = this.parts;
    const { claimId, prover, channelId } = event.args as unknown as {
      readonly claimId?: Hex;
      readonly prover?: Address;
      readonly channelId?: Hex;
    };
    if (channelId !== undefined) await channels.changed(channelId);
    if (claimId === undefined) return;
    const digest = claimId.toLowerCase();
    switch (event.name) {
      case 'ReceiptOpened':
        if (prover === undefined || !isAddressEqual(prover, owner)) return;
        log.info({ claim: digest }, 'a receipt became a claim');
        await this.sighted(digest, () => claims.opened(digest, '0x'));
        return;
      case 'ReceiptSettled':
        if (await finalizer.ended(digest, 'final')) await channels.refresh();
        return;
      case 'ReceiptFaulted':
        await this.faulted(digest);
        return channels.refresh();
    }
  }

  private async faulted(claimId: string): Promise<void> {
    if (await this.parts.finalizer.ended(claimId, 'faulted')) this.parts.log.error({ claim: claimId }, 'a claim of ours was shown wrong');
  }
}
