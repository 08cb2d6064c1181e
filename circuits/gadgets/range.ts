import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { PART_A, PART_C } from '../constraint-system.ts';
import { constantOf, type LinearForm, ONE, ZERO_FORM } from '../linear-form.ts';

/** A form with at most this many terms is cheap enough to stand in the A and B parts of a row, beside bits. */
const SHORT = 20;

export function isShort(form: LinearForm): boolean {
  return form.wires.length <= SHORT;
}

/** Bits that hold 0..value. */
export function bitsFor(value: number): number {
  let bits = 0;
  while (2 ** bits <= value) bits++;
  return bits;
}

/** A form that may stand in A or B: itself when short, otherwise a wire equal to it (one row, in C alone). */
export function narrow(cs: ConstraintSystem, form: LinearForm, terms = 8): LinearForm {
  if (form.wires.length <= terms || constantOf(form) !== undefined) return form;
  return asWire(cs, form);
}

/** A wire equal to the form: one row unless the form is a wire already. */
export function asWire(cs: ConstraintSystem, form: LinearForm): LinearForm {
  if (form.wires.length === 1 && form.coefficients[0] === 1 && form.wires[0] !== ONE) return form;
  const wire = cs.wireOf(form.low, form.high);
  const row = cs.linearRow(cs.sum([form, 1], [cs.form(wire), -1]));
  cs.hint('solve', row, wire);
  return cs.form(wire);
}

/**
 * Forces an integer form into [0, 2^count).
 * Outside: no assignment of the bits satisfies the rows. Preconditions: 2^count < p, nothing else: the form may be any field element.
 * Unique: bits of an integer are. Cost: `count` rows for a short form (its lowest bit is what the others leave), otherwise count + 1.
 * @returns forms of the bits, lowest first
 */
export function rangeCheck(cs: ConstraintSystem, form: LinearForm, count: number): LinearForm[] {
  invariant(count >= 0 && count < 250, 'range width out of range');
  if (count === 0) {
    cs.linearRow(form);
    return [];
  }
  if (!isShort(form)) {
    const first = cs.bits(count);
    const row = cs.linearRow(cs.sum([form, 1], [cs.binary(first, count), -1]));
    cs.hint('bits', row, PART_C, first, count, 0);
    return Array.from({ length: count }, (_, i) => cs.form(first + i));
  }
  const first = cs.bits(count - 1);
  const lowest = lowestBit(cs, form, first, count - 1);
  const row = cs.row(lowest, cs.sum([lowest, 1], [cs.form(ONE), -1]), ZERO_FORM);
  cs.hint('bits', row, PART_A, first, count - 1, 1);
  return [lowest, ...Array.from({ length: count - 1 }, (_, i) => cs.form(first + i))];
}

/** form − Σ 2^(i+1)·bit_i, bounded like the bit that the row after it makes it. */
function lowestBit(cs: ConstraintSystem, form: LinearForm, first: number, count: number): LinearForm {
  const difference = cs.sum([form, 1], [cs.binary(first, count), -2]);
  return { ...difference, low: 0, high: 1 };
}
