import type { ServedModel } from './catalog.ts';
import type { RequestDocument } from './documents.ts';

/** What a request asks, as the chain tells it. */
export interface RequestTermsSeen {
  readonly tier: number;
  readonly fee: bigint;
  readonly coverage: bigint;
  readonly deadline: number;
}

/** What the operator accepts, and what there is to accept with. */
export interface IntakePolicy {
  readonly minimumFee: bigint;
  readonly mostFee: bigint | undefined;
  readonly mostCoverage: bigint | undefined;
  readonly freeStake: bigint;
  /** Chain time, unix seconds. */
  readonly now: number;
  /** A liar of the development chain takes optimistic requests alone: a false proof cannot be made. */
  readonly faulty: boolean;
}

/** Seconds that an answer needs before its deadline to be worth starting. */
export const LEAST_TIME = { proved: 5, optimistic: 2 } as const;

/** Why a request is not for this node; undefined when it is. Pure. */
export function reasonToPass(terms: RequestTermsSeen, model: ServedModel | undefined, policy: IntakePolicy): string | undefined {
  if (model === undefined) return 'the model is not served here';
  if (terms.tier === 0 && model.inputForm === 0) return 'the model has no zk tier here';
  if (terms.tier === 0 && policy.faulty) return 'a faulty node proves nothing';
  if (terms.fee < policy.minimumFee) return 'the fee is below the minimum';
  if (policy.mostFee !== undefined && terms.fee > policy.mostFee) return 'the fee is above the limit';
  const time = terms.tier === 0 ? LEAST_TIME.proved : LEAST_TIME.optimistic;
  if (terms.deadline < policy.now + time) return 'the deadline is too close';
  if (terms.tier === 1 && policy.mostCoverage !== undefined && terms.coverage > policy.mostCoverage)
    return 'the coverage is above the limit';
  if (terms.tier === 1 && terms.coverage > policy.freeStake) return 'the free stake does not cover it';
  return undefined;
}

/** Queue kinds by tier. */
export function jobKind(document: Pick<RequestDocument, 'tier'>): 'prove' | 'claim' {
  return document.tier === 0 ? 'prove' : 'claim';
}
