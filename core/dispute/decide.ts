import type { Hash, Hex } from '../brand.ts';
import { toHash } from '../keccak.ts';
import { firstDisagreement, outputRoot, type Trace } from '../trace.ts';
import { EMPTY } from '../tree.ts';
import { type Clocks, commitUntil, demandableUntil, disputeEnd } from './clocks.ts';
import { descend, type KnownData } from './descent.ts';
import { buildFault } from './fault.ts';
import { inputLeafUnits, type ObservedDispute, openDemands } from './observed.ts';
import { type Fault, type NodeProof, openRecord, openRoots } from './openings.ts';
import type { ProgramTrees } from './program-trees.ts';
import { TENSOR_ROOTS, type Unit, unitKey } from './units.ts';

/** Units demanded in one transaction at most. */
export const MOST_UNITS = 64;

/** A claim under watch, and what the challenger has done about it so far. */
export interface Challenge {
  readonly trees: ProgramTrees;
  readonly claim: { readonly outputRoot: Hash; readonly claimedAt: number };
  readonly greatestDepth: number;
  readonly clocks: Clocks;
  /** Time and number of the latest block; the move lands in a later one. */
  readonly now: number;
  readonly block: number;
  readonly self?: Hex;
  /** What the prover's own server said; checked here. */
  readonly fetched?: KnownData;
  /** Whether asking the prover's server for a unit is still worth trying. Without it everything is demanded on chain. */
  readonly mayFetch?: (unit: Unit) => boolean;
  /** The latest commitment: to which fault, in which block. */
  readonly committed?: { readonly position: number; readonly element: number; readonly block: number };
}

export type Move =
  /** Nothing more to do: the claim is right, is final, was shown wrong, or a level passed unused. */
  | { readonly type: 'done'; readonly why: 'right' | 'final' | 'faulted' | 'late' }
  /** Look again at `until`, or when something happens on chain. */
  | { readonly type: 'wait'; readonly until: number }
  | { readonly type: 'fetch'; readonly unit: Unit }
  | { readonly type: 'demand'; readonly units: readonly Unit[] }
  | { readonly type: 'demandNode'; readonly unit: Unit; readonly proof: NodeProof }
  | { readonly type: 'expire'; readonly unit: Unit }
  | { readonly type: 'commit'; readonly fault: Fault }
  | { readonly type: 'prove'; readonly fault: Fault };

function waitFor(challenge: Challenge, dispute: ObservedDispute, unit: Unit): Move | undefined {
  const demand = dispute.demands.get(unitKey(unit));
  if (demand === undefined) return undefined;
  return demand.status === 'open' ? { type: 'wait', until: Math.max(challenge.now + 1, demand.deadline + 1) } : undefined;
}

/** Input leaves to demand, or to wait for, while the input is not known. */
function demandInput(challenge: Challenge, dispute: ObservedDispute): Move {
  const units = inputLeafUnits(challenge.trees.program);
  const missing = units.filter((unit) => !dispute.demands.has(unitKey(unit)));
  if (missing.length === 0) {
    const open = openDemands(dispute)[0];
    return { type: 'wait', until: open === undefined ? challenge.now + 1 : open.deadline + 1 };
  }
  const isOver = challenge.now > demandableUntil(challenge.clocks, challenge.claim.claimedAt, missing[0]!);
  return isOver ? { type: 'done', why: 'late' } : { type: 'demand', units: missing.slice(0, MOST_UNITS) };
}

function demandRoots(challenge: Challenge, dispute: ObservedDispute): Move {
  const waiting = waitFor(challenge, dispute, TENSOR_ROOTS);
  if (waiting !== undefined) return waiting;
  const isOver = challenge.now > demandableUntil(challenge.clocks, challenge.claim.claimedAt, TENSOR_ROOTS);
  return isOver ? { type: 'done', why: 'late' } : { type: 'demand', units: [TENSOR_ROOTS] };
}

function nodeProof(
  trees: ProgramTrees,
  posted: readonly Hash[],
  position: number,
  node: Uint8Array | undefined,
  siblings: readonly Uint8Array[],
): NodeProof {
  const { roots, rootSiblings } = openRoots(posted, [position]);
  return {
    ...openRecord(trees, position),
    tensorRoot: roots[0]!,
    rootSiblings,
    node: toHash(node ?? EMPTY),
    nodeSiblings: siblings.map(toHash),
  };
}

/** Down the first wrong tensor to its first wrong element, then commit and prove. */
function pursue(challenge: Challenge, own: Trace, posted: readonly Hash[], dispute: ObservedDispute, position: number): Move {
  const { trees, clocks, now } = challenge;
  const finalAt = disputeEnd(clocks, challenge.claim.claimedAt, challenge.greatestDepth);
  const known: KnownData = (unit) => dispute.demands.get(unitKey(unit))?.data ?? challenge.fetched?.(unit);
  const at = descend(trees.program, position, own.trees[position]!, posted[position]!, known);
  if (!at.found) {
    const waiting = waitFor(challenge, dispute, at.unit);
    if (waiting !== undefined) return waiting;
    const isOver = now > demandableUntil(clocks, challenge.claim.claimedAt, at.unit);
    if (!isOver && challenge.mayFetch?.(at.unit) === true) return { type: 'fetch', unit: at.unit };
    if (isOver) return { type: 'done', why: 'late' };
    return { type: 'demandNode', unit: at.unit, proof: nodeProof(trees, posted, position, at.node, at.siblings) };
  }
  const fault = buildFault(trees, own, posted, position, at);
  const { committed } = challenge;
  if (committed?.position === fault.position && committed.element === fault.element) {
    return challenge.block > committed.block ? { type: 'prove', fault } : { type: 'wait', until: now + 1 };
  }
  return now > commitUntil(clocks, finalAt) ? { type: 'done', why: 'late' } : { type: 'commit', fault };
}

/**
 * What a challenger does next about one claim: pure, so that a whole dispute is played and replayed without a chain. Call it again
 * after every move and every block; it repeats a move until the chain shows its effect.
 * @param own a run on the claim's input; undefined while the input is not known
 */
export function decide(challenge: Challenge, own: Trace | undefined, dispute: ObservedDispute): Move {
  const { claim, clocks, now } = challenge;
  if (dispute.phase === 'faulted') return { type: 'done', why: 'faulted' };
  const late = openDemands(dispute).filter(({ deadline }) => now > deadline);
  // Whoever paid for the demand earns the reward: one of our own first.
  const expired = late.find(({ payer }) => payer.toLowerCase() === challenge.self?.toLowerCase()) ?? late[0];
  if (expired !== undefined) return { type: 'expire', unit: expired.unit };
  const isQuiet = dispute.phase === 'quiet';
  const end = isQuiet ? claim.claimedAt + clocks.window : disputeEnd(clocks, claim.claimedAt, challenge.greatestDepth);
  if (now > end) return { type: 'done', why: 'final' };
  if (own === undefined) return demandInput(challenge, dispute);
  if (dispute.roots === undefined) {
    const isRight = outputRoot(challenge.trees.program, own.roots) === claim.outputRoot;
    return isRight ? { type: 'done', why: 'right' } : demandRoots(challenge, dispute);
  }
  const position = firstDisagreement(own.roots, dispute.roots);
  return position === undefined ? { type: 'done', why: 'right' } : pursue(challenge, own, dispute.roots, dispute, position);
}
