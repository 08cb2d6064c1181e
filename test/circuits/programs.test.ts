import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readR1cs } from 'r1csfile';
import { afterAll, describe, expect, it } from 'vitest';
import { Assignment, firstViolation } from '../../circuits/assignment.ts';
import { type CompiledCircuit, compileCircuit, estimateCircuit } from '../../circuits/compile.ts';
import type { ConstraintSystem } from '../../circuits/constraint-system.ts';
import { FIELD_PRIME } from '../../circuits/field.ts';
import { runHints } from '../../circuits/hints.ts';
import { commitInput } from '../../circuits/input-commitment.ts';
import { writeR1cs } from '../../circuits/r1cs-file.ts';
import { buildWitness, publicSignals, requireSatisfied } from '../../circuits/witness.ts';
import { AssayError } from '../../core/errors.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import { inputCount } from '../../core/program/validate.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { packBytes } from '../../core/zk-encoding.ts';
import { allKinds } from '../support/all-kinds.ts';
import { COMPUTED_KINDS, type RandomCase, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { uncaught } from './attack.ts';
import { dense, input, LADDER, ladderDense, part, program, quantizedLayer, random, randomInputs } from './build.ts';

const CONTEXT = 0xabcdefn;

function provedRun(of: Program, inputs: readonly TypedArray[]): { circuit: CompiledCircuit; witness: Assignment; tensors: TypedArray[] } {
  const circuit = compileCircuit(of);
  const tensors = execute(of, inputs);
  return { circuit, tensors, witness: buildWitness(circuit, of, tensors, CONTEXT) };
}

/** A random case whose circuit stays small: what is large shows nothing more and takes minutes. */
function smallCase(kind: (typeof COMPUTED_KINDS)[number], r: Random): RandomCase {
  for (;;) {
    const drawn = randomCase(kind, r);
    const elements = drawn.program.instructions.reduce((n, { length }) => n + length, 0);
    const { attributes } = drawn.program.instructions.at(-1)!;
    const nodes = 'nodes' in attributes ? attributes.trees * attributes.nodes * attributes.depth : 0;
    if (elements + nodes < 3000) return drawn;
  }
}

/** A witness whose maker changes one wire and computes everything after it from the changed value. */
class ForgedAssignment extends Assignment {
  private readonly forged: number;
  private readonly by: number;

  constructor(wires: number, forged: number, by: number) {
    super(wires);
    this.forged = forged;
    this.by = by;
  }

  override setSmall(wire: number, value: number): void {
    super.setSmall(wire, wire === this.forged ? value + this.by : value);
  }

  override set(wire: number, value: bigint): void {
    super.set(wire, wire === this.forged ? value + BigInt(this.by) : value);
  }
}

/** Wires that stand in a row; the context alone does not. */
function boundWires(cs: ConstraintSystem): number[] {
  const used = new Set(cs.termWires.data.subarray(0, cs.termWires.length));
  const free = Array.from({ length: cs.wireCount }, (_, w) => w).filter((w) => w > 0 && !used.has(w));
  expect(free, 'only the context is free').toEqual([1]);
  return [...used].filter((wire) => wire !== 0);
}

describe.each(COMPUTED_KINDS)('random %s instructions', (kind) => {
  it('give the executor’s outputs bit for bit, satisfied rows, and no free wire', () => {
    const r = new Random(2024);
    for (let i = 0; i < 3; i++) {
      const { program: of, inputs } = smallCase(kind, r);
      // buildWitness throws unless the outputs are equal and every row holds.
      try {
        const { circuit, witness } = provedRun(of, inputs);
        const wires = boundWires(circuit.system);
        expect(
          uncaught(circuit.system, witness, wires.length <= 300 ? wires : Array.from({ length: 300 }, () => r.pick(wires)), r),
        ).toEqual([]);
      } catch (error) {
        if (!(error instanceof AssayError) || error.code !== 'NOT_IN_ZK_TIER') throw error;
        expect(error.facts.reason).toBeTypeOf('string');
      }
    }
  });
});

describe('a network of every kind', () => {
  const r = new Random(3);
  const of = allKinds(r);
  const inputs = of.instructions.slice(0, inputCount(of)).map(({ type, length }) => r.tensor(type, length));

  it('is proved as it is executed, and catches 10,000 changes of sampled wires', () => {
    const { circuit, witness } = provedRun(of, inputs);
    const wires = boundWires(circuit.system);
    const sampled = Array.from({ length: 2000 }, () => r.pick(wires));
    expect(uncaught(circuit.system, witness, sampled, r)).toEqual([]);
  });
});

describe('a large network', () => {
  it('catches 10,000 sampled wires changed', () => {
    const of = LADDER['mlp-784-128-10']!();
    const r = new Random(31);
    const { circuit, witness } = provedRun(of, randomInputs(of, random(4)));
    const wires = boundWires(circuit.system);
    const sampled = Array.from({ length: 10_000 }, () => r.pick(wires));
    expect(uncaught(circuit.system, witness, sampled, r)).toEqual([]);
  });
});

describe('every wire of a small network', () => {
  const of = ladderDense('small', [6, 5, 4, 3], 77);

  it('is caught when changed', () => {
    const r = new Random(9);
    for (let run = 0; run < 3; run++) {
      const { circuit, witness } = provedRun(of, randomInputs(of, random(run)));
      expect(uncaught(circuit.system, witness, boundWires(circuit.system), r)).toEqual([]);
    }
  });

  it('is caught when forged before all that follows from it', () => {
    const circuit = compileCircuit(of);
    const tensors = execute(of, randomInputs(of, random(4)));
    const given = { context: CONTEXT, inputs: Float64Array.from(tensors[0]!) };
    const honest = publicSignals(circuit, buildWitness(circuit, of, tensors, CONTEXT));
    const outputs = new Set<string>();
    for (const wire of boundWires(circuit.system)) {
      for (const by of [1, -1]) {
        const witness = new ForgedAssignment(circuit.system.wireCount, wire, by);
        runHints(circuit.system, witness, given);
        const signals = publicSignals(circuit, witness);
        // An input element with another lowest bit is an honest run of another input, and says so.
        if (firstViolation(circuit.system, witness) === undefined) expect(signals[1], `wire ${wire}, ${by}`).not.toBe(honest[1]);
        else outputs.add(signals.slice(2).join());
      }
    }
    // Not in vain: the forgeries reach other outputs.
    expect(outputs.size).toBeGreaterThan(10);
  });

  it('leaves the context free, and only the context', () => {
    const { circuit, witness } = provedRun(of, randomInputs(of, random(1)));
    witness.set(1, 12345n);
    expect(() => requireSatisfied(circuit, witness)).not.toThrow();
    for (let signal = 2; signal <= circuit.layout.count; signal++) {
      const honest = witness.get(signal);
      witness.set(signal, honest + 1n);
      expect(() => requireSatisfied(circuit, witness), `signal ${signal}`).toThrow(AssayError);
      witness.set(signal, honest);
    }
  });

  it('accepts no other input’s witness under its own signals', () => {
    const first = provedRun(of, randomInputs(of, random(1)));
    const second = provedRun(of, randomInputs(of, random(2)));
    for (let signal = 2; signal <= first.circuit.layout.count; signal++) second.witness.set(signal, first.witness.get(signal));
    expect(() => requireSatisfied(first.circuit, second.witness)).toThrow(AssayError);
  });

  it('refuses tensors that are not a run of it', () => {
    const tensors = execute(of, randomInputs(of, random(1)));
    tensors[tensors.length - 1]![0]! += 1;
    expect(() => buildWitness(compileCircuit(of), of, tensors, CONTEXT)).toThrow(/other outputs/);
    expect(() => buildWitness(compileCircuit(of), of, tensors, FIELD_PRIME)).toThrow(/not a field element/);
  });
});

describe('public signals', () => {
  it('are context, packed input and packed output for small inputs', () => {
    for (const length of [1, 30, 31, 32, 248]) {
      const next = random(length);
      const of = program('packed', [
        input('u8', length),
        dense('i32', 0, quantizedLayer(9, length, next, false), [-(2 ** 31), 2 ** 31 - 1]),
      ]);
      const { circuit, witness, tensors } = provedRun(of, randomInputs(of, next));
      const expected = [CONTEXT, ...packBytes(joinTensors([tensors[0]!])), ...packBytes(joinTensors(outputsOf(of, tensors)))];
      expect(publicSignals(circuit, witness)).toEqual(expected);
    }
  });

  it('commit to larger inputs by Poseidon', async () => {
    for (const length of [249, 465, 466, 1000]) {
      const next = random(length);
      const of = program('committed', [input('u8', length), dense('u8', 0, quantizedLayer(2, length, next), [0, 255])]);
      const { circuit, witness, tensors } = provedRun(of, randomInputs(of, next));
      expect(circuit.layout.inputForm).toBe('commitment');
      expect(publicSignals(circuit, witness)[1]).toBe(await commitInput(joinTensors([tensors[0]!])));
    }
  });

  it('hold every type of input and output, negative ones included, across signal borders', () => {
    const clamp = { shift: 0, zeroPointA: 0, zeroPointB: 0, innerB: 1, channels: 1, channelInner: 1 };
    const row = new Uint8Array(16);
    new DataView(row.buffer).setInt32(0, 1, true);
    const of = program(
      'types',
      [
        input('i32', 9),
        input('i16', 17),
        input('u8', 3),
        part('rescale', 'i32', 9, [0], { ...clamp, low: -(2 ** 31), high: 2 ** 31 - 1 }, row),
        part('rescale', 'i16', 17, [1], { ...clamp, low: -32768, high: 32767 }, row),
        part('rescale', 'u8', 3, [2], { ...clamp, low: 0, high: 255 }, row),
      ],
      3,
    );
    const r = new Random(8);
    for (let run = 0; run < 6; run++) {
      const inputs = [r.tensor('i32', 9), r.tensor('i16', 17), r.tensor('u8', 3)];
      const { circuit, witness } = provedRun(of, inputs);
      const bytes = packBytes(joinTensors(inputs));
      expect(publicSignals(circuit, witness)).toEqual([CONTEXT, ...bytes, ...bytes]);
      expect(uncaught(circuit.system, witness, boundWires(circuit.system), r)).toEqual([]);
    }
  });
});

describe('files', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'assay-circuit-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('are read by an independent reader as the same rows', async () => {
    const cs = compileCircuit(LADDER['logreg-30']!()).system;
    const big = compileCircuit(ladderDense('committed', [300, 3], 4)).system;
    for (const system of [cs, big]) {
      const file = path.join(directory, 'circuit.r1cs');
      writeR1cs(file, system);
      const read = await readR1cs(file, { loadConstraints: true, singleThread: true });
      expect([read.nVars, read.nOutputs, read.nPubInputs, read.nPrvInputs, read.nConstraints]).toEqual([
        system.wireCount,
        0,
        system.publicCount,
        system.wireCount - system.publicCount - 1,
        system.rowCount,
      ]);
      read.constraints.forEach((parts, row) => {
        parts.forEach((terms, part) => {
          const { from, to } = system.part(row, part);
          const own = new Map<string, bigint>();
          for (let i = from; i < to; i++) {
            const value = system.bigCoefficient(system.termCodes.data[i]!);
            own.set(String(system.termWires.data[i]), value < 0n ? value + FIELD_PRIME : value);
          }
          const theirs = new Map(Object.entries(terms).map(([wire, value]) => [wire, read.F.toObject(value)]));
          expect(theirs.size).toBe(to - from);
          for (const [wire, value] of own) if (theirs.get(wire) !== value) expect.fail(`row ${row}, part ${part}, wire ${wire}`);
        });
      });
    }
  });
});

describe('the tier', () => {
  it('compiles equal programs to equal rows', () => {
    const [a, b] = [compileCircuit(ladderDense('twice', [300, 20, 5], 8)), compileCircuit(ladderDense('twice', [300, 20, 5], 8))];
    expect(a.system.termWires.data).toEqual(b.system.termWires.data);
    expect(a.system.termCodes.data).toEqual(b.system.termCodes.data);
  });

  it('names the instruction that does not fit, and why', () => {
    const squares = new Uint8Array(70000).map((_, i) => (i * i) % 251);
    const wide = program('wide table', [
      input('i32', 2),
      part('table', 'u8', 2, [0], { offset: 0, entries: 70000, width: 1, channels: 1, channelInner: 1 }, squares),
    ]);
    const reason = expect.stringContaining('70000 reachable');
    expect(estimateCircuit(wide)).toMatchObject({ notInTier: { instruction: 1, kind: 'table', reason } });
    expect(() => compileCircuit(wide)).toThrow(/zk tier/);
  });

  it('counts rows as the committed snapshot says', () => {
    const counts = Object.entries(LADDER).map(([name, make]) => {
      const { report: r } = compileCircuit(make());
      const perActivation = Number((r.model / Math.max(r.activations, 1)).toFixed(2));
      return [
        name,
        `${r.constraints} = ${r.inputRange} + ${r.inputBinding} + ${r.model} + ${r.outputBinding}; ${perActivation} an activation; domain 2^${Math.log2(r.domain)}`,
      ];
    });
    expect(Object.fromEntries(counts)).toMatchInlineSnapshot(`
      {
        "dense-4m": "113610 = 8192 + 1792 + 103389 + 237; 25.18 an activation; domain 2^17",
        "lenet5-avgpool": "162169 = 6272 + 1204 + 154489 + 204; 19.09 an activation; domain 2^18",
        "lenet5-maxpool": "139201 = 6272 + 1204 + 131521 + 204; 16.25 an activation; domain 2^18",
        "logreg-30": "261 = 240 + 1 + 0 + 20; 0 an activation; domain 2^9",
        "mlp-2m-6k": "146431 = 6272 + 1204 + 138703 + 252; 22.85 an activation; domain 2^18",
        "mlp-784-128-10": "10886 = 6272 + 1204 + 3200 + 210; 23.19 an activation; domain 2^14",
      }
    `);
  });
});

describe('assignment', () => {
  it('reads what it wrote, small, negative and large', () => {
    const values = new Assignment(4);
    for (const value of [0n, 1n, FIELD_PRIME - 1n, 2n ** 53n, FIELD_PRIME - 2n ** 53n, FIELD_PRIME / 2n]) {
      values.set(2, value);
      expect(values.get(2)).toBe(value);
    }
  });
});
