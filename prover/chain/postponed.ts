import type { Address } from 'viem';
import { below, COLLECTION, checked, orderedId, postponedSchema, type RequestDocument } from '../records/documents.ts';
import type { Store } from '../store/port.ts';
import type { NodeChain } from './chain.ts';
import { expectedGas, type Means, reasonNotToWait, reasonToWait } from './intake.ts';

export interface PostponedParts extends Pick<Means, 'minimumFee'> {
  readonly owner: Address;
  readonly store: Store;
  readonly chain: Pick<NodeChain, 'freeStake' | 'feePerGas' | 'ether'>;
}

/** Most requests that are taken in one go: each is some questions to the chain. */
const MOST = 64;

/**
 * Requests that are for this node and cannot be taken yet, since its stake is locked, gas is dear or its key has no ether: all pass, and a request may have weeks.
 * What decides is stored beside their names, so that looking at all of them reads pages and no documents, and asks the chain three times.
 */
export class PostponedRequests {
  private readonly parts: PostponedParts;

  constructor(parts: PostponedParts) {
    this.parts = parts;
  }

  /** Why a request cannot be taken now, or is not worth waiting for; neither when it can be taken. */
  async reasons(request: RequestDocument): Promise<{ readonly wait: string | undefined; readonly pass: string | undefined }> {
    const means = await this.means();
    return { wait: reasonToWait(seen(request), means), pass: reasonNotToWait(seen(request), means) };
  }

  async add({ requestId, tier, fee, coverage, callbackGas, deadline }: RequestDocument): Promise<void> {
    await this.parts.store.put(COLLECTION.requestsPostponed, orderedId(requestId), { tier, fee, coverage, callbackGas, deadline });
  }

  async remove(requestId: string): Promise<void> {
    await this.parts.store.remove(COLLECTION.requestsPostponed, orderedId(requestId));
  }

  /**
   * Those that can be taken by now, together, and those whose time is over; the oldest first, a bounded number.
   * @param now chain time, unix seconds @returns keys of their documents
   */
  async due(now: number): Promise<string[]> {
    const { store } = this.parts;
    const due: string[] = [];
    let means: Means | undefined;
    for await (const [id, document] of below(store, COLLECTION.requestsPostponed, '')) {
      const terms = checked(postponedSchema, COLLECTION.requestsPostponed, id, document);
      if (terms.deadline >= now) {
        means ??= await this.means();
        if (reasonToWait(seen(terms), means) !== undefined) continue;
        if (terms.tier === 1) means = { ...means, freeStake: means.freeStake - BigInt(terms.coverage) };
      }
      if (due.push(id) === MOST) break;
    }
    return due;
  }

  private async means(): Promise<Means> {
    const { chain, owner, minimumFee } = this.parts;
    const [freeStake, feePerGas, ether] = await Promise.all([chain.freeStake(owner), chain.feePerGas(), chain.ether()]);
    return { freeStake, feePerGas, ether, minimumFee };
  }
}

function seen({ tier, fee, coverage, callbackGas }: Pick<RequestDocument, 'tier' | 'fee' | 'coverage' | 'callbackGas'>) {
  return { tier, fee: BigInt(fee), coverage: BigInt(coverage), gas: expectedGas(tier, callbackGas) };
}
