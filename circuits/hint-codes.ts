/** How a witness learns the wires of each gadget: code in the hint stream. The solvers are in hints.ts. */
export const HINT_CODES = {
  /** [row, wire] the one unknown of a row, linear in its C part. */
  solve: 0,
  /** [element, wire, first, bits] an input element and its bits 1, 2, …; bit 0 is implied. */
  input: 1,
  /** [row, part, first, count, skip] bits skip, skip + 1, … of the non-negative value of a part. */
  bits: 2,
  /** [row, remainder, shift, quotient] C divided by 2^shift, rounded down, and the bits of the remainder. */
  shift: 3,
  /** [row, remainder, shift, magnitude, count, wire, sign] see gadgets/positive-part.ts. */
  positive: 4,
  /** [row, remainder, shift, low, width, h, spare, tau, sigma, wire] see gadgets/requantize.ts. */
  clamp: 5,
  /** [numerator row, denominator row, quotient] C of the one over A of the other, rounded down; see gadgets/divide.ts. */
  divide: 6,
  /** [row, root] ⌊√C⌋. */
  squareRoot: 7,
  /** [wire] the context: a public signal that is given, not computed. */
  context: 8,
  /** [row, wire] 1 where the B part is zero, else 0. */
  isZero: 9,
  /** [row, wire] the B part where it is positive, else 0; see gadgets/positive-part.ts. */
  positivePart: 10,
} as const;

export type HintName = keyof typeof HINT_CODES;
