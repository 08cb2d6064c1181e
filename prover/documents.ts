import { type Unit, unitKey } from '../core/dispute/units.ts';
import type { Fault } from './fault.ts';

/** What the node remembers; JSON only, integers beyond 2^53 as decimal text. */

/** `waiting`: bytes of the input are not in hand. `queued`: work. `answered`: ours on chain. `passed`: not ours, with the reason. */
export type RequestState = 'waiting' | 'queued' | 'answered' | 'passed';

export interface RequestDocument {
  readonly requestId: string;
  readonly modelId: string;
  /** 0 proved, 1 optimistic. */
  readonly tier: number;
  /** Input root, or commitment for a proved model of input form 2; name of the bytes. */
  readonly input: string;
  readonly fee: string;
  readonly coverage: string;
  readonly deadline: number;
  readonly state: RequestState;
  readonly reason?: string;
}

/** A claim of ours. Kept, with its input, until its lock is released. */
export interface ClaimDocument {
  readonly requestId: string;
  readonly modelId: string;
  readonly input: string;
  /** 0x-hex of the output bytes. */
  readonly output: string;
  readonly fault: Fault | null;
  readonly state: 'prepared' | 'open' | 'final' | 'faulted';
  /** Unix seconds of the claim; 0 until it is on chain. */
  readonly claimedAt: number;
}

/** A demand on one of our claims that waits for its answer. */
export interface DemandDocument {
  readonly claimId: string;
  readonly unit: Unit;
  /** Unix seconds. */
  readonly deadline: number;
}

/** Collections of the store. */
export const COLLECTION = {
  requests: 'requests',
  claims: 'claims',
  demands: 'demands',
  receipts: 'receipts',
  cursor: 'cursor',
} as const;

/** Ids sort as text: pad numbers to one width. */
export function orderedId(number: string | bigint): string {
  return number.toString().padStart(20, '0');
}

/** A unit's one spelling, below its claim. */
export function demandKey(claimId: string, unit: Unit): string {
  return `${orderedId(claimId)}/${unitKey(unit)}`;
}
