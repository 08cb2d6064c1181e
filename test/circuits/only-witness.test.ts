import { describe, expect, it } from 'vitest';
import { type CompiledCircuit, compileCircuit } from '../../circuits/compile.ts';
import { buildWitness } from '../../circuits/witness.ts';
import { execute } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import { type TypedArray, toBytes } from '../../core/tensor.ts';
import { Random } from '../support/random.ts';
import { allWitnesses } from './all-witnesses.ts';
import { input, ladderDense, part, program, random, randomInputs } from './build.ts';
import { attackCompositions, attackKind, entangled, expectOnly, FORGED_KINDS, inputWires } from './only-witness.ts';

describe('the honest witness is the only one there is', () => {
  it.each(FORGED_KINDS)('for random %s instructions', (kind) => {
    attackKind(kind, { seed: 4, cases: 2, rows: 900 });
  });

  it('for square roots of few bits', () => {
    const of = program('roots', [input('u8', 4), part('isqrt', 'u8', 4, [0], { shift: 1 })]);
    for (const values of [
      [0, 1, 2, 255],
      [127, 128, 7, 8],
    ])
      expectOnly(of, [Uint8Array.from(values)]);
  });

  it('in a network with tensors used twice, values nobody reads, ties and extremes', () => {
    const r = new Random(12);
    const of = entangled(r);
    for (const inputs of [
      [0, 0, 0],
      [255, 255, 255],
      [0, 255, 17],
      [128, 127, 128],
    ])
      expectOnly(of, [Uint8Array.from(inputs)]);
  });

  it('even if the prover may choose the input behind the public signals', () => {
    const clamp = { shift: 2, zeroPointA: 0, zeroPointB: 0, innerB: 1, channels: 1, channelInner: 1, low: -8, high: 7 };
    const row = new Uint8Array(16);
    new DataView(row.buffer).setInt32(0, 1, true);
    const of = program(
      'two',
      [input('i16', 1), input('u8', 2), part('rescale', 'i16', 1, [0], clamp, row), part('rescale', 'i16', 2, [1], clamp, row)],
      2,
    );
    for (let run = 0; run < 4; run++) {
      const inputs = randomInputs(of, random(run));
      const { circuit, witness } = honest(of, inputs);
      const { assignments } = allWitnesses(circuit.system, new Map([1, 2].map((wire) => [wire, witness.get(wire)])));
      expect(assignments.length).toBe(1);
      expect(assignments[0]!.small).toEqual(witness.small);
    }
  });
});

describe('programs put together at random', () => {
  it('are proved as they are executed, or refused with a reason', () => {
    attackCompositions({ seed: 3, programs: 4 });
  });

  it('may read a steep table that never takes the steps its lines would', () => {
    const values = Int32Array.from({ length: 60_000 }, (_, i) => i);
    values.set([-(2 ** 31), 2 ** 31 - 1]);
    const unit = { channels: 1, channelInner: 1 };
    const row = new Uint8Array(16);
    new DataView(row.buffer).setInt32(0, 1 << 20, true);
    const of = program('steep', [
      input('i16', 1),
      part('table', 'i32', 1, [0], { offset: -30_000, entries: 60_000, width: 1, ...unit }, toBytes(values)),
      part(
        'rescale',
        'i32',
        1,
        [1],
        { ...unit, shift: 21, zeroPointA: 0, zeroPointB: 0, innerB: 1, low: -(2 ** 31), high: 2 ** 31 - 1 },
        row,
      ),
    ]);
    for (const value of [-30_000, -29_999, -29_998, 0, 29_999]) expectOnly(of, [Int16Array.of(value)]);
  });
});

describe('the search itself', () => {
  it('misses every row that is left out', () => {
    const of = ladderDense('small', [3, 3, 2], 5);
    const { circuit, witness } = honest(of, randomInputs(of, random(3)));
    const { system } = circuit;
    const given = new Map([1, 2, ...inputWires(system)].map((wire) => [wire, witness.get(wire)]));
    const found = (row?: number): number => {
      try {
        return allWitnesses(system, given, row).assignments.length;
      } catch {
        // More than it follows, or a wire that no row determines.
        return Number.POSITIVE_INFINITY;
      }
    };
    expect(found()).toBe(1);
    // Rows of the input are not missed where the input is given.
    const first = circuit.report.inputRange + circuit.report.inputBinding;
    const unmissed = Array.from({ length: system.rowCount - first }, (_, i) => first + i).filter((row) => found(row) === 1);
    expect(unmissed.map((row) => `${row}: ${system.purposeOf(row)}`)).toEqual([]);
  });
});

function honest(of: Program, inputs: readonly TypedArray[]): { circuit: CompiledCircuit; witness: ReturnType<typeof buildWitness> } {
  const circuit = compileCircuit(of);
  return { circuit, witness: buildWitness(circuit, of, execute(of, inputs), 7n) };
}
