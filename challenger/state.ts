import type { Hash } from '../core/brand.ts';
import { type Unit, unitKey } from '../core/dispute/units.ts';
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
 * `unavailable`: its program could not be had. `skipped`: the dice passed it. `ended`: final, or slashed.
 */
export type ClaimState = 'skipped' | 'drawn' | 'right' | 'wrong' | 'unavailable' | 'ended';

export interface WatchedClaim {
  readonly claimId: string;
  readonly modelId: Hash;
  readonly prover: string;
  readonly outputRoot: Hash;
  readonly state: ClaimState;
  /** Units this challenger paid for, with escrow perhaps to reclaim. */
  readonly demanded: readonly Unit[];
  /** Salt of the commitment to a fault, hex; kept so that a restart can still reveal. */
  readonly salt?: string;
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

  roots(claimId: string): readonly Hash[] | undefined {
    return this.state.database.get(['roots', claimId]) as readonly Hash[] | undefined;
  }

  saveRoots(claimId: string, roots: readonly Hash[]): Promise<void> {
    return this.put(['roots', claimId], roots);
  }

  answer(claimId: string, unit: Unit): Uint8Array | undefined {
    const data = this.state.database.get(['answer', claimId, unitKey(unit)]) as Uint8Array | undefined;
    return data === undefined ? undefined : new Uint8Array(data);
  }

  saveAnswer(claimId: string, unit: Unit, data: Uint8Array): Promise<void> {
    return this.put(['answer', claimId, unitKey(unit)], data);
  }

  private async put(key: string[], value: unknown): Promise<void> {
    await this.state.database.put(key, value);
    await this.state.database.flushed;
  }
}
