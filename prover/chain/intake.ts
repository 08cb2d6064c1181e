import type { ServedModel } from '../models/catalog.ts';

/** What a request asks, as the chain tells it. */
export interface RequestTermsSeen {
  readonly tier: number;
  readonly fee: bigint;
  readonly coverage: bigint;
  readonly deadline: number;
  /** Gas that answering will cost us, callbacks included. */
  readonly gas: bigint;
}

/** What the operator accepts. */
export interface IntakePolicy {
  /** Wei; undefined: what answering costs at the current price of gas. */
  readonly minimumFee: bigint | undefined;
  readonly mostFee: bigint | undefined;
  readonly mostCoverage: bigint | undefined;
  /** Chain time, unix seconds. */
  readonly now: number;
  /** The chain holds a proof that the model is ill-formed, or its key unsound. */
  readonly disabled: boolean;
  /** A liar of the development chain takes optimistic requests alone: a false proof cannot be made. */
  readonly faulty: boolean;
}

/** What there is to accept with now; there may be more later. */
export interface Means extends Pick<IntakePolicy, 'minimumFee'> {
  readonly freeStake: bigint;
  /** Wei a unit of gas costs now. */
  readonly feePerGas: bigint;
  /** Wei that the hot key holds. */
  readonly ether: bigint;
}

/**
 * Gas that the hot key must always be able to pay for: every answer of a long dispute, and some claims. Demands are paid for to the owner,
 * not to the key: whoever asks many of them empties it, and takes the lock of the first that goes unanswered.
 */
export const RESERVE_GAS = 10_000_000n;

/** Seconds that an answer needs before its deadline to be worth starting. */
export const LEAST_TIME = { proved: 5, optimistic: 2 } as const;

/** Gas of a proof's verification and delivery, and of a claim and its end, before callbacks (contracts/snapshots). */
const GAS = { proved: 450_000n, optimistic: 230_000n } as const;

/** Gas that answering a request costs its prover; whoever ends a claim pays for the callback. */
export function expectedGas(tier: number, callbackGas: number): bigint {
  return (tier === 0 ? GAS.proved : GAS.optimistic) + BigInt(callbackGas);
}

/** Why a request is not for this node, for good; undefined when it is. Pure. */
export function reasonToPass(
  terms: Omit<RequestTermsSeen, 'gas'>,
  model: ServedModel | undefined,
  policy: IntakePolicy,
): string | undefined {
  if (model === undefined) return 'the model is not served here';
  if (policy.disabled) return 'the model was shown ill-formed, or its key unsound';
  if (terms.tier === 0 && model.inputForm === 0) return 'the model has no zk tier here';
  if (terms.tier === 0 && policy.faulty) return 'a faulty node proves nothing';
  if (policy.minimumFee !== undefined && terms.fee < policy.minimumFee) return 'the fee is below the minimum';
  if (policy.mostFee !== undefined && terms.fee > policy.mostFee) return 'the fee is above the limit';
  const time = terms.tier === 0 ? LEAST_TIME.proved : LEAST_TIME.optimistic;
  if (terms.deadline < policy.now + time) return 'the deadline is too close';
  if (terms.tier === 1 && policy.mostCoverage !== undefined && terms.coverage > policy.mostCoverage)
    return 'the coverage is above the limit';
  return undefined;
}

/** Times what a request pays that an answer's gas costs now: it will not come down so far in the time that a request has. */
const HOPELESS = 100n;

/** Why a request is not worth waiting for: whoever pays next to nothing may ask any number of times. Pure. */
export function reasonNotToWait({ fee, gas }: Pick<RequestTermsSeen, 'fee' | 'gas'>, means: Means): string | undefined {
  const isHopeless = means.minimumFee === undefined && fee * HOPELESS < gas * means.feePerGas;
  return isHopeless ? 'the fee pays for next to nothing of the gas of an answer' : undefined;
}

/** Why a request that is for this node cannot be taken now; undefined when it can. Pure. */
export function reasonToWait({ tier, fee, gas, coverage }: Omit<RequestTermsSeen, 'deadline'>, means: Means): string | undefined {
  if (means.minimumFee === undefined && fee < gas * means.feePerGas) return 'the fee does not pay for the gas of an answer';
  if (tier === 1 && coverage > means.freeStake) return 'the free stake does not cover it';
  if (tier === 1 && means.ether < RESERVE_GAS * means.feePerGas) return 'the hot key has too little ether to answer demands';
  return undefined;
}
