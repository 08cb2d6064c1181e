import { describe, expect, it } from 'vitest';
import { compileCircuit, estimateCircuit } from '../../circuits/compile.ts';
import { buildWitness, publicSignals } from '../../circuits/witness.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { prepareInput } from '../../core/values.ts';
import { packBytes } from '../../core/zk-encoding.ts';
import { FIXTURE_MODELS, fixtureModel } from '../support/fixtures.ts';
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
