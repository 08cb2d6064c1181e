import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { Sketch, type ZooModel } from '../support/sketch.ts';
import { ZOO } from '../support/zoo.ts';

function zoo(name: string): ZooModel {
  const found = ZOO.map((make) => make()).find((model) => model.name === name);
  if (found === undefined) throw new Error(`no model '${name}' in the zoo`);
  return found;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
  return 'nothing was refused';
}

describe('where 8 bits cannot hold a model', () => {
  const model = zoo('channels of a hundred different scales');
  const calibration = model.cases(40);

  it('8 bits forced: the report names the layer that lost most, and the loss is refused where it was forbidden', () => {
    const { report } = compileModel({ onnx: model.onnx, calibration, options: { mode: 'narrow' } });
    expect(report.losses[0]!.node).toBe('Gemm2');
    expect(report.losses[0]!.lost).toBeGreaterThan(10);
    expect(report.layers.at(-1)!.decibels).toBeLessThan(20);
    expect(codeOf(() => compileModel({ onnx: model.onnx, calibration, options: { mode: 'narrow', maxAccuracyDrop: 5 } }))).toBe(
      'ACCURACY_LOST',
    );
  });

  it('left to the compiler: 16 bits, and hardly a loss', () => {
    const { report } = compileModel({ onnx: model.onnx, calibration, options: { maxAccuracyDrop: 5 } });
    expect(report.mode).toBe('wide');
    expect(report.losses).toEqual([]);
    expect(report.layers.every(({ decibels, saturation }) => decibels > 50 && saturation === 0)).toBe(true);
  });
});

describe('an allowed loss of numbers that are no votes', () => {
  const model = zoo('regression around 3 in a range of a thousandth');
  const calibration = model.cases(40);

  it('is counted in points of the range: refused just below the loss, kept just above', () => {
    const { report } = compileModel({ onnx: model.onnx, calibration });
    const points = 100 * report.score.outputs[0]!.relativeError;
    expect(points).toBeGreaterThan(0);
    const bounded = (maxAccuracyDrop: number): string =>
      codeOf(() => compileModel({ onnx: model.onnx, calibration, options: { maxAccuracyDrop } }));
    expect(bounded(0.99 * points)).toBe('ACCURACY_LOST');
    expect(bounded(1.01 * points)).toBe('nothing was refused');
  });
});

describe('more outputs than a program has', () => {
  const outputsOf = (count: number): ZooModel => {
    const s = new Sketch(21);
    s.input('x', [1, 4]);
    const names = Array.from({ length: count }, (_, i) => {
      s.from('x').dense(4, 2, 10 ** (i % 4) / 100);
      return s.next('Tanh');
    });
    return s.build('outputs', names);
  };

  it.each([
    [6, 6, 2],
    [7, 6, 4],
    [13, 6, 16],
    [14, 6, 18],
    [30, 6, 50],
  ])('%i become %i, the last of %i values', (count, tensors, values) => {
    const model = outputsOf(count);
    const { program, report } = compileModel({ onnx: model.onnx, calibration: model.cases(40) });
    const { outputs } = program.interface;
    expect(outputs).toHaveLength(tensors);
    expect(outputs.at(-1)!.dims.reduce((a, b) => a * b, 1)).toBe(values);
    expect(report.score.outputs).toHaveLength(count);
    expect(report.score.outputs.every(({ relativeError }) => relativeError < 0.02)).toBe(true);
    expect(report.notes.some((note) => note.includes('joined'))).toBe(count > 6);
  });

  it('what would be longer than a list of scales is refused', () => {
    const s = new Sketch(22);
    s.input('x', [1, 8192]);
    const names = ['Relu', 'Relu', 'Relu', 'Relu', 'Relu', 'Relu', 'Tanh'].map((operator) => s.from('x').next(operator));
    const model = s.build('long outputs', names);
    expect(codeOf(() => compileModel({ onnx: model.onnx, calibration: model.cases(1) }))).toBe('MODEL_REFUSED');
  });
});
