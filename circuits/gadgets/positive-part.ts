import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { type LinearForm, ZERO_FORM } from '../linear-form.ts';
import { bitsFor, isShort, rangeCheck } from './range.ts';

/**
 * max(q, 0) for q = ⌊value / 2^shift⌋ (sign 1) or ⌈value / 2^shift⌉ (sign −1).
 *
 * value = 2^shift·(2y − t) + sign·r with r of `shift` bits, t of `count` bits and y·(t − y) = 0.
 * So y ∈ {0, t} and q = 2y − t is t or −t: y = max(q, 0) and t = |q|. Unique: r and q are quotient and remainder, |q| ≤ 2^count − 1
 * stays far below p; for q = 0 both choices are the same. A short value without a shift is q itself: see `shortPart`.
 * Precondition: the bounds of `value` are proved integers below 2^52. Outside the bounds the rows cannot be satisfied.
 * Cost: shift + count + 2 rows, count being the bits of the largest |q|; one less for a short value without a shift. Free where the sign
 * is known: none or the quotient alone.
 */
export function positivePart(cs: ConstraintSystem, value: LinearForm, shift: number, sign: 1 | -1): LinearForm {
  const divide = (v: number): number => (sign === 1 ? Math.floor(v / 2 ** shift) : Math.ceil(v / 2 ** shift));
  const [from, to] = [divide(value.low), divide(value.high)];
  invariant(Number.isSafeInteger(from) && Number.isSafeInteger(to), 'positive part of an unbounded form');
  if (to <= 0) return ZERO_FORM;
  if (from >= 0 && shift === 0) return value;
  const count = bitsFor(Math.max(to, -from));
  if (shift === 0 && isShort(value)) return shortPart(cs, value, count);
  const remainder = cs.bits(shift);
  const magnitude = cs.bits(count);
  const y = cs.wireOf(Math.max(from, 0), to);
  const t = cs.binary(magnitude, count);
  cs.row(cs.form(y), cs.sum([t, 1], [cs.form(y), -1]), ZERO_FORM);
  const scale = 2 ** shift;
  const row = cs.linearRow(cs.sum([value, 1], [cs.form(y), -2 * scale], [t, scale], [cs.binary(remainder, shift), -sign]));
  cs.hint('positive', row, remainder, shift, magnitude, count, y, sign);
  return cs.form(y);
}

/**
 * max(q, 0) for a form of few terms: y·(q − y) = 0 and 2y − q of `count` bits. So y is 0 or q, and |q| is 2y − q, not q − 2y: y = max(q, 0).
 * Unique: for q ≠ 0 the other choice makes 2y − q the negative −|q|, which no bits give. Cost: count + 1 rows.
 */
function shortPart(cs: ConstraintSystem, q: LinearForm, count: number): LinearForm {
  const y = cs.wireOf(0, q.high);
  const row = cs.row(cs.form(y), cs.sum([q], [cs.form(y), -1]), ZERO_FORM);
  cs.hint('positivePart', row, y);
  rangeCheck(cs, cs.sum([cs.form(y), 2], [q, -1]), count);
  return cs.form(y);
}

/** max(a, b) of two integer forms: b + max(a − b, 0). Cost: bits of |a − b| + 2 rows, one less for short forms; free where one always wins. */
export function maximum(cs: ConstraintSystem, a: LinearForm, b: LinearForm): LinearForm {
  const difference = cs.sum([a, 1], [b, -1]);
  if (difference.low >= 0) return a;
  if (difference.high <= 0) return b;
  const result = cs.sum([b, 1], [positivePart(cs, difference, 0, 1), 1]);
  // The sum of the bounds is loose: the value is one of the two.
  return { ...result, low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
}
