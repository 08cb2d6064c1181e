import type { Hash, Hex } from '../brand.ts';
import { invariant } from '../errors.ts';
import type { Program } from '../program/types.ts';
import { inputCount } from '../program/validate.ts';
import { ELEMENT_BYTES, fromBytes, type TypedArray } from '../tensor.ts';
import { chunkCount } from '../tree.ts';
import { joinBytes } from './answers.ts';
import { inputLeafUnit, leafBytes, type Unit, unitKey } from './units.ts';

/** A demand as the chain shows it. */
export interface ObservedDemand {
  readonly unit: Unit;
  readonly status: 'open' | 'answered' | 'returned';
  /** Last second at which an answer is accepted. */
  readonly deadline: number;
  readonly payer: Hex;
  /** The accepted answer, but for the root list. */
  readonly data?: Uint8Array;
}

/** A claim's dispute as the chain shows it; what decisions are made from. */
export interface ObservedDispute {
  readonly phase: 'quiet' | 'disputed' | 'faulted';
  /** The posted root list. */
  readonly roots?: readonly Hash[];
  /** By unitKey. */
  readonly demands: ReadonlyMap<string, ObservedDemand>;
}

export const QUIET: ObservedDispute = { phase: 'quiet', demands: new Map() };

/** What the board's events say, in their order on chain. */
export type DisputeEvent =
  | { readonly type: 'demanded'; readonly unit: Unit; readonly deadline: number; readonly payer: Hex }
  | { readonly type: 'answered'; readonly unit: Unit; readonly data: Uint8Array }
  | { readonly type: 'rootsPosted'; readonly unit: Unit; readonly roots: readonly Hash[] }
  | { readonly type: 'escrowReturned'; readonly unit: Unit }
  | { readonly type: 'convicted' };

function changed(state: ObservedDispute, unit: Unit, change: Partial<ObservedDemand>): ObservedDispute {
  const demands = new Map(state.demands);
  const demand = demands.get(unitKey(unit));
  invariant(demand !== undefined, 'The chain answered a unit that nobody demanded');
  demands.set(unitKey(unit), { ...demand, ...change });
  return { ...state, demands };
}

/** The next state after an event. */
export function observe(state: ObservedDispute, event: DisputeEvent): ObservedDispute {
  switch (event.type) {
    case 'demanded': {
      const { unit, deadline, payer } = event;
      const demands = new Map(state.demands).set(unitKey(unit), { unit, status: 'open', deadline, payer });
      return { ...state, phase: state.phase === 'quiet' ? 'disputed' : state.phase, demands };
    }
    case 'answered':
      return changed(state, event.unit, { status: 'answered', data: event.data });
    case 'rootsPosted':
      return { ...changed(state, event.unit, { status: 'answered' }), roots: event.roots };
    case 'escrowReturned':
      return changed(state, event.unit, { status: 'returned' });
    case 'convicted':
      return { ...state, phase: 'faulted' };
  }
}

/** Demands that wait for an answer, the most urgent first. */
export function openDemands(dispute: ObservedDispute): ObservedDemand[] {
  return [...dispute.demands.values()].filter(({ status }) => status === 'open').sort((a, b) => a.deadline - b.deadline);
}

/** Every leaf of every input: what to demand of a claim whose input nobody hands out. */
export function inputLeafUnits(program: Program): Unit[] {
  return program.instructions.slice(0, inputCount(program)).flatMap(({ type, length }, input) => {
    const leaves = chunkCount(length * ELEMENT_BYTES[type]);
    return Array.from({ length: leaves }, (_, index) => inputLeafUnit(input, index));
  });
}

/** Input tensors put together from the board's answers; undefined while a leaf is missing. */
export function inputsFromAnswers(program: Program, dispute: ObservedDispute): TypedArray[] | undefined {
  const inputs = program.instructions.slice(0, inputCount(program));
  const tensors: TypedArray[] = [];
  for (const [input, { type, length }] of inputs.entries()) {
    const size = length * ELEMENT_BYTES[type];
    const leaves: Uint8Array[] = [];
    for (let index = 0; index < chunkCount(size); index++) {
      const data = dispute.demands.get(unitKey(inputLeafUnit(input, index)))?.data;
      if (data === undefined) return undefined;
      // An answer holds the roots of all inputs, then the leaf, then its siblings.
      leaves.push(data.subarray(32 * inputs.length, 32 * inputs.length + leafBytes(size, index)));
    }
    tensors.push(fromBytes(type, joinBytes(leaves)));
  }
  return tensors;
}
