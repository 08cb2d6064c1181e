import { beforeAll, describe, expect, it } from 'vitest';
import type { Case } from '../../core/cases.ts';
import { AssayError } from '../../core/errors.ts';
import { execute } from '../../core/execute.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { validateProgram } from '../../core/program/validate.ts';
import { type Compiled, compileModel } from '../../core/quantize/compile.ts';
import { argmaxLast, prepareInput, readOutput } from '../../core/values.ts';
import { feedsFor, fixtureModel, irisCases, mnistCases } from '../support/fixtures.ts';
import { onnxModel } from '../support/onnx.ts';

function answer(program: Program, one: Case): { values: Float64Array; dims: readonly number[] }[] {
  const tensors = execute(program, prepareInput(program, one.inputs));
  return readOutput(program, tensors.slice(tensors.length - program.interface.outputs.length));
}

function floatAnswer(onnx: Uint8Array, one: Case): ArrayLike<number>[] {
  const graph = parseModel(onnx);
  return [...evaluateGraph(graph, feedsFor(graph, one)).values()].map((value) => value.data);
}

const best = (values: ArrayLike<number>): number => argmaxLast([values.length], values)[0]!;

const digits = [
  { name: 'mnist-cnn-cntk', input: 'Input3', prepare: (pixel: number) => pixel },
  { name: 'mnist-maxpool-mlp', input: 'image', prepare: (pixel: number) => (pixel / 255 - 0.1307) / 0.3081 },
] as const;

describe.each(digits)('$name on MNIST', ({ name, input, prepare }) => {
  const rows = mnistCases(input, prepare);
  const calibration = rows.slice(0, 64);
  const scored = rows.slice(100, 400);
  const { onnx } = fixtureModel(name);
  let compiled: Compiled;

  beforeAll(() => {
    compiled = compileModel({ onnx, calibration, options: { name } });
  }, 120_000);

  it("keeps the float model's answers: agreement at least 99 %, top-1 within half a point", () => {
    let same = 0;
    let integerRight = 0;
    let floatRight = 0;
    for (const one of scored) {
      const float = best(floatAnswer(onnx, one)[0]!);
      const integer = best(answer(compiled.program, one)[0]!.values);
      if (float === integer) same++;
      if (float === one.label) floatRight++;
      if (integer === one.label) integerRight++;
    }
    expect(same / scored.length).toBeGreaterThanOrEqual(0.99);
    expect(floatRight / scored.length).toBeGreaterThan(0.85);
    expect(Math.abs(integerRight - floatRight) / scored.length).toBeLessThanOrEqual(0.005);
  });

  it('fits eight bits, and reports every layer without saturation', () => {
    expect(compiled.report.mode).toBe('narrow');
    expect(compiled.report.layers.every((layer) => layer.saturation < 0.01 && layer.decibels > 20)).toBe(true);
    expect(compiled.report.score.from).toBe('held out');
    expect(compiled.report.score.floatTop1).toBeGreaterThan(0.8);
  });

  it('is valid and the same bytes every time', () => {
    validateProgram(compiled.program);
    const again = compileModel({ onnx, calibration, options: { name } });
    expect(encodeProgram(again.program)).toEqual(encodeProgram(compiled.program));
  }, 120_000);
});

describe('the Softmax of an output', () => {
  const { onnx, cases } = fixtureModel('mnist-maxpool-mlp');

  it('is kept by default: probabilities that add up to one', () => {
    const { program } = compileModel({ onnx, calibration: cases });
    const { values } = answer(program, cases[0]!)[0]!;
    expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 3);
    expect(program.instructions.some((instruction) => instruction.kind === 'divide')).toBe(true);
  });

  it('is left out when asked, and the report says so', () => {
    const { program, report } = compileModel({ onnx, calibration: cases, options: { logits: true } });
    expect(program.instructions.map((instruction) => instruction.kind)).toEqual(['input', 'max', 'linear', 'linear']);
    expect(program.instructions[3]!.type).toBe('i32');
    expect(report.notes.join()).toMatch(/logits/);
    expect(best(answer(program, cases[0]!)[0]!.values)).toBe(best(cases[0]!.outputs[0]!.data));
  });
});

describe('trees and tables on Iris', () => {
  it.each(['iris-randomforest-sklearn', 'iris-lightgbm-decomposed', 'iris-decision-tree-hummingbird'] as const)(
    '%s answers every row as the float model does',
    (name) => {
      const { onnx, cases } = fixtureModel(name);
      const rows = irisCases(cases[0]!.inputs[0]!.name);
      const { program } = compileModel({ onnx, calibration: rows.filter((_, i) => i % 3 === 0) });
      const scored = rows.filter((_, i) => i % 3 !== 0);
      const same = scored.filter((one) => answer(program, one)[0]!.values[0] === floatAnswer(onnx, one)[0]![0]);
      expect(same.length).toBe(scored.length);
    },
  );
});

describe('small networks of other kinds', () => {
  it.each(['linear-regression', 'layernorm', 'rnn-small', 'qtdnn-int8'] as const)(
    '%s follows onnxruntime within 2 % of the range',
    (name) => {
      const { onnx, cases } = fixtureModel(name);
      const { program } = compileModel({ onnx, calibration: cases });
      for (const one of cases) {
        answer(program, one).forEach(({ values }, o) => {
          const float = one.outputs[o]!.data;
          const range = Math.max(...float) - Math.min(...float) || Math.max(1, Math.abs(float[0]!));
          const square = values.reduce((sum, v, e) => sum + (v - float[e]!) ** 2, 0) / values.length;
          expect(Math.sqrt(square) / range).toBeLessThan(0.02);
        });
      }
    },
  );
});

describe('what is refused', () => {
  const model = (operator: string): Uint8Array =>
    onnxModel({ nodes: [{ operator, inputs: ['x'], outputs: ['y'], name: 'odd one' }], inputs: { x: [1, 4] }, outputs: ['y'] });
  const calibration = [{ inputs: [{ name: 'x', type: 'float32', dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) }], outputs: [] }];

  function refusal(run: () => unknown): AssayError {
    try {
      run();
    } catch (error) {
      if (error instanceof AssayError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  }

  it('an unknown operator, by node and name', () => {
    const error = refusal(() => compileModel({ onnx: model('NonMaxSuppression'), calibration }));
    expect(error.code).toBe('MODEL_REFUSED');
    expect(error.message).toMatch(/'odd one' \(NonMaxSuppression/);
  });

  it('a case that lacks an input or has another shape', () => {
    expect(
      refusal(() =>
        compileModel({ onnx: model('Relu'), calibration: [{ inputs: [{ ...calibration[0]!.inputs[0]!, name: 'z' }], outputs: [] }] }),
      ).message,
    ).toMatch(/no value for the input 'x'/);
    expect(
      refusal(() =>
        compileModel({ onnx: model('Relu'), calibration: [{ inputs: [{ ...calibration[0]!.inputs[0]!, dims: [2, 2] }], outputs: [] }] }),
      ).message,
    ).toMatch(/2x2/);
  });

  it('a loss beyond the allowed one', () => {
    const { onnx } = fixtureModel('mnist-cnn-cntk');
    const rows = mnistCases('Input3', (pixel) => pixel).slice(0, 40);
    expect(refusal(() => compileModel({ onnx, calibration: rows, options: { maxAccuracyDrop: -1 } })).code).toBe('ACCURACY_LOST');
  });
});

describe('without calibration data', () => {
  it('compiles, and the report warns what that means', () => {
    const { onnx } = fixtureModel('linear-regression');
    const { report } = compileModel({ onnx, calibration: [] });
    expect(report.warnings.join()).toMatch(/no calibration data/);
    expect(report.calibrationCases).toBe(0);
  });
});
