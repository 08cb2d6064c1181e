import { levelOf, type Unit } from './units.ts';

/** The board's constants, seconds. */
export interface Clocks {
  /** Within this a first demand keeps a claim from being final. */
  readonly window: number;
  /** Within this a demand must be answered. */
  readonly response: number;
  /** Left to react to an answer. */
  readonly reaction: number;
}

/** Last second at which a unit may be demanded. */
export function demandableUntil(clocks: Clocks, claimedAt: number, unit: Unit): number {
  return claimedAt + clocks.window + levelOf(unit) * (clocks.response + clocks.reaction);
}

/** Last second of a disputed claim on a model of this greatest depth; without any demand it ends with the window. */
export function disputeEnd(clocks: Clocks, claimedAt: number, greatestDepth: number): number {
  return claimedAt + clocks.window + (greatestDepth + 3) * (clocks.response + clocks.reaction) + 2 * clocks.reaction;
}

/** Last second at which a commitment to a fault still counts. */
export function commitUntil(clocks: Clocks, finalAt: number): number {
  return finalAt - clocks.reaction;
}
