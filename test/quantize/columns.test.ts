import { describe, expect, it } from 'vitest';
import type { Case } from '../../core/cases.ts';
import { execute } from '../../core/execute.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../../core/values.ts';
import { feedsFor } from '../support/fixtures.ts';
import { onnxModel } from '../support/onnx.ts';
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

/** Two columns, one in millions and one in millionths, that a tree of strict comparisons tells apart at values that occur. */
function forest(): { onnx: Uint8Array; cases: Case[] } {
  const node = {
    operator: 'TreeEnsembleRegressor',
    domain: 'ai.onnx.ml',
    inputs: ['row'],
    outputs: ['y'],
    attributes: {
      nodes_treeids: [0, 0, 0, 0, 0],
      nodes_nodeids: [0, 1, 2, 3, 4],
      nodes_featureids: [0, 1, 0, 0, 0],
      nodes_modes: { strings: ['BRANCH_LT', 'BRANCH_LT', 'LEAF', 'LEAF', 'LEAF'] },
      nodes_values: { floats: [3_000_001, 0.000_005, 0, 0, 0] },
      nodes_truenodeids: [1, 3, 0, 0, 0],
      nodes_falsenodeids: [2, 4, 0, 0, 0],
      target_treeids: [0, 0, 0],
      target_nodeids: [2, 3, 4],
      target_ids: [0, 0, 0],
      target_weights: { floats: [10, 20, 30] },
      n_targets: 1,
    },
  };
  const onnx = onnxModel({ nodes: [node], inputs: { row: [1, 2] }, outputs: ['y'] });
  const cases = [2_999_999, 3_000_000, 3_000_001, 3_000_002].flatMap((large) =>
    [0.000_004_9, 0.000_004_999, 0.000_005, 0.000_005_1].map((small) => ({
      inputs: [{ name: 'row', type: 'float32', dims: [1, 2], data: Float32Array.of(large, small) }],
      outputs: [],
    })),
  );
  return { onnx, cases };
}

describe('columns of an input', () => {
  it('a tree has a scale a column, and meets its thresholds where the float model does', () => {
    const { onnx, cases } = forest();
    const { program } = compileModel({ onnx, calibration: cases });
    const graph = parseModel(onnx);
    const answers = cases.map(({ inputs }) => {
      const tensors = execute(program, prepareInput(program, inputs));
      return readOutput(program, tensors.slice(-1))[0]!.values[0]!;
    });
    const float = cases.map((one) => evaluateGraph(graph, feedsFor(graph, one)).get('y')!.data[0]!);
    expect(new Set(float)).toEqual(new Set([10, 20, 30]));
    answers.forEach((answer, i) => {
      expect(answer).toBeCloseTo(float[i]!, 3);
    });
  });

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
