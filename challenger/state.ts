import type { Hash } from '../core/brand.ts';
import { type DisputeEvent, type ObservedDispute, observe, QUIET } from '../core/dispute/observed.ts';
import type { StateDirectory } from '../runtime/state-directory.ts';

/** A request, as far as checking its answer needs it. Input bytes lie among the artifacts, under the root. */
export interface KnownRequest {
  readonly requestId: string;
  readonly modelId: Hash;
  readonly inputRoot: Hash;
  readonly inputUri: string;
}

/**
 * `drawn`: to be re-executed. `right`: nothing to do. `wrong`: disputed until the chain has decided.
 * `unavailable`: its program is too large to run here. `skipped`: the dice passed it. `ended`: final, or slashed.
 */
export type ClaimState = 'skipped' | 'drawn' | 'right' | 'wrong' | 'unavailable' | 'ended';

export interface WatchedClaim {
  readonly claimId: string;
  readonly modelId: Hash;
  readonly prover: string;
  readonly outputRoot: Hash;
  readonly state: ClaimState;
  /** Unix seconds. */
  readonly claimedAt: number;
  /** The latest commitment to a fault, kept so that a restart can still reveal it. */
  readonly commitment?: { readonly position: number; readonly element: number; readonly block: number; readonly salt: string };
}

/** What the challenger remembers over restarts: its dice, the answers it saw, what it paid for. */
export class ChallengerState {
  private readonly state: StateDirectory;

  constructor(state: StateDirectory) {
    this.state = state;
  }

  cursor(): bigint | undefined {
    const block = this.state.database.get(['cursor', 'chain']) as string | undefined;
    return block === undefined ? undefined : BigInt(block);
  }

  saveCursor(block: bigint): Promise<void> {
    return this.put(['cursor', 'chain'], String(block));
  }

  request(requestId: string): KnownRequest | undefined {
    return this.state.database.get(['request', requestId]) as KnownRequest | undefined;
  }

  saveRequest(request: KnownRequest): Promise<void> {
    return this.put(['request', request.requestId], request);
  }

  claim(claimId: string): WatchedClaim | undefined {
    return this.state.database.get(['claim', claimId]) as WatchedClaim | undefined;
  }

  saveClaim(claim: WatchedClaim): Promise<void> {
    return this.put(['claim', claim.claimId], claim);
  }

  /** Claims in one of the states. */
  claims(...states: readonly ClaimState[]): WatchedClaim[] {
    const found: WatchedClaim[] = [];
    for (const { value } of this.state.database.getRange({ start: ['claim', ''], end: ['claim', '\u{10ffff}'] })) {
      const claim = value as WatchedClaim;
      if (states.includes(claim.state)) found.push(claim);
    }
    return found;
  }

  /** Events of one claim's dispute, in the order of the chain; saving one again changes nothing. */
  saveEvent(claimId: string, order: string, event: DisputeEvent): Promise<void> {
    return this.put(['event', claimId, order], event);
  }

  /** The dispute as its saved events tell it. */
  dispute(claimId: string): ObservedDispute {
    let dispute = QUIET;
    for (const { value } of this.state.database.getRange({ start: ['event', claimId, ''], end: ['event', claimId, '\u{10ffff}'] })) {
      const event = value as DisputeEvent;
      // The database hands out Buffers.
      dispute = observe(dispute, event.type === 'answered' ? { ...event, data: new Uint8Array(event.data) } : event);
    }
    return dispute;
  }

  private async put(key: string[], value: unknown): Promise<void> {
    await this.state.write((database) => database.put(key, value));
  }
}
