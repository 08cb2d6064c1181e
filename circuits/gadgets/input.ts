import type { ConstraintSystem } from '../constraint-system.ts';
import { constantForm, type LinearForm, ZERO_FORM } from '../linear-form.ts';
import type { ByteElement } from './pack.ts';

/**
 * One input element of `bytes` bytes, forced into its type's range by its bits.
 * value = Σ 2^i·b_i, less 2^bits·b_top for a signed type; bit 0 is what the others leave, so the element itself is the only wire beside
 * the bits 1, 2, …. Unique as two's complement is. Cost: 8·bytes rows.
 * @returns the value, and its bytes for packing
 */
export function inputElement(
  cs: ConstraintSystem,
  element: number,
  bytes: number,
  signed: boolean,
): { value: LinearForm; packed: ByteElement } {
  const bits = 8 * bytes;
  const span = 2 ** bits;
  const wire = signed ? cs.wireOf(-span / 2, span / 2 - 1) : cs.wireOf(0, span - 1);
  const value = cs.form(wire);
  const first = cs.bits(bits - 1);
  const unsigned = signed ? cs.sum([value], [cs.form(first + bits - 2), span]) : value;
  const lowest = cs.sum([unsigned], [cs.binary(first, bits - 1), -2]);
  cs.row(lowest, cs.sum([lowest], [constantForm(-1)]), ZERO_FORM);
  cs.hint('input', element, wire, first, bits);
  // The upper bytes are bits; what remains of the value is the lower ones.
  const cut = (count: number): LinearForm => cs.sum([unsigned], [cs.binary(first + 8 * count - 1, bits - 8 * count), -(2 ** (8 * count))]);
  return { value, packed: { bytes, unsigned, lowest: cut } };
}
