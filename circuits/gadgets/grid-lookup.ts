import { type ConstraintSystem, PART_B } from '../constraint-system.ts';
import { reduce } from '../field.ts';
import { constantForm, type LinearForm, ZERO_FORM } from '../linear-form.ts';
import { interpolationMatrix } from '../polynomial.ts';

/** A large table cut into `rows` stretches of 2^bits entries, each with its polynomial. */
export interface Grid {
  readonly bits: number;
  readonly rows: number;
  /** columns[j][i]: coefficient of l^j in stretch i. */
  readonly columns: readonly (readonly bigint[])[];
}

/** Rows that a grid of this shape costs. */
function cost(count: number, bits: number): number {
  return Math.ceil(count / 2 ** bits) + bits + 2 ** bits;
}

/** Cuts a table of more entries than one polynomial should have. Cost of planning: entries · stretch products. */
export function planGrid(values: readonly number[]): Grid {
  let bits = 1;
  while (cost(values.length, bits + 1) < cost(values.length, bits)) bits++;
  const length = 2 ** bits;
  const rows = Math.ceil(values.length / length);
  const matrix = interpolationMatrix(length);
  const columns = matrix.map((weights) =>
    Array.from({ length: rows }, (_, i) => {
      let sum = 0n;
      // Beyond the end the last value goes on: no index reaches it.
      for (let l = 0; l < length; l++) sum += weights[l]! * BigInt(values[Math.min(i * length + l, values.length - 1)]!);
      return reduce(sum);
    }),
  );
  return { bits, rows, columns };
}

/**
 * y = values[x] for x = i·2^bits + l: l by its bits, i by a one-hot row of flags, then Horner's rule in l over coefficients that the flags
 * choose. The table stands in C alone, so it costs no key bytes.
 * Precondition: 0 ≤ x < entries, proved. Unique: flag i may be nonzero only where x − l = i·2^bits, and all flags sum to 1; the bits
 * of l are those of x. Cost: about 2·√entries + bits rows (200 for 8,192 entries).
 */
export function lookupGrid(
  cs: ConstraintSystem,
  x: LinearForm,
  grid: Grid,
  bounds: { readonly low: number; readonly high: number },
): LinearForm {
  const { bits, rows, columns } = grid;
  const first = cs.bits(bits);
  const low = cs.binary(first, bits);
  const flags: number[] = [];
  for (let i = 0; i < rows; i++) {
    const flag = cs.wireOf(0, 1);
    const row = cs.row(cs.form(flag), cs.sum([x], [low, -1], [constantForm(-i * 2 ** bits)]), ZERO_FORM);
    if (i === 0) cs.hint('bits', row, PART_B, first, bits, 0);
    cs.hint('isZero', row, flag);
    flags.push(flag);
  }
  cs.linearRow(cs.sum(...flags.map((flag): [LinearForm] => [cs.form(flag)]), [constantForm(-1)]));
  const chosen = (j: number): LinearForm => cs.combine(flags, columns[j]!);
  const y = cs.wireOf(bounds.low, bounds.high);
  let acc = chosen(columns.length - 1);
  for (let j = columns.length - 2; j >= 0; j--) {
    const wire = j === 0 ? y : cs.wireOf(-Infinity, Infinity);
    const row = cs.row(acc, low, cs.sum([cs.form(wire)], [chosen(j), -1]));
    cs.hint('solve', row, wire);
    acc = cs.form(wire);
  }
  return cs.form(y);
}
