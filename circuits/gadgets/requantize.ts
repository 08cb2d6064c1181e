import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { PART_A } from '../constraint-system.ts';
import { constantForm, type LinearForm, ZERO_FORM } from '../linear-form.ts';
import { positivePart } from './positive-part.ts';
import { bitsFor } from './range.ts';

/** Larger than any bounded intermediate, so that a multiple of it cannot cancel against one (see `clampBoth`). */
const FAR = 2n ** 128n;
const CONSTANT_ONE = constantForm(1);

/**
 * y = clamp(⌊(acc + 2^(shift−1)) / 2^shift⌋, low, high), the shift 0 meaning acc itself.
 *
 * Precondition: the bounds of `acc` are proved integers with |acc| < 2^52; outside them the result is not specified, and no caller
 * can get there since every wire is forced into its bounds. Only the clamps that the bounds can reach are built.
 *
 * With B = 1 + bits of the larger of |⌊acc⌋ on either side, the cost in rows is
 * - constant quotient: 0; no clamp and no shift: 0; no clamp: B
 * - one clamp (a ReLU): B + 1, which is the floor for a form that stands in C alone (docs/soundness.md)
 * - two clamps 2^m − 1 apart: B + 3
 * - two clamps at any other distance: two one-sided ones
 * Unique: quotient and remainder are, each regime excludes the others; argued in each function.
 */
export function requantize(cs: ConstraintSystem, acc: LinearForm, shift: number, low: number, high: number): LinearForm {
  const rounded = shift === 0 ? acc : cs.sum([acc, 1], [CONSTANT_ONE, 2 ** (shift - 1)]);
  invariant(Number.isSafeInteger(rounded.low) && Number.isSafeInteger(rounded.high), 'requantization of an unbounded form');
  const from = Math.floor(rounded.low / 2 ** shift);
  const to = Math.floor(rounded.high / 2 ** shift);
  if (to <= low) return constantForm(low);
  if (from >= high) return constantForm(high);
  if (from === to) return constantForm(from);
  if (from >= low && to <= high) return shift === 0 ? acc : quotient(cs, rounded, shift, from, to);
  const offset = (form: LinearForm, sign: 1 | -1, by: number): LinearForm => cs.sum([form, sign], [CONSTANT_ONE, by]);
  if (to <= high) {
    const part = positivePart(cs, offset(rounded, 1, -low * 2 ** shift), shift, 1);
    return offset(part, 1, low);
  }
  if (from >= low) {
    const part = positivePart(cs, offset(rounded, -1, high * 2 ** shift), shift, -1);
    return offset(part, -1, high);
  }
  const width = bitsFor(high - low);
  if (high - low + 1 === 2 ** width) {
    const y = clampBoth(cs, offset(rounded, 1, -low * 2 ** shift), shift, width);
    return offset(y, 1, low);
  }
  const lifted = positivePart(cs, offset(rounded, 1, -low * 2 ** shift), shift, 1);
  const cut = positivePart(cs, offset(lifted, -1, high - low), 0, 1);
  return offset(cut, -1, high);
}

/**
 * y = ⌊value / 2^shift⌋ in [from, to] without a clamp: value = 2^shift·y + r, r of `shift` bits, y − from of the bits that to − from needs.
 * Unique: both parts are range-checked and 2^shift·y + r is injective on them. Cost: shift + bits + 1 rows.
 */
function quotient(cs: ConstraintSystem, value: LinearForm, shift: number, from: number, to: number): LinearForm {
  const count = bitsFor(to - from);
  const remainder = cs.bits(shift);
  const y = cs.wireOf(from, to);
  const upper = cs.bits(count - 1);
  const lowest = cs.sum([cs.form(y), 1], [CONSTANT_ONE, -from], [cs.binary(upper, count - 1), -2]);
  const row = cs.linearRow(cs.sum([value, 1], [cs.form(y), -(2 ** shift)], [cs.binary(remainder, shift), -1]));
  cs.hint('shift', row, remainder, shift, y);
  const lowRow = cs.row(lowest, cs.sum([lowest, 1], [CONSTANT_ONE, -1]), ZERO_FORM);
  cs.hint('bits', lowRow, PART_A, upper, count - 1, 1);
  return cs.form(y);
}

/**
 * y = clamp(⌊value / 2^shift⌋, 0, 2^width − 1) where both clamps can be reached.
 *
 * value = top·2^(shift+width) + 2^shift·L + r with L of `width` and r of `shift` bits, and top = τ·(1 + h), τ ∈ {−1, 0, 1}, h of j bits:
 *   σ = τ²,  (1 − σ)(τ + FAR·h) = 0,  τ·(1 + h)·2^(shift+width) = value − r − 2^shift·L,  (1 − σ)·L = y − (2^width − 1)(σ + τ)/2.
 * Why τ ∈ {−1, 0, 1}: if σ ≠ 1 the second row gives τ = −FAR·h, and the third −FAR·h(h + 1)·2^(shift+width) = a value below 2^53; both
 * sides are integers below p/2, so h = 0 and τ = 0. Otherwise τ² = 1. Unique: τ is the sign of top, h = |top| − 1 or, where top = 0, 0.
 * Cost: shift + width + j + 4 rows.
 */
function clampBoth(cs: ConstraintSystem, value: LinearForm, shift: number, width: number): LinearForm {
  const unit = 2 ** (shift + width);
  const reach = Math.max(-Math.floor(value.low / unit), Math.floor(value.high / unit));
  const spare = bitsFor(reach - 1);
  const remainder = cs.bits(shift);
  const low = cs.bits(width);
  const h = cs.bits(spare);
  const tau = cs.wireOf(-1, 1);
  const sigma = cs.wireOf(0, 1);
  const y = cs.wireOf(0, 2 ** width - 1);
  const sign = cs.form(tau);
  cs.row(sign, sign, cs.form(sigma));
  const inside = cs.sum([CONSTANT_ONE, 1], [cs.form(sigma), -1]);
  const guard = cs.sum([sign, 1], [cs.binary(h, spare), FAR]);
  cs.row(inside, guard, ZERO_FORM);
  const distance = cs.sum([CONSTANT_ONE, unit], [cs.binary(h, spare), unit]);
  const rest = cs.sum([value, 1], [cs.binary(remainder, shift), -1], [cs.binary(low, width), -(2 ** shift)]);
  const row = cs.row(sign, distance, rest);
  const full = 2 ** width - 1;
  cs.row(cs.sum([inside, 2]), cs.binary(low, width), cs.sum([cs.form(y), 2], [cs.form(sigma), -full], [sign, -full]));
  cs.hint('clamp', row, remainder, shift, low, width, h, spare, tau, sigma, y);
  return cs.form(y);
}
