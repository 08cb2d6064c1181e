import { describe, expect, it } from 'vitest';
import { compileCircuit, estimateCircuit } from '../../circuits/compile.ts';
import { buildWitness, publicSignals } from '../../circuits/witness.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { linearRow } from '../../core/ops/linear.ts';
import type { Instruction } from '../../core/program/types.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { prepareInput } from '../../core/values.ts';
import { packBytes } from '../../core/zk-encoding.ts';
import { FIXTURE_MODELS, fixtureModel, mnistCases } from '../support/fixtures.ts';
import { random, randomInputs } from './build.ts';

/** Circuits beyond this are compiled for their size only. */
const WITNESS_LIMIT = 60_000;

describe.each(FIXTURE_MODELS)('%s, as its makers trained it', (name) => {
  it('has a circuit that computes what the executor computes, or says why not', () => {
    const { onnx, cases } = fixtureModel(name);
    const { program } = compileModel({ onnx, calibration: cases });
    const { notInTier, constraints } = estimateCircuit(program);
    if (notInTier !== undefined) {
      expect(notInTier.reason.length).toBeGreaterThan(10);
      return;
    }
    expect(constraints).toBeGreaterThan(0);
    if (constraints > WITNESS_LIMIT) return;
    const circuit = compileCircuit(program);
    const inputs = [prepareInput(program, cases[0]!.inputs), randomInputs(program, random(2))];
    for (const given of inputs) {
      const tensors = execute(program, given);
      const signals = publicSignals(circuit, buildWitness(circuit, program, tensors, 3n));
      expect(signals.slice(1 + circuit.layout.inputSignals)).toEqual(packBytes(joinTensors(outputsOf(program, tensors))));
    }
  });
});

describe('weights of 6 bits (`--cheap-proof`)', () => {
  it('stay within ±32, prove in fewer rows, and give the answers of 7 bits on nearly every row', () => {
    const { onnx } = fixtureModel('mnist-maxpool-mlp');
    const rows = mnistCases('input', (pixel) => pixel / 255).slice(0, 100);
    const name = parseModel(onnx).inputs[0]!.name;
    const cases = rows.map((one) => ({ ...one, inputs: one.inputs.map((tensor) => ({ ...tensor, name })) }));
    const made = ([32, 64] as const).map((weightLimit) => {
      const options = { weightLimit, logits: true, mode: 'narrow' } as const;
      return compileModel({ onnx, calibration: cases.slice(0, 50), options }).program;
    });
    const [cheap, usual] = made.map(({ instructions }) => instructions.filter((i) => i.kind === 'linear' && i.type === 'u8'));
    const largest = (list: typeof cheap): number =>
      Math.max(
        ...list!.flatMap((i) =>
          Array.from({ length: i.length }, (_, o) => Math.max(...linearRow(i as Instruction<'linear'>, o).weights.map(Math.abs))),
        ),
      );
    expect(largest(cheap)).toBeLessThanOrEqual(32);
    expect(largest(usual)).toBeGreaterThan(32);
    expect(estimateCircuit(made[0]!).constraints).toBeLessThan(estimateCircuit(made[1]!).constraints);
    const answers = made.map((program) =>
      cases.map(({ inputs }) => bestOf(outputsOf(program, execute(program, prepareInput(program, inputs)))[0]!)),
    );
    const agreeing = answers[0]!.filter((answer, i) => answer === answers[1]![i]).length;
    expect(agreeing).toBeGreaterThanOrEqual(98);
  });
});

function bestOf(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
