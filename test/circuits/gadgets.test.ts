import { buildPoseidonOpt } from 'circomlibjs';
import { describe, expect, it } from 'vitest';
import { Assignment } from '../../circuits/assignment.ts';
import { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { reduce } from '../../circuits/field.ts';
import { argMax } from '../../circuits/gadgets/arg-max.ts';
import { isNonNegative } from '../../circuits/gadgets/compare.ts';
import { floorDivide } from '../../circuits/gadgets/divide.ts';
import { inputElement } from '../../circuits/gadgets/input.ts';
import { lookup, planLookup } from '../../circuits/gadgets/lookup.ts';
import { twosComplement } from '../../circuits/gadgets/pack.ts';
import { poseidon16 } from '../../circuits/gadgets/poseidon.ts';
import { maximum, positivePart } from '../../circuits/gadgets/positive-part.ts';
import { choose, product } from '../../circuits/gadgets/product.ts';
import { rangeCheck } from '../../circuits/gadgets/range.ts';
import { requantize } from '../../circuits/gadgets/requantize.ts';
import { floorSquareRoot } from '../../circuits/gadgets/square-root.ts';
import { runHints } from '../../circuits/hints.ts';
import { Random } from '../support/random.ts';
import { type Bench, type Bounds, bench, formValue, satisfied, solve, uncaught } from './attack.ts';

interface Gadget {
  readonly name: string;
  readonly bounds: readonly Bounds[];
  readonly bench: Bench;
  readonly reference: (...inputs: number[]) => number;
  /** Inputs one outside of the bounds that no assignment may satisfy (where the gadget checks its range). */
  readonly outside?: readonly (readonly number[])[];
}

const clamp = (v: number, low: number, high: number): number => Math.max(low, Math.min(high, v));
const shifted = (v: number, k: number): number => (k === 0 ? v : Math.floor((v + 2 ** (k - 1)) / 2 ** k));

function requantizer(
  name: string,
  low: number,
  high: number,
  shift: number,
  to: readonly [number, number],
  /** The values next to those that the bits can hold. */
  outside: readonly (readonly number[])[] = [],
): Gadget {
  const bounds = [{ low, high }];
  return {
    name: `requantize, ${name}`,
    bounds,
    bench: bench(bounds, (cs, [x]) => requantize(cs, x!, shift, to[0], to[1])),
    reference: (x) => clamp(shifted(x, shift), to[0], to[1]),
    outside,
  };
}

const random = new Random(11);
const table = Array.from({ length: 256 }, () => random.integer(-32768, 32767));
const knee = Array.from({ length: 200 }, (_, i) => (i < 77 ? 5 - i : 5 - 76 + 3 * (i - 76)));
const step = Array.from({ length: 100 }, (_, i) => (i < 50 ? -7 : 12));

function tableGadget(name: string, values: readonly number[]): Gadget {
  const bounds = [{ low: 0, high: values.length - 1 }];
  return {
    name: `lookup, ${name}`,
    bounds,
    bench: bench(bounds, (cs, [x]) => lookup(cs, x!, planLookup(values))),
    reference: (x) => values[x]!,
  };
}

const wide = { low: -50000, high: 40000 };
const GADGETS: readonly Gadget[] = [
  {
    name: 'range check of 8 bits',
    bounds: [{ low: 0, high: 255 }],
    bench: bench([{ low: 0, high: 255 }], (cs, [x]) => {
      rangeCheck(cs, x!, 8);
      return x!;
    }),
    reference: (x) => x,
    outside: [[-1], [256], [257], [511]],
  },
  {
    name: 'range check of 1 bit',
    bounds: [{ low: 0, high: 1 }],
    bench: bench([{ low: 0, high: 1 }], (cs, [x]) => {
      rangeCheck(cs, x!, 1);
      return x!;
    }),
    reference: (x) => x,
    outside: [[-1], [2]],
  },
  requantizer('no clamp', 100, 60000, 8, [0, 255], [[-129], [65408]]),
  requantizer('no clamp, from above zero', 2000, 2300, 3, [0, 255]),
  requantizer('lower clamp', -70000, 60000, 8, [0, 255], [[-130945], [130944]]),
  requantizer('lower clamp of a nearly negative form', -70000, 300, 8, [0, 255]),
  requantizer('upper clamp', 1000, 140000, 8, [0, 255], [[-65665], [196224]]),
  requantizer('both clamps, one step beyond', -65000, 66000, 8, [0, 255]),
  requantizer('both clamps, far', -1300000, 1500000, 9, [0, 255], [[-2097409], [2227968]]),
  requantizer('both clamps, signed', -1300000, 1500000, 4, [-32768, 32767]),
  requantizer('both clamps, odd distance', -1300, 1500, 2, [3, 201]),
  requantizer('shift 0, both clamps', -1300, 1500, 0, [0, 255]),
  requantizer('shift 0, lower clamp', -3, 4, 0, [0, 255]),
  {
    name: 'positive part',
    bounds: [wide],
    bench: bench([wide], (cs, [x]) => positivePart(cs, x!, 0, 1)),
    reference: (x) => Math.max(x, 0),
    outside: [[-65536], [65536]],
  },
  {
    name: 'maximum',
    bounds: [wide, wide],
    bench: bench([wide, wide], (cs, [x, y]) => maximum(cs, x!, y!)),
    reference: (x, y) => Math.max(x, y),
    outside: [
      [131072, 0],
      [0, 131072],
    ],
  },
  {
    name: 'signed compare',
    bounds: [wide],
    bench: bench([wide], (cs, [x]) => isNonNegative(cs, x!)),
    reference: (x) => (x >= 0 ? 1 : 0),
    outside: [[65536], [-65537]],
  },
  {
    name: 'product',
    bounds: [wide, wide],
    bench: bench([wide, wide], (cs, [x, y]) => product(cs, x!, y!)),
    reference: (x, y) => x * y,
  },
  {
    name: 'selection',
    bounds: [{ low: 0, high: 1 }, wide, wide],
    bench: bench([{ low: 0, high: 1 }, wide, wide], (cs, [s, x, y]) => choose(cs, s!, x!, y!)),
    reference: (s, x, y) => (s === 1 ? x : y),
  },
  tableGadget('256 arbitrary entries', table),
  tableGadget('255 arbitrary entries', table.slice(1)),
  tableGadget('17 arbitrary entries', table.slice(0, 17)),
  tableGadget(
    'a grid of 700 arbitrary entries',
    Array.from({ length: 700 }, () => random.integer(-128, 127)),
  ),
  tableGadget(
    'a grid of 8,192 entries',
    Array.from({ length: 8192 }, (_, i) => Math.round(32767 * Math.exp((i - 8191) / 900))),
  ),
  tableGadget('a line', [4, 7, 10, 13]),
  tableGadget('a knee', knee),
  tableGadget('a step', step),
  tableGadget(
    'a square',
    Array.from({ length: 64 }, (_, i) => i * i - 3),
  ),
  {
    name: 'division',
    bounds: [
      { low: -100000, high: 90000 },
      { low: 1, high: 300 },
    ],
    bench: bench(
      [
        { low: -100000, high: 90000 },
        { low: 1, high: 300 },
      ],
      (cs, [n, d]) => floorDivide(cs, n!, d!),
    ),
    reference: (n, d) => Math.floor(n / d),
    outside: [
      [-100001, 1],
      [162144, 1],
    ],
  },
  {
    name: 'square root',
    bounds: [{ low: 0, high: 1000000 }],
    bench: bench([{ low: 0, high: 1000000 }], (cs, [x]) => floorSquareRoot(cs, x!)),
    reference: (x) => Math.floor(Math.sqrt(x)),
    outside: [[1048576]],
  },
  {
    name: 'arg-max of four',
    bounds: [wide, wide, wide, wide],
    bench: bench([wide, wide, wide, wide], (cs, values) => argMax(cs, values)),
    reference: (...v) => v.indexOf(Math.max(...v)),
    outside: [
      [0, 131073, 0, 0],
      [131073, 0, 0, 0],
    ],
  },
  {
    name: 'two’s complement of 16 bits',
    bounds: [{ low: -32768, high: 32767 }],
    bench: bench([{ low: -32768, high: 32767 }], (cs, [x]) => twosComplement(cs, x!, 2, false).unsigned),
    reference: (x) => (x < 0 ? x + 65536 : x),
    outside: [[-32769], [32768]],
  },
  {
    name: 'lowest byte of 16 bits',
    bounds: [{ low: -32768, high: 32767 }],
    bench: bench([{ low: -32768, high: 32767 }], (cs, [x]) => twosComplement(cs, x!, 2, true).lowest(1)),
    reference: (x) => x & 255,
  },
  {
    name: 'lowest byte of a narrow value',
    bounds: [{ low: -3, high: 2 }],
    bench: bench([{ low: -3, high: 2 }], (cs, [x]) => twosComplement(cs, x!, 2, true).lowest(1)),
    reference: (x) => x & 255,
  },
];

/** Bounds, their neighbours inside, values next to zero and to powers of two, and random ones. */
function samples({ bounds }: Gadget, r: Random): number[][] {
  const interesting = ({ low, high }: Bounds): number[] => {
    const near = [0, 1, 128, 255, 256, 32768, 65536].flatMap((v) => [v - 1, v, v + 1, -v - 1, -v, -v + 1]);
    return [
      low,
      low + 1,
      high - 1,
      high,
      ...near.filter((v) => v >= low && v <= high),
      ...Array.from({ length: 10 }, () => r.integer(low, high)),
    ];
  };
  if (bounds.length === 1) return interesting(bounds[0]!).map((v) => [v]);
  const rows = Array.from({ length: 60 }, () => bounds.map((b) => r.pick(interesting(b))));
  // Ties decide who wins.
  const low = Math.max(...bounds.map((b) => b.low));
  return bounds.every((b) => b.high > 10)
    ? [...rows, bounds.map(() => Math.max(low, 1)), bounds.map((b) => b.high), bounds.map((b) => b.low)]
    : rows;
}

describe.each(GADGETS)('$name', (gadget) => {
  const r = new Random(5);
  const inputs = samples(gadget, r);

  it('accepts honest witnesses and computes the reference', () => {
    for (const given of inputs) {
      const values = solve(gadget.bench, given);
      expect(satisfied(gadget.bench.cs, values), `inputs ${given.join(', ')}`).toBe(true);
      expect(formValue(gadget.bench.output, values)).toBe(BigInt(gadget.reference(...given)));
    }
  });

  it('catches every wire changed', () => {
    for (const given of inputs.slice(0, 12)) {
      // The inputs are given: another one with the same witness may be honest (0·a). Programs bind theirs to public signals.
      const wires = Array.from({ length: gadget.bench.cs.wireCount }, (_, wire) => wire).slice(1 + gadget.bench.inputs.length);
      expect(uncaught(gadget.bench.cs, solve(gadget.bench, given), wires, r)).toEqual([]);
    }
  });

  it('has no full assignment for another input’s output', () => {
    for (const given of inputs.slice(0, 20)) {
      for (const other of inputs) {
        if (gadget.reference(...given) === gadget.reference(...other)) continue;
        const forged = solve(gadget.bench, other);
        gadget.bench.inputs.forEach((wire, i) => {
          forged.setSmall(wire, given[i]!);
        });
        // The output may still follow the changed input where it is a form of it; then nothing was forged.
        if (formValue(gadget.bench.output, forged) === BigInt(gadget.reference(...given))) continue;
        expect(satisfied(gadget.bench.cs, forged), `${given.join()} with the witness of ${other.join()}`).toBe(false);
      }
    }
  });
});

describe.each(GADGETS.filter(({ outside = [] }) => outside.length > 0))('$name, out of range', ({ bench: of, outside }) => {
  it('rejects inputs just outside', () => {
    for (const given of outside!) expect(satisfied(of.cs, solve(of, given)), given.join()).toBe(false);
  });
});

describe('an input element', () => {
  const element = (value: number, bytes: number, signed: boolean): { cs: ConstraintSystem; values: Assignment } => {
    const cs = new ConstraintSystem(0);
    inputElement(cs, 0, bytes, signed);
    const values = new Assignment(cs.wireCount);
    runHints(cs, values, { context: 0n, inputs: Float64Array.of(value) });
    return { cs, values };
  };

  it.each([
    [1, false],
    [1, true],
    [2, true],
    [4, true],
  ] as const)('of %i bytes (signed: %s) holds its bounds and not their neighbours', (bytes, signed) => {
    const span = 2 ** (8 * bytes);
    const [low, high] = signed ? [-span / 2, span / 2 - 1] : [0, span - 1];
    for (const value of [low, low + 1, 0, 1, high - 1, high]) {
      const { cs, values } = element(value, bytes, signed);
      expect(satisfied(cs, values), `${value}`).toBe(true);
      // The element itself with another lowest bit is another input: its public signal holds it.
      const wires = Array.from({ length: cs.wireCount - 2 }, (_, i) => 2 + i);
      expect(uncaught(cs, values, wires, new Random(value + span))).toEqual([]);
    }
    for (const value of [low - 1, high + 1, high + 2]) {
      const { cs, values } = element(value, bytes, signed);
      expect(satisfied(cs, values), `${value}`).toBe(false);
    }
  });

  it.each([-1, 256, 300, 511, 512])('of one byte cannot be %i with any bits', (value) => {
    const { cs, values } = element(value, 1, false);
    const first = 2;
    for (let bits = 0; bits < 128; bits++) {
      for (let i = 0; i < 7; i++) values.setSmall(first + i, (bits >> i) & 1);
      expect(satisfied(cs, values), `bits ${bits}`).toBe(false);
    }
  });
});

describe('Poseidon', () => {
  it('is that of circomlib, and no wire of it is free', async () => {
    const inputs = Array.from({ length: 16 }, (_, i) => ({ low: 0, high: 2 ** 20 + i }));
    const of = bench(inputs, (cs, forms) => poseidon16(cs, forms));
    const given = Array.from({ length: 16 }, () => random.integer(0, 2 ** 20));
    const values = solve(of, given);
    expect(satisfied(of.cs, values)).toBe(true);
    const hash = await buildPoseidonOpt();
    expect(reduce(formValue(of.output, values))).toBe(BigInt(hash.F.toObject(hash(given.map(BigInt)))));
    const wires = Array.from({ length: of.cs.wireCount - 17 }, (_, i) => 17 + i);
    expect(uncaught(of.cs, values, wires, new Random(3))).toEqual([]);
  });
});

describe('cost in rows', () => {
  it('is what the docstrings say', () => {
    expect(Object.fromEntries(GADGETS.map(({ name, bench: { cs } }) => [name, cs.rowCount]))).toMatchInlineSnapshot(`
      {
        "arg-max of four": 58,
        "division": 37,
        "lookup, 17 arbitrary entries": 7,
        "lookup, 255 arbitrary entries": 26,
        "lookup, 256 arbitrary entries": 26,
        "lookup, a grid of 700 arbitrary entries": 59,
        "lookup, a grid of 8,192 entries": 198,
        "lookup, a knee": 8,
        "lookup, a line": 0,
        "lookup, a square": 2,
        "lookup, a step": 7,
        "lowest byte of 16 bits": 16,
        "lowest byte of a narrow value": 3,
        "maximum": 18,
        "positive part": 17,
        "product": 1,
        "range check of 1 bit": 1,
        "range check of 8 bits": 8,
        "requantize, both clamps, far": 25,
        "requantize, both clamps, odd distance": 22,
        "requantize, both clamps, one step beyond": 20,
        "requantize, both clamps, signed": 24,
        "requantize, lower clamp": 19,
        "requantize, lower clamp of a nearly negative form": 19,
        "requantize, no clamp": 17,
        "requantize, no clamp, from above zero": 11,
        "requantize, shift 0, both clamps": 15,
        "requantize, shift 0, lower clamp": 4,
        "requantize, upper clamp": 19,
        "selection": 1,
        "signed compare": 17,
        "square root": 23,
        "two’s complement of 16 bits": 16,
      }
    `);
  });
});
