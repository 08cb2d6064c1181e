import { type ConstraintSystem, PART_A, PART_B } from '../constraint-system.ts';
import { FIELD_BYTES, FIELD_PRIME, reduce, writeField } from '../field.ts';

const TERM_BYTES = 12 + FIELD_BYTES;

/**
 * Section 4 of a .zkey: every term of A and B as (part, row, wire, coefficient), then the rows that bind the public signals. The
 * coefficients are twice in Montgomery form. The order is that of the circuit, as snarkjs keeps it.
 */
export function coefficientSection(cs: ConstraintSystem): Uint8Array {
  const montgomery = 2n ** 512n % FIELD_PRIME;
  const cache = new Map<number, bigint>();
  const scaled = (code: number): bigint => {
    const known = cache.get(code);
    if (known !== undefined) return known;
    const value = reduce(cs.bigCoefficient(code) * montgomery);
    cache.set(code, value);
    return value;
  };
  const count = cs.nonzerosAB + cs.publicCount + 1;
  const bytes = new Uint8Array(4 + count * TERM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, count, true);
  let at = 4;
  const write = (part: number, row: number, wire: number, value: bigint): void => {
    view.setUint32(at, part, true);
    view.setUint32(at + 4, row, true);
    view.setUint32(at + 8, wire, true);
    writeField(view, at + 12, value);
    at += TERM_BYTES;
  };
  for (let row = 0; row < cs.rowCount; row++)
    for (const part of [PART_A, PART_B]) {
      const { from, to } = cs.part(row, part);
      for (let i = from; i < to; i++) write(part, row, cs.termWires.data[i]!, scaled(cs.termCodes.data[i]!));
    }
  for (let wire = 0; wire <= cs.publicCount; wire++) write(PART_A, cs.rowCount + wire, wire, montgomery);
  return bytes;
}
