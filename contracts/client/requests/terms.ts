import type { Hex } from 'viem';

/** Tiers as the chain numbers them. */
export const TIERS = { zk: 0, optimistic: 1 } as const;
export type Tier = keyof typeof TIERS;

/** What a requester asks for. Times in seconds, amounts in wei. */
export interface RequestTerms {
  readonly modelId: Hex;
  readonly tier: Tier;
  /** Locked behind an optimistic answer, at least the contract's `minimumCoverage(modelId)`; 0 for the zk tier. */
  readonly coverage?: bigint;
  /** Last second at which an answer is accepted; at most 30 days from now. */
  readonly deadline: number;
  /** Time the input is from; the block's own without it. */
  readonly inputTimestamp?: number;
  /** Gas of the callback to the asking contract, at most 2,000,000; 0, the default, for none. */
  readonly callbackGas?: number;
  /** Optimistic only: the callback may also run before finality, told so. */
  readonly earlyDelivery?: boolean;
}

/** The struct as the contract takes it. */
export function termsOnChain(terms: RequestTerms) {
  return {
    modelId: terms.modelId,
    tier: TIERS[terms.tier],
    earlyDelivery: terms.earlyDelivery ?? false,
    coverage: terms.coverage ?? 0n,
    deadline: terms.deadline,
    inputTimestamp: terms.inputTimestamp ?? 0,
    callbackGas: terms.callbackGas ?? 0,
  } as const;
}
