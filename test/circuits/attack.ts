import { Assignment, rowHolds } from '../../circuits/assignment.ts';
import { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { FIELD_PRIME, reduce } from '../../circuits/field.ts';
import { runHints } from '../../circuits/hints.ts';
import type { LinearForm } from '../../circuits/linear-form.ts';
import type { Random } from '../support/random.ts';

/** Rows in which each wire stands. */
export function rowsOfWires(cs: ConstraintSystem): number[][] {
  const rows: number[][] = Array.from({ length: cs.wireCount }, () => []);
  for (let row = 0; row < cs.rowCount; row++) {
    const { from } = cs.part(row, 0);
    const { to } = cs.part(row, 2);
    for (let i = from; i < to; i++) {
      const list = rows[cs.termWires.data[i]!]!;
      if (list.at(-1) !== row) list.push(row);
    }
  }
  return rows;
}

/** The values a single wire is changed to. */
export function mutations(value: bigint, r: Random): bigint[] {
  const random = (BigInt(r.bits()) << 200n) + (BigInt(r.bits()) << 96n) + BigInt(r.bits());
  return [value + 1n, value - 1n, random, 0n, FIELD_PRIME - 1n].map(reduce).filter((changed) => changed !== value);
}

/** Changes of single wires that every row accepts: must be empty, the context apart. */
export function uncaught(cs: ConstraintSystem, values: Assignment, wires: Iterable<number>, r: Random): string[] {
  const rows = rowsOfWires(cs);
  const found: string[] = [];
  for (const wire of wires) {
    const honest = values.get(wire);
    for (const changed of mutations(honest, r)) {
      values.set(wire, changed);
      if (rows[wire]!.every((row) => rowHolds(cs, values, row))) found.push(`wire ${wire}: ${honest} → ${changed}`);
    }
    values.set(wire, honest);
  }
  return found;
}

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** A gadget alone: free input wires with promised bounds, and what it builds on them. */
export interface Bench {
  readonly cs: ConstraintSystem;
  readonly inputs: readonly number[];
  readonly output: LinearForm;
}

export function bench(bounds: readonly Bounds[], build: (cs: ConstraintSystem, inputs: readonly LinearForm[]) => LinearForm): Bench {
  const cs = new ConstraintSystem(0);
  const inputs = bounds.map(({ low, high }) => cs.wireOf(low, high));
  const output = build(
    cs,
    inputs.map((wire) => cs.form(wire)),
  );
  return { cs, inputs, output };
}

/** Runs the hints of a bench on given inputs, in or out of the promised bounds. */
export function solve({ cs, inputs }: Bench, values: readonly number[]): Assignment {
  const assignment = new Assignment(cs.wireCount);
  inputs.forEach((wire, i) => {
    assignment.setSmall(wire, values[i]!);
  });
  runHints(cs, assignment, { context: 0n, inputs: new Float64Array() });
  return assignment;
}

export function formValue(form: LinearForm, values: Assignment): bigint {
  let sum = 0n;
  for (let i = 0; i < form.wires.length; i++) sum += BigInt(form.coefficients[i]!) * values.get(form.wires[i]!);
  const residue = reduce(sum);
  return residue > FIELD_PRIME / 2n ? residue - FIELD_PRIME : residue;
}

export function satisfied(cs: ConstraintSystem, values: Assignment): boolean {
  for (let row = 0; row < cs.rowCount; row++) if (!rowHolds(cs, values, row)) return false;
  return true;
}
