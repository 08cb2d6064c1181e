import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { constantForm, type LinearForm } from '../linear-form.ts';
import { bitsFor, rangeCheck } from './range.ts';

/** A signed integer split into bits: value = lower − 2^width·(1 − top). */
export interface SignedBits {
  readonly width: number;
  /** The bits in order, the lowest ones first; the last (of weight 2^width) tells that the value is not negative. */
  readonly bits: readonly LinearForm[];
  readonly top: LinearForm;
}

/**
 * Splits an integer form in [low, high] as form + 2^width = Σ_{i ≤ width} 2^i·b_i.
 * Precondition: proved finite bounds. Outside [−2^width, 2^width) the rows cannot be satisfied. Unique as bits are.
 * Cost: width + 1 rows for a short form, width + 2 for a long one, width being the bits of the larger of high and −low − 1.
 */
export function splitSigned(cs: ConstraintSystem, form: LinearForm, least = 0): SignedBits {
  invariant(Number.isSafeInteger(form.low) && Number.isSafeInteger(form.high), 'split of an unbounded form');
  const width = Math.max(bitsFor(Math.max(form.high, 0)), bitsFor(Math.max(-form.low - 1, 0)), least);
  const bits = rangeCheck(cs, cs.sum([form], [constantForm(2 ** width)]), width + 1);
  return { width, bits, top: bits[width]! };
}

/** Σ 2^i·bits[i] over the first `count`. */
export function lowestBits(cs: ConstraintSystem, { bits }: SignedBits, count: number): LinearForm {
  const form = cs.sum(...bits.slice(0, count).map((bit, i): [LinearForm, number] => [bit, 2 ** i]));
  return { ...form, low: 0, high: 2 ** count - 1 };
}

/**
 * 1 if the form is ≥ 0, else 0. Preconditions, uniqueness and cost of `splitSigned`; free where the bounds decide or leave two values.
 */
export function isNonNegative(cs: ConstraintSystem, form: LinearForm): LinearForm {
  if (form.low >= 0) return constantForm(1);
  if (form.high < 0) return constantForm(0);
  // Only −1 and 0 remain: the form plus one is the answer.
  if (form.low === -1 && form.high === 0) return cs.sum([form], [constantForm(1)]);
  return splitSigned(cs, form).top;
}
