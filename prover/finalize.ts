import type { Hex } from 'viem';
import type { Log } from '../runtime/log.ts';
import type { NodeChain } from './chain.ts';
import { type ClaimDocument, COLLECTION, orderedId } from './documents.ts';
import type { Store } from './store/port.ts';

/** Ends our claims as soon as the board says that they are final: the lock comes free and the fee is paid. */
export class Finalizer {
  private readonly store: Store;
  private readonly chain: NodeChain;
  private readonly log: Log;
  private readonly running = new Map<string, Promise<void>>();

  constructor(store: Store, chain: NodeChain, log: Log) {
    this.store = store;
    this.chain = chain;
    this.log = log;
  }

  /** Our claim is on chain. */
  async opened(requestId: string, output: Hex, claimedAt: number): Promise<void> {
    await this.update(requestId, { state: 'open', output, claimedAt });
  }

  async ended(requestId: string, state: 'final' | 'faulted'): Promise<void> {
    await this.update(requestId, { state });
  }

  /** Called at every new block; starts what is due and does not wait for it. */
  async wake(): Promise<void> {
    for (const [, claim] of await this.store.list<ClaimDocument>(COLLECTION.claims)) {
      if (claim.state !== 'open' || this.running.has(claim.requestId)) continue;
      const run = this.finish(claim).finally(() => this.running.delete(claim.requestId));
      this.running.set(claim.requestId, run);
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.running.values());
  }

  private async finish(claim: ClaimDocument): Promise<void> {
    try {
      if (!(await this.chain.isFinal(claim.requestId))) return;
      await this.chain.finalize(claim.requestId, claim.output as Hex);
      await this.ended(claim.requestId, 'final');
      this.log.info({ request: claim.requestId }, 'final');
    } catch (error) {
      // Anybody may finalize: the event tells whether somebody did. Else the next block tries again.
      this.log.debug({ request: claim.requestId, error }, 'not finalized yet');
    }
  }

  private async update(requestId: string, change: Partial<ClaimDocument>): Promise<void> {
    const id = orderedId(requestId);
    const claim = await this.store.get<ClaimDocument>(COLLECTION.claims, id);
    if (claim !== undefined) await this.store.put(COLLECTION.claims, id, { ...claim, ...change });
  }
}
