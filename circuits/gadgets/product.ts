import type { ConstraintSystem } from '../constraint-system.ts';
import { constantOf, type LinearForm } from '../linear-form.ts';
import { narrow } from './range.ts';

/** Bounds of a product from those of its factors; a square is not negative. */
function productBounds(a: LinearForm, b: LinearForm): { low: number; high: number } {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
  const high = Math.max(...corners);
  if (a !== b) return { low: Math.min(...corners), high };
  return { low: a.low > 0 || a.high < 0 ? Math.min(...corners) : 0, high };
}

/**
 * a·b as a wire. No precondition: true for all field elements. Unique. Cost: one row, one more for each factor of many terms
 * (so that A and B stay short); free when a factor is constant.
 */
export function product(cs: ConstraintSystem, a: LinearForm, b: LinearForm): LinearForm {
  const [constantA, constantB] = [constantOf(a), constantOf(b)];
  if (constantA !== undefined) return cs.sum([b, constantA]);
  if (constantB !== undefined) return cs.sum([a, constantB]);
  const left = narrow(cs, a);
  const right = a === b ? left : narrow(cs, b);
  const bounds = productBounds(left, right);
  const wire = cs.wireOf(bounds.low, bounds.high);
  cs.hint('solve', cs.row(left, right, cs.form(wire)), wire);
  return cs.form(wire);
}

/**
 * condition ? a : b. Precondition: the condition is proved to be 0 or 1; for another value the result is the line through a and b.
 * Unique. Cost: one row (product of condition and a − b); free where the condition or the difference is constant.
 */
export function choose(cs: ConstraintSystem, condition: LinearForm, a: LinearForm, b: LinearForm): LinearForm {
  if (condition.low === 1) return a;
  if (condition.high === 0) return b;
  const result = cs.sum([b], [product(cs, cs.sum([a], [b, -1]), condition)]);
  return { ...result, low: Math.max(result.low, Math.min(a.low, b.low)), high: Math.min(result.high, Math.max(a.high, b.high)) };
}
