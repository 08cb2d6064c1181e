import type { Assignment } from '../../circuits/assignment.ts';
import type { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { FIELD_PRIME, inverse, reduce } from '../../circuits/field.ts';

type SparseRow = Map<number, bigint>;

/** Differential of every row at a witness, over all wires but the first `fixed` and the constant one. */
function differential(cs: ConstraintSystem, values: Assignment, fixed: number): SparseRow[] {
  const rows: SparseRow[] = [];
  for (let row = 0; row < cs.rowCount; row++) {
    const factor = [partValue(cs, values, row, 1), partValue(cs, values, row, 0), -1n];
    const sparse: SparseRow = new Map();
    for (let part = 0; part < 3; part++) {
      const { from, to } = cs.part(row, part);
      for (let i = from; i < to; i++) {
        const wire = cs.termWires.data[i]!;
        if (wire <= fixed) continue;
        const sum = reduce((sparse.get(wire) ?? 0n) + factor[part]! * cs.bigCoefficient(cs.termCodes.data[i]!));
        if (sum === 0n) sparse.delete(wire);
        else sparse.set(wire, sum);
      }
    }
    rows.push(sparse);
  }
  return rows;
}

function partValue(cs: ConstraintSystem, values: Assignment, row: number, part: number): bigint {
  const { from, to } = cs.part(row, part);
  let sum = 0n;
  for (let i = from; i < to; i++) sum += cs.bigCoefficient(cs.termCodes.data[i]!) * values.get(cs.termWires.data[i]!);
  return reduce(sum);
}

/** Removes settled wires from the rows that hold them until no row is left with a single one; returns how many were settled. */
function settle(rows: readonly SparseRow[]): number {
  const holders = new Map<number, SparseRow[]>();
  for (const row of rows)
    for (const wire of row.keys()) {
      const list = holders.get(wire);
      if (list === undefined) holders.set(wire, [row]);
      else list.push(row);
    }
  const queue = rows.filter(({ size }) => size === 1);
  let settled = 0;
  for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
    const wire = row.keys().next().value;
    if (wire === undefined) continue;
    settled++;
    for (const holder of holders.get(wire)!) {
      holder.delete(wire);
      if (holder.size === 1) queue.push(holder);
    }
  }
  return settled;
}

/** Rank of what is left, by elimination. */
function rankOf(rows: readonly SparseRow[]): number {
  let rank = 0;
  const left = new Set(rows.filter(({ size }) => size > 0));
  for (;;) {
    let pivot: SparseRow | undefined;
    for (const row of left) if (pivot === undefined || row.size < pivot.size) pivot = row;
    if (pivot === undefined) return rank;
    left.delete(pivot);
    const [wire, lead] = pivot.entries().next().value!;
    const scale = inverse(lead);
    rank++;
    for (const row of left) {
      const at = row.get(wire);
      if (at === undefined) continue;
      const factor = (at * scale) % FIELD_PRIME;
      for (const [other, value] of pivot) {
        const sum = reduce((row.get(other) ?? 0n) - factor * value);
        if (sum === 0n) row.delete(other);
        else row.set(other, sum);
      }
      if (row.size === 0) left.delete(row);
    }
  }
}

/**
 * In how many directions a witness can move, to first order, while the rows hold and the first `fixed` public signals (context and input)
 * stay: 0 means that no other witness of that input lies next to it, whatever its output. A double root, as max(q, 0) at q = 0, would
 * count as free although it is not; a choice between isolated points, as that of a bit, does not count.
 * @param without rows to leave out
 */
export function freeDirections(
  cs: ConstraintSystem,
  values: Assignment,
  fixed: number,
  without: (row: number) => boolean = () => false,
): number {
  const all = differential(cs, values, fixed);
  const wires = new Set(all.flatMap((row) => [...row.keys()])).size;
  const rows = all.filter((_, row) => !without(row));
  return wires - settle(rows) - rankOf(rows);
}
