import { describe, expect, it } from 'vitest';
import { compileModel } from '../../core/quantize/compile.ts';
import { prepareInput } from '../../core/values.ts';
import { Sketch, uniform } from '../support/sketch.ts';

/** A dense layer over one row of four columns, the last of which spans `factor` times what the others do. */
function table(factor: number): { scales: readonly number[]; axis: number; integers: ArrayLike<number> } {
  const s = new Sketch(31);
  let column = 0;
  s.input('row', [1, 4], (random) => (column++ % 4 === 3 ? factor : 1) * uniform(0, 1)(random));
  s.dense(4, 3);
  const model = s.build('table');
  const { program } = compileModel({ onnx: model.onnx, calibration: model.cases(100), options: { mode: 'narrow' } });
  const [integers] = prepareInput(program, [{ name: 'row', data: Float32Array.of(0.5, 0.5, 0.5, 0.5 * factor) }]);
  return { ...program.interface.inputs[0]!, integers: integers! };
}

describe('columns of an input', () => {
  it('alike: one scale', () => expect(table(2).scales).toHaveLength(1));

  it('of very different ranges: one scale each, so that every column uses the steps there are', () => {
    const { scales, axis, integers } = table(10_000);
    expect(scales).toHaveLength(4);
    expect(axis).toBe(1);
    for (let i = 0; i < 4; i++) {
      expect(integers[i]).toBeGreaterThan(80);
      expect(integers[i]).toBeLessThan(255);
    }
  });

  it('an image has one scale, whatever its columns show', () => {
    const s = new Sketch(32);
    let pixel = 0;
    s.input('image', [1, 1, 8, 8], (random) => (pixel++ % 8 < 4 ? 0.01 : 1) * uniform(0, 1)(random));
    s.next('Conv', [s.weights([2, 1, 3, 3])]);
    s.next('Flatten');
    s.dense(72, 3);
    const model = s.build('image');
    const { program } = compileModel({ onnx: model.onnx, calibration: model.cases(20), options: { mode: 'narrow' } });
    expect(program.interface.inputs[0]!.scales).toHaveLength(1);
  });
});
