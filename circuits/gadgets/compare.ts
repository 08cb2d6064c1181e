import { invariant } from '../../core/errors.ts';
import { type ConstraintSystem, PART_C } from '../constraint-system.ts';
import { constantForm, type LinearForm } from '../linear-form.ts';
import { bitsFor } from './range.ts';

/** A signed integer split into bits: value = Σ bits − 2^width, the last bit (2^width) telling that it is not negative. */
export interface SignedBits {
  /** First of width + 1 consecutive bit wires. */
  readonly first: number;
  readonly width: number;
}

/**
 * Splits an integer form in [low, high] as form + 2^width = Σ_{i ≤ width} 2^i·b_i.
 * Precondition: proved finite bounds. Outside [−2^width, 2^width) the row cannot be satisfied. Unique as bits are.
 * Cost: width + 2 rows, width being the bits of the larger of high and −low − 1.
 */
export function splitSigned(cs: ConstraintSystem, form: LinearForm, least = 0): SignedBits {
  invariant(Number.isSafeInteger(form.low) && Number.isSafeInteger(form.high), 'split of an unbounded form');
  const width = Math.max(bitsFor(Math.max(form.high, 0)), bitsFor(Math.max(-form.low - 1, 0)), least);
  const first = cs.bits(width + 1);
  const row = cs.linearRow(cs.sum([form], [constantForm(2 ** width)], [cs.binary(first, width + 1), -1]));
  cs.hint('bits', row, PART_C, first, width + 1, 0);
  return { first, width };
}

/**
 * 1 if the form is ≥ 0, else 0. Preconditions, uniqueness and cost of `splitSigned`; free where the bounds decide or leave two values.
 */
export function isNonNegative(cs: ConstraintSystem, form: LinearForm): LinearForm {
  if (form.low >= 0) return constantForm(1);
  if (form.high < 0) return constantForm(0);
  // Only −1 and 0 remain: the form plus one is the answer.
  if (form.low === -1 && form.high === 0) return cs.sum([form], [constantForm(1)]);
  const { first, width } = splitSigned(cs, form);
  return cs.form(first + width);
}
