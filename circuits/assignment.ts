import { type ConstraintSystem, PART_A, PART_B, PART_C } from './constraint-system.ts';
import { centered, FIELD_PRIME, reduce } from './field.ts';

/** Doubles are exact below this; sums of absolute terms are held under it. */
const EXACT = 2 ** 53;

/**
 * Values of all wires: small integers in a typed array (negative ones stand for p − |v|), field elements in a map
 * beside it, marked NaN in the array. Unset wires are zero.
 */
export class Assignment {
  readonly small: Float64Array;
  readonly big = new Map<number, bigint>();

  constructor(wires: number) {
    this.small = new Float64Array(wires);
    this.small[0] = 1;
  }

  /** In [0, p). */
  get(wire: number): bigint {
    const value = this.small[wire]!;
    return Number.isNaN(value) ? this.big.get(wire)! : reduce(BigInt(value));
  }

  setSmall(wire: number, value: number): void {
    this.small[wire] = value;
  }

  set(wire: number, value: bigint): void {
    const near = centered(value);
    if (near < EXACT && near > -EXACT) {
      this.small[wire] = Number(near);
      this.big.delete(wire);
    } else {
      this.small[wire] = Number.NaN;
      this.big.set(wire, reduce(value));
    }
  }
}

/** Value of one part of a row as an exact double, NaN where big integers are needed. */
export function smallPart(cs: ConstraintSystem, values: Assignment, row: number, part: number): number {
  const { from, to } = cs.part(row, part);
  const wires = cs.termWires.data;
  const codes = cs.termCodes.data;
  const small = values.small;
  let sum = 0;
  let size = 0;
  for (let i = from; i < to; i++) {
    const term = cs.smallCoefficient(codes[i]!) * small[wires[i]!]!;
    sum += term;
    size += term < 0 ? -term : term;
  }
  return size < EXACT ? sum : Number.NaN;
}

/** Value of one part of a row modulo the field, not reduced. */
export function bigPart(cs: ConstraintSystem, values: Assignment, row: number, part: number): bigint {
  const { from, to } = cs.part(row, part);
  let sum = 0n;
  for (let i = from; i < to; i++) {
    const wire = cs.termWires.data[i]!;
    if (values.small[wire] !== 0) sum += cs.bigCoefficient(cs.termCodes.data[i]!) * values.get(wire);
  }
  return sum;
}

/** Whether ⟨A⟩·⟨B⟩ = ⟨C⟩ holds for one row. */
export function rowHolds(cs: ConstraintSystem, values: Assignment, row: number): boolean {
  const a = smallPart(cs, values, row, PART_A);
  const b = smallPart(cs, values, row, PART_B);
  const c = smallPart(cs, values, row, PART_C);
  const product = a * b;
  // Both sides are exact integers far below p, so the comparison of doubles is one in the field.
  if (Math.abs(product) < EXACT && !Number.isNaN(c)) return product === c;
  const left = bigPart(cs, values, row, PART_A) * bigPart(cs, values, row, PART_B);
  return (left - bigPart(cs, values, row, PART_C)) % FIELD_PRIME === 0n;
}

/** The first row that does not hold, or undefined: the check before every proof. Linear in the number of terms. */
export function firstViolation(cs: ConstraintSystem, values: Assignment): number | undefined {
  if (values.small[0] !== 1) return 0;
  const rows = cs.rowCount;
  for (let row = 0; row < rows; row++) if (!rowHolds(cs, values, row)) return row;
  return undefined;
}
