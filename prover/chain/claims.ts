import { type Address, isAddressEqual } from 'viem';
import { isReceiptName } from '../../contracts/client/board/claim-name.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { below, type ClaimDocument, COLLECTION, claimSchema, load, orderedId, type Pointer, receiptFault } from '../records/documents.ts';
import { noteInHistory } from '../records/history.ts';
import type { Store } from '../store/port.ts';
import { type NodeChain, STATUS } from './chain.ts';
import type { Finalizer } from './finalize.ts';

export interface ClaimBookParts {
  readonly owner: Address;
  readonly store: Store;
  readonly chain: NodeChain;
  readonly finalizer: Finalizer;
  /** Keeps input bytes for as long as anything can be demanded of a claim made then. */
  hold(input: string, claimedAt: number): Promise<void>;
  /** What of a claim's defence is not in hand. */
  missing(claim: { readonly modelId: string; readonly input: string }): Promise<string | undefined>;
  readonly metrics?: Pick<NodeMetrics, 'alarms'> | undefined;
  readonly log: Log;
}

/** Our claims as the chain has them. What is on chain in our name is ours to defend, whether this node remembers making it or not. */
export class ClaimBook {
  private readonly parts: ClaimBookParts;

  constructor(parts: ClaimBookParts) {
    this.parts = parts;
  }

  /** The chain shows a claim: on a request, or by a receipt that its customer opened. @returns whether it is ours and open */
  async opened(claimId: string, output: string): Promise<boolean> {
    const { owner, store, chain, finalizer, log } = this.parts;
    const view = await chain.claimView(claimId);
    if (!view.open || !isAddressEqual(view.prover, owner)) return false;
    const id = orderedId(claimId);
    const known = await load(store, claimSchema, COLLECTION.claims, id);
    if (known === undefined || known.modelId !== view.modelId || known.input !== view.inputRoot) {
      // Receipts become claims this way; a claim on a request was sent by another process with our key, or our memory is gone.
      if (!isReceiptName(claimId))
        log.error({ claim: claimId }, 'a claim of ours that this node does not remember; it is defended all the same');
      const adopted: ClaimDocument = {
        claimId,
        modelId: view.modelId,
        input: view.inputRoot,
        output,
        fault: isReceiptName(claimId) ? await receiptFault(store, claimId) : null,
        state: 'open',
        claimedAt: Number(view.claimedAt),
      };
      await noteInHistory(store, id, adopted.claimedAt);
      await store.put(COLLECTION.claims, id, adopted);
    }
    await this.checkDefence(claimId, view);
    await this.parts.hold(view.inputRoot, Number(view.claimedAt));
    await finalizer.opened(claimId, { claimedAt: Number(view.claimedAt), output });
    return true;
  }

  /**
   * Names of requests whose claims were open and are not on chain any more.
   * @param since time of the first block that may have been replaced, unix seconds: older claims are where they were
   */
  async lost(since: number): Promise<string[]> {
    const { store, chain } = this.parts;
    const gone: string[] = [];
    for await (const [, { id }] of below<Pointer>(store, COLLECTION.claimsOpen, '')) {
      const claim = await load(store, claimSchema, COLLECTION.claims, id);
      // A receipt has to be opened again by its customer, which is an event like the first.
      if (claim?.state !== 'open' || claim.claimedAt < since || isReceiptName(claim.claimId)) continue;
      if ((await chain.request(claim.claimId)).status === STATUS.open) gone.push(claim.claimId);
    }
    return gone;
  }

  /** A claim that was over may not be any more. @returns whether it is ours and open, and so taken up again */
  async openAgain(claimId: string): Promise<boolean> {
    const known = await load(this.parts.store, claimSchema, COLLECTION.claims, orderedId(claimId));
    return this.opened(claimId, known?.output ?? '0x');
  }

  /** At a start: every open claim, held against what is needed to defend it. Cost: a hash of each one's input. */
  async checkDefences(signal: AbortSignal): Promise<void> {
    const { store } = this.parts;
    for await (const [, { id }] of below<Pointer>(store, COLLECTION.claimsOpen, '')) {
      if (signal.aborted) return;
      const claim = await load(store, claimSchema, COLLECTION.claims, id);
      if (claim?.state === 'open') await this.checkDefence(claim.claimId, { modelId: claim.modelId, inputRoot: claim.input });
    }
  }

  /** Nothing can be done here about what is missing; whoever looks at the log can, until the first demand's clock is over. */
  private async checkDefence(claimId: string, { modelId, inputRoot }: { modelId: string; inputRoot: string }): Promise<void> {
    const { log, metrics, missing } = this.parts;
    const what = await missing({ modelId, input: inputRoot });
    if (what === undefined) return;
    metrics?.alarms.inc({ reason: 'demand' });
    log.error(
      { claim: claimId, modelId, input: inputRoot, missing: what },
      'a claim of ours cannot be defended: the first demand takes its lock',
    );
  }

  /** Whether a demand is on a claim of ours that is to be defended. */
  async isOurs(claimId: string): Promise<boolean> {
    const known = await load(this.parts.store, claimSchema, COLLECTION.claims, orderedId(claimId));
    return known?.state === 'open' ? true : this.openAgain(claimId);
  }
}
