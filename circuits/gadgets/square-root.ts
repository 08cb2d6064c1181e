import { invariant } from '../../core/errors.ts';
import { integerSquareRoot } from '../../core/ops/isqrt.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { constantForm, type LinearForm } from '../linear-form.ts';
import { bitsFor, rangeCheck } from './range.ts';

/**
 * r = ⌊√value⌋: r·r = value − d with 0 ≤ d and 0 ≤ 2r − d, that is r² ≤ value < (r + 1)².
 * Precondition: a proved bound 0 ≤ value < 2^52. A negative value leaves no assignment. Unique: 2r is the sum of two range-checked
 * integers, so it is small and not negative; were it odd as an integer, (2r)² = 4(value − d) would fail modulo 2.
 * Cost: 2·bits(2·√high) + 1 rows.
 */
export function floorSquareRoot(cs: ConstraintSystem, value: LinearForm): LinearForm {
  invariant(value.low >= 0 && value.high < 2 ** 52, 'root of a form that may be negative or unbounded');
  const [low, high] = [integerSquareRoot(value.low), integerSquareRoot(value.high)];
  if (low === high) return constantForm(low);
  const root = cs.wireOf(low, high);
  const excess = cs.wireOf(0, 2 * high);
  const r = cs.form(root);
  const row = cs.row(r, r, cs.sum([value], [cs.form(excess), -1]));
  cs.hint('squareRoot', row, root, excess);
  rangeCheck(cs, cs.form(excess), bitsFor(2 * high));
  rangeCheck(cs, cs.sum([r, 2], [cs.form(excess), -1]), bitsFor(2 * high));
  return r;
}
