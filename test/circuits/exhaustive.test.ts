import { describe, expect, it } from 'vitest';
import { Assignment, rowHolds } from '../../circuits/assignment.ts';
import type { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { reduce } from '../../circuits/field.ts';
import { isNonNegative } from '../../circuits/gadgets/compare.ts';
import { floorDivide } from '../../circuits/gadgets/divide.ts';
import { positivePart } from '../../circuits/gadgets/positive-part.ts';
import { requantize } from '../../circuits/gadgets/requantize.ts';
import { floorSquareRoot } from '../../circuits/gadgets/square-root.ts';
import type { LinearForm } from '../../circuits/linear-form.ts';
import { type Bounds, bench, formValue, rowsOfWires } from './attack.ts';

/** What a wire that no bit row holds may carry: small integers, multiples of the guard constant, halves. */
const CANDIDATES = [
  ...Array.from({ length: 49 }, (_, i) => BigInt(i - 24)),
  ...[1n, 2n, 3n].flatMap((k) => [k << 128n, -(k << 128n)]),
  ...[1n, 3n, 5n].map((k) => k * 10944121435919637611123202872628637544274182200208017171849102093287904247809n),
].map(reduce);

function isBit(cs: ConstraintSystem, wire: number): boolean {
  for (let row = 0; row < cs.rowCount; row++) {
    const parts = [0, 1, 2].map((p) => cs.part(row, p));
    if (parts.every(({ from, to }) => to - from === 1 && cs.termWires.data[from] === wire && cs.termCodes.data[from] === 1)) return true;
  }
  return false;
}

/** All outputs that some assignment of the other wires makes acceptable, by trying them all, a row checked once its wires are set. */
function acceptedOutputs(cs: ConstraintSystem, inputs: readonly number[], output: LinearForm, given: readonly number[]): Set<bigint> {
  const wires = Array.from({ length: cs.wireCount }, (_, w) => w).slice(1 + inputs.length);
  const choices = wires.map((wire) => (isBit(cs, wire) ? [0n, 1n] : CANDIDATES));
  const rowsOf = rowsOfWires(cs);
  const ready = wires.map((wire) => rowsOf[wire]!.filter((row) => lastWire(cs, row) === wire));
  const values = new Assignment(cs.wireCount);
  inputs.forEach((wire, i) => {
    values.setSmall(wire, given[i]!);
  });
  const accepted = new Set<bigint>();
  const visit = (depth: number): void => {
    if (depth === wires.length) {
      accepted.add(formValue(output, values));
      return;
    }
    for (const value of choices[depth]!) {
      values.set(wires[depth]!, value);
      if (ready[depth]!.every((row) => rowHolds(cs, values, row))) visit(depth + 1);
    }
  };
  visit(0);
  return accepted;
}

function lastWire(cs: ConstraintSystem, row: number): number {
  const { from } = cs.part(row, 0);
  const { to } = cs.part(row, 2);
  return Math.max(...cs.termWires.data.subarray(from, to));
}

interface Small {
  readonly name: string;
  readonly bounds: readonly Bounds[];
  readonly build: (cs: ConstraintSystem, inputs: readonly LinearForm[]) => LinearForm;
  readonly reference: (...inputs: number[]) => number;
}

const clamp = (v: number, low: number, high: number): number => Math.max(low, Math.min(high, v));
const SMALL: readonly Small[] = [
  {
    name: 'positive part',
    bounds: [{ low: -6, high: 7 }],
    build: (cs, [x]) => positivePart(cs, x!, 0, 1),
    reference: (x) => Math.max(x, 0),
  },
  {
    name: 'lower clamp after a shift',
    bounds: [{ low: -12, high: 12 }],
    build: (cs, [x]) => requantize(cs, x!, 1, 0, 7),
    reference: (x) => clamp(Math.floor((x + 1) / 2), 0, 7),
  },
  {
    name: 'upper clamp after a shift',
    bounds: [{ low: 2, high: 20 }],
    build: (cs, [x]) => requantize(cs, x!, 1, 0, 5),
    reference: (x) => clamp(Math.floor((x + 1) / 2), 0, 5),
  },
  {
    name: 'no clamp after a shift',
    bounds: [{ low: 3, high: 22 }],
    build: (cs, [x]) => requantize(cs, x!, 2, 0, 255),
    reference: (x) => Math.floor((x + 2) / 4),
  },
  {
    name: 'both clamps after a shift',
    bounds: [{ low: -21, high: 23 }],
    build: (cs, [x]) => requantize(cs, x!, 1, 0, 3),
    reference: (x) => clamp(Math.floor((x + 1) / 2), 0, 3),
  },
  {
    name: 'both clamps, next to one step',
    bounds: [{ low: -4, high: 7 }],
    build: (cs, [x]) => requantize(cs, x!, 0, 0, 3),
    reference: (x) => clamp(x, 0, 3),
  },
  { name: 'signed compare', bounds: [{ low: -5, high: 6 }], build: (cs, [x]) => isNonNegative(cs, x!), reference: (x) => (x >= 0 ? 1 : 0) },
  {
    name: 'division',
    bounds: [
      { low: -4, high: 6 },
      { low: 1, high: 3 },
    ],
    build: (cs, [n, d]) => floorDivide(cs, n!, d!),
    reference: (n, d) => Math.floor(n / d),
  },
  {
    name: 'square root',
    bounds: [{ low: 0, high: 10 }],
    build: (cs, [x]) => floorSquareRoot(cs, x!),
    reference: (x) => Math.floor(Math.sqrt(x)),
  },
];

function* grid(bounds: readonly Bounds[]): Generator<number[]> {
  const [first, ...rest] = bounds;
  if (first === undefined) {
    yield [];
    return;
  }
  for (let v = first.low; v <= first.high; v++) for (const tail of grid(rest)) yield [v, ...tail];
}

describe.each(SMALL)('$name, every assignment', ({ bounds, build, reference }) => {
  it('accepts exactly the reference for every input', () => {
    const { cs, inputs, output } = bench(bounds, build);
    for (const given of grid(bounds))
      expect([...acceptedOutputs(cs, inputs, output, given)], given.join()).toEqual([BigInt(reference(...given))]);
  });
});

describe('the search itself', () => {
  it('finds the forgery that a missing row allows', () => {
    // y·(t − y) = 0 alone, without the row that ties t to the input: y may be any value of t.
    const { cs, inputs, output } = bench([{ low: -3, high: 3 }], (system, [x]) => {
      const first = system.bits(2);
      const y = system.wireOf(0, 3);
      const rest = system.sum([system.binary(first, 2)], [system.form(y), -1]);
      system.row(system.form(y), rest, { wires: [], coefficients: [], low: 0, high: 0 });
      system.linearRow(system.sum([x!], [x!, -1]));
      return system.form(y);
    });
    expect(acceptedOutputs(cs, inputs, output, [2]).size).toBeGreaterThan(1);
  });
});
