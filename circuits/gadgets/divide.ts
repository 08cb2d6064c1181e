import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { constantForm, constantOf, type LinearForm } from '../linear-form.ts';
import { bitsFor, narrow, rangeCheck } from './range.ts';

/**
 * q = ⌊numerator / denominator⌋ with the remainder checked on both sides.
 *
 * Rows: q·d = numerator − r, 0 ≤ r, 0 ≤ d − 1 − r, q − qLow in range. Preconditions: proved integer bounds, denominator ≥ 1, and both below 2^60;
 * a denominator of zero leaves no assignment. Unique: with q range-checked nothing wraps around the field, so this is division of integers.
 * Cost: 2·bits(d) + bits(q) + about 3 rows; for a constant denominator one of the products disappears.
 */
export function floorDivide(cs: ConstraintSystem, numerator: LinearForm, denominator: LinearForm): LinearForm {
  invariant(denominator.low >= 1, 'a denominator may be zero');
  invariant(Number.isSafeInteger(numerator.low) && Number.isSafeInteger(numerator.high), 'division of an unbounded form');
  const [low, high] = quotientBounds(numerator, denominator);
  const [n, d] = [constantOf(numerator), constantOf(denominator)];
  if (n !== undefined && d !== undefined) return constantForm(Math.floor(n / d));
  if (low === high) return constantForm(low);
  const q = cs.wireOf(low, high);
  const divisor = narrow(cs, denominator);
  const r = cs.wireOf(0, denominator.high - 1);
  const row = cs.row(divisor, cs.form(q), cs.sum([numerator], [cs.form(r), -1]));
  cs.hint('divide', row, q, r);
  rangeCheck(cs, cs.form(r), bitsFor(denominator.high - 1));
  rangeCheck(cs, cs.sum([divisor], [constantForm(-1)], [cs.form(r), -1]), bitsFor(denominator.high - 1));
  rangeCheck(cs, cs.sum([cs.form(q)], [constantForm(-low)]), bitsFor(high - low));
  return cs.form(q);
}

function quotientBounds(numerator: LinearForm, denominator: LinearForm): [number, number] {
  const low = Math.floor(numerator.low / (numerator.low < 0 ? denominator.low : denominator.high));
  const high = Math.floor(numerator.high / (numerator.high < 0 ? denominator.high : denominator.low));
  return [low, high];
}
