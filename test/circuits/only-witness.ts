import { expect } from 'vitest';
import { compileCircuit } from '../../circuits/compile.ts';
import type { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { HINT_CODES } from '../../circuits/hint-codes.ts';
import { buildWitness } from '../../circuits/witness.ts';
import { AssayError } from '../../core/errors.ts';
import { execute } from '../../core/execute.ts';
import { encodeMap } from '../../core/ops/map.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import type { Program } from '../../core/program/types.ts';
import { type TypedArray, toBytes } from '../../core/tensor.ts';
import { allKinds } from '../support/all-kinds.ts';
import { COMPUTED_KINDS, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { allWitnesses } from './all-witnesses.ts';
import { dense, input, part, program } from './build.ts';

/** Kinds whose random instructions can be searched; a large root has too many excesses to try. */
export const FORGED_KINDS = COMPUTED_KINDS.filter((kind) => kind !== 'isqrt');

/** Wires of the input elements, in order. */
export function inputWires({ hints }: ConstraintSystem): number[] {
  const wires: number[] = [];
  for (let at = 0; at < hints.length; at += 2 + hints.data[at + 1]!)
    if (hints.data[at] === HINT_CODES.input) wires.push(hints.data[at + 3]!);
  return wires;
}

/** With context and input elements fixed, nothing but the honest witness satisfies the rows; returns how many branches were refuted. */
export function expectOnly(of: Program, inputs: readonly TypedArray[]): number {
  const circuit = compileCircuit(of);
  const witness = buildWitness(circuit, of, execute(of, inputs), 7n);
  const given = new Map([1, ...inputWires(circuit.system)].map((wire) => [wire, witness.get(wire)]));
  const { assignments, refuted } = allWitnesses(circuit.system, given);
  expect(assignments.length).toBe(1);
  for (let wire = 0; wire < circuit.system.wireCount; wire++)
    if (assignments[0]!.get(wire) !== witness.get(wire)) expect.fail(`wire ${wire} has another value`);
  return refuted;
}

export interface Attack {
  readonly seed: number;
  readonly cases: number;
  /** Larger circuits are passed over. */
  readonly rows: number;
}

/** Searches for other witnesses of random instructions of a kind. */
export function attackKind(kind: (typeof COMPUTED_KINDS)[number], { seed, cases, rows }: Attack): void {
  const r = new Random(seed);
  for (let done = 0; done < cases; ) {
    const { program: of, inputs } = randomCase(kind, r);
    if (of.instructions.reduce((n, { length }) => n + length, 0) > rows / 8) continue;
    const size = rowsOf(of);
    if (size === undefined || size > rows) continue;
    expectOnly(of, inputs);
    done++;
  }
}

/** Rows of a program's circuit; undefined where it is refused with a reason. */
function rowsOf(of: Program): number | undefined {
  try {
    return compileCircuit(of).report.constraints;
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'NOT_IN_ZK_TIER') throw error;
    expect(error.facts.reason).toBeTypeOf('string');
    return undefined;
  }
}

/** Random instructions, each fed by the one input: a circuit and a witness that holds, or a refusal; nothing else may happen. */
export function attackCompositions({ seed, programs }: { readonly seed: number; readonly programs: number }): void {
  const r = new Random(seed);
  for (let done = 0; done < programs; ) {
    const of = allKinds(r, () => r.integer(0, 1));
    if (of.instructions.length < 2 || rowsOf(of) === undefined) continue;
    const circuit = compileCircuit(of);
    for (let run = 0; run < 2; run++) buildWitness(circuit, of, execute(of, [r.tensor('u8', of.instructions[0]!.length)]), 7n);
    done++;
  }
}

const ROW = {
  strideHeight: 1,
  strideWidth: 1,
  dilationHeight: 1,
  dilationWidth: 1,
  padTop: 0,
  padLeft: 0,
  batch: 1,
  width: 1,
  outWidth: 1,
};
const PLAIN = { channels: 1, channelInner: 1, zeroPointA: 0, zeroPointB: 0, innerB: 1 };

/**
 * A small network in which everything meets: a tensor read by three, one read by nobody, a map with repeated and constant taps, a
 * difference of a tensor with itself, a square, a tie for arg, denominators below one, a tree under a table.
 */
export function entangled(r: Random): Program {
  const layer = (outputs: number, inputs: number) => ({
    weights: Array.from({ length: outputs }, () => Array.from({ length: inputs }, () => r.integer(-7, 7))),
    bias: Array.from({ length: outputs }, () => r.integer(-90, 90)),
    shift: Array.from({ length: outputs }, () => r.integer(3, 6)),
  });
  const affine = (multiplierA: number, multiplierB: number) => encodeRescaleRows([{ multiplierA, multiplierB, bias: 5 }]);
  const pool = { ...ROW, height: 4, channels: 1, outHeight: 2, kernelHeight: 2, kernelWidth: 1, strideHeight: 2 };
  const node = (feature: number, left: number, right: number, threshold: number) => ({ feature, left, right, threshold });
  const tree = [node(0, 1, 2, 0), node(5, 3, 4, -3), node(1, 4, 3, 7), node(0, 3, 3, 0), node(0, 4, 4, 0)];
  const total = { ...ROW, height: 6, channels: 1, outHeight: 1, kernelHeight: 6, kernelWidth: 1 };
  return program(
    'entangled',
    [
      input('u8', 3),
      dense('u8', 0, layer(4, 3), [0, 15]),
      part('max', 'u8', 2, [1], { ...pool, minimum: 0 }),
      dense('i16', 0, layer(4, 3), [-20, 21]),
      part('map', 'i16', 6, [3], {}, encodeMap(Uint32Array.of(0, 0, 1, 3, 4, 2), Int16Array.of(-9))),
      part('rescale', 'i16', 6, [4, 4], { ...PLAIN, shift: 1, low: -30, high: 30 }, affine(3, -2)),
      part('rescale', 'u8', 6, [5], { ...PLAIN, shift: 2, low: 0, high: 9 }, affine(1, 0)),
      part('multiply', 'i32', 6, [5, 5], { ...PLAIN, multiplier: 3, shift: 0, bias: -7, low: -(2 ** 31), high: 2 ** 31 - 1 }),
      part('table', 'u8', 2, [2], { offset: 1, entries: 12, width: 1, channels: 1, channelInner: 1 }, toBytes(r.tensor('u8', 12))),
      part('select', 'i16', 6, [5, 4, 5], { threshold: 2 }),
      part('arg', 'u8', 1, [9], { outer: 1, axis: 6, inner: 1, minimum: 0 }),
      part('divide', 'i16', 6, [7, 9], { multiplier: 5, zeroPoint: 0, innerB: 1, offset: -3, low: -500, high: 500 }),
      part('tree', 'u8', 1, [9], { rows: 1, features: 6, trees: 1, nodes: 5, depth: 3 }, encodeTreeNodes(tree)),
      part(
        'table',
        'i32',
        1,
        [12],
        { offset: 0, entries: 5, width: 1, channels: 1, channelInner: 1 },
        toBytes(Int32Array.of(0, 0, 0, -70_000, 9)),
      ),
      part('gather', 'i16', 1, [9, 10], { outer: 1, axis: 6, width: 1, count: 1, perOuter: 0, offset: 0 }),
      part('sum', 'i32', 1, [11], { ...total, zeroPoint: 0, multiplier: -3, shift: 1, bias: 1, low: -5000, high: 5000 }),
    ],
    3,
  );
}
