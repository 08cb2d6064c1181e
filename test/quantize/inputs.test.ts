import { describe, expect, it } from 'vitest';
import type { Case } from '../../core/cases.ts';
import { execute } from '../../core/execute.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../../core/values.ts';
import { feedsFor } from '../support/fixtures.ts';
import { encodeMessage, modelMessage, onnxModel, type TestModel } from '../support/onnx.ts';
import { Random } from '../support/random.ts';

/** A pipeline over the named columns of a table: `reals` real ones and one that counts. */
function table(reals: number): { model: TestModel; cases: Case[] } {
  const columns = Array.from({ length: reals }, (_, i) => `column ${i}`);
  const model: TestModel = {
    nodes: [
      { operator: 'Cast', inputs: ['count'], outputs: ['counted'], attributes: { to: 1 } },
      { operator: 'Concat', inputs: [...columns, 'counted'], outputs: ['row'], attributes: { axis: 1 } },
      { operator: 'MatMul', inputs: ['row', 'w'], outputs: ['y'] },
    ],
    inputs: Object.fromEntries([...columns, 'count'].map((name) => [name, [1, 1]])),
    types: { count: 7 },
    outputs: ['y'],
    constants: [{ name: 'w', dims: [reals + 1, 2], values: Array.from({ length: 2 * reals + 2 }, (_, i) => Math.sin(i)) }],
  };
  const r = new Random(5);
  const cases = Array.from({ length: 40 }, (): Case => {
    const inputs = [...columns, 'count'].map((name) => {
      const value = name === 'count' ? r.integer(0, 9) : r.bits() / 2 ** 31 - 1;
      return { name, type: name === 'count' ? 'int64' : 'float32', dims: [1, 1], data: Float64Array.of(value) };
    });
    return { inputs, outputs: [] };
  });
  return { model, cases };
}

describe('more inputs than a program has', () => {
  it('six stay six', () => {
    const { model, cases } = table(5);
    const { program, report } = compileModel({ onnx: onnxModel(model), calibration: cases });
    expect(program.interface.inputs).toHaveLength(6);
    expect(report.notes).toEqual([]);
  });

  it('ten reals are one tensor, the whole number another; cases name either the columns or the tensors', () => {
    const { model, cases } = table(10);
    const onnx = onnxModel(model);
    const { program, report } = compileModel({ onnx, calibration: cases });
    const names = Array.from({ length: 10 }, (_, i) => `column ${i}`).join(', ');
    expect(program.interface.inputs.map(({ name, dims }) => [name, dims])).toEqual([
      [names, [1, 10]],
      ['count', [1, 1]],
    ]);
    expect(report.notes.join()).toContain(names);
    const graph = parseModel(onnx);
    for (const one of cases.slice(0, 5)) {
      const float = evaluateGraph(graph, feedsFor(graph, one)).get('y')!.data;
      const tensors = prepareInput(program, one.inputs);
      const [answer] = readOutput(program, execute(program, tensors).slice(-1));
      answer!.values.forEach((value, i) => {
        expect(Math.abs(value - float[i]!)).toBeLessThan(0.1);
      });
      const data = Float64Array.from(one.inputs.slice(0, 10), (column) => column.data[0]!);
      expect(prepareInput(program, [{ name: names, data }, one.inputs[10]!])).toEqual(tensors);
      expect(() => prepareInput(program, one.inputs.slice(1))).toThrow(/No value for the input/);
    }
  });
});

describe('labels that are strings', () => {
  const message = modelMessage({
    nodes: [
      { operator: 'ArgMax', inputs: ['x'], outputs: ['at'], attributes: { axis: 1 } },
      { operator: 'ArrayFeatureExtractor', domain: 'ai.onnx.ml', inputs: ['labels', 'at'], outputs: ['own'] },
      { operator: 'Reshape', inputs: ['own', 'flat'], outputs: ['label'] },
    ],
    inputs: { x: [1, 3] },
    outputs: ['label'],
    constants: [{ name: 'flat', dims: [1], values: [-1], type: 7 }],
  });
  const text = new TextEncoder();
  const labels = { name: 'labels', dims: [3], dataType: 8, stringData: ['ham', 'spam', 'eggs'].map((one) => text.encode(one)) };
  const encode = (graph: object): Uint8Array => encodeMessage('Model', { ...message, graph: { ...message.graph, ...graph } });
  const initializer = [...(message.graph.initializer as object[]), labels];

  it('are answered as positions, and the report says what these stand for', () => {
    const output = [{ name: 'label', type: { tensorType: { elemType: 8 } } }];
    const { program, report } = compileModel({ onnx: encode({ initializer, output }), calibration: [] });
    expect(report.notes).toEqual(["output 'label' is the position in the label list ham, spam, eggs"]);
    const [answer] = readOutput(
      program,
      execute(program, prepareInput(program, [{ name: 'x', data: Float32Array.of(0.1, 0.9, 0.3) }])).slice(-1),
    );
    expect(Array.from(answer!.values)).toEqual([1]);
  });

  it('strings that are computed with are refused', () => {
    const node = [{ opType: 'Identity', input: ['labels'], output: ['label'] }];
    expect(() => parseModel(encode({ node, initializer }))).toThrow(/element type 8/);
  });
});
