import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import type { Graph } from '../../core/onnx/graph.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { encodeMessage, modelMessage, onnxModel, type TestModel } from '../support/onnx.ts';

const good: TestModel = {
  nodes: [
    { operator: 'Add', inputs: ['x', 'w'], outputs: ['sum'], name: 'adding' },
    { operator: 'Relu', inputs: ['sum'], outputs: ['y'], name: 'cutting' },
  ],
  inputs: { x: [1, 4] },
  outputs: ['y'],
  constants: [{ name: 'w', dims: [4], values: [1, -2, 3, -4] }],
};

function refusal(bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): AssayError {
  try {
    parseModel(bytes, external);
  } catch (error) {
    if (error instanceof AssayError) return error;
    throw error;
  }
  throw new Error('the model was accepted');
}

/** The good model with its graph changed. */
function spoiled(change: (graph: Record<string, unknown>) => void): Uint8Array {
  const message = modelMessage(good);
  change(message.graph);
  return encodeMessage('Model', message);
}

function runOnOnes(graph: Graph): void {
  const feeds = graph.inputs.map((input) => {
    const dims = (input.dims ?? []).map((dim) => dim ?? 1);
    const count = dims.reduce((a, b) => a * b, 1);
    return [input.name, tensor(input.type ?? 'float32', dims, new Array<number>(count).fill(1))] as const;
  });
  evaluateGraph(graph, new Map(feeds));
}

describe('parseModel', () => {
  it('reads a good model in execution order', () => {
    const graph = parseModel(spoiled((g) => (g.node as unknown[]).reverse()));
    expect(graph.nodes.map((node) => node.name)).toEqual(['adding', 'cutting']);
    expect(Array.from(graph.constants.get('w')!.data)).toEqual([1, -2, 3, -4]);
  });

  it('drops nodes that no output needs', () => {
    const graph = parseModel(onnxModel({ ...good, nodes: [...good.nodes, { operator: 'Neg', inputs: ['y'], outputs: ['unused'] }] }));
    expect(graph.nodes).toHaveLength(2);
  });

  it.each([
    ['an empty file', new Uint8Array(0), /empty/],
    ['a git-lfs pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'), /git-lfs/],
    ['a web page', new TextEncoder().encode('<!DOCTYPE html><html></html>'), /text file/],
    ['a truncated file', onnxModel(good).subarray(0, 40), /not a readable ONNX|holds no ONNX/],
    ['a file of zeros', new Uint8Array(100), /not a readable ONNX|holds no ONNX/],
  ])('refuses %s', (_, bytes, reason) => {
    const error = refusal(bytes);
    expect(error.code).toBe('MODEL_REFUSED');
    expect(error.message).toMatch(reason);
  });

  it.each([5, 26])('refuses operator set %i', (opset) => expect(refusal(onnxModel({ ...good, opset })).message).toMatch(/operator set/));
  it.each([6, 25])('accepts operator set %i', (opset) => expect(parseModel(onnxModel({ ...good, opset })).nodes).toHaveLength(2));

  it('names the node of a cycle', () => {
    const cyclic = { ...good, nodes: [good.nodes[1]!, { ...good.nodes[0]!, inputs: ['y', 'w'] }] };
    expect(refusal(onnxModel(cyclic)).explain()).toMatch(/cycle.*(adding|cutting)/);
  });

  it('names a missing tensor and who needs it', () => {
    const missing = { ...good, nodes: [{ ...good.nodes[0]!, inputs: ['x', 'lost'] }, good.nodes[1]!] };
    expect(refusal(onnxModel(missing)).message).toMatch(/'lost'.*'adding'/);
  });

  it('refuses an output without a name', () => expect(refusal(onnxModel({ ...good, outputs: [''] })).message).toMatch(/no name/));

  it('refuses a tensor that is defined twice', () => {
    expect(refusal(onnxModel({ ...good, nodes: [...good.nodes, { ...good.nodes[0]!, name: 'again' }] })).message).toMatch(/defined twice/);
  });

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
  ])('refuses %s among the weights and names the tensor', (_, value) => {
    const constants = [{ name: 'w', dims: [4], values: [1, value, 3, 4] }];
    expect(refusal(onnxModel({ ...good, constants })).message).toMatch(/'w'.*element 1/);
  });

  it('refuses a header that claims four gigabytes, without allocating them', () => {
    const huge = spoiled((graph) => {
      graph.initializer = [{ name: 'w', dims: [1 << 15, 1 << 15], dataType: 1, rawData: new Uint8Array(16) }];
    });
    expect(refusal(huge).message).toMatch(/more than 67108864 elements/);
  });

  it('refuses data that does not fill its shape, by one byte either way', () => {
    for (const bytes of [15, 17]) {
      const wrong = spoiled((graph) => {
        graph.initializer = [{ name: 'w', dims: [4], dataType: 1, rawData: new Uint8Array(bytes) }];
      });
      expect(refusal(wrong).message).toMatch(/holds \d+ bytes/);
    }
  });

  it('reads external data, and refuses it when it is missing or too short', () => {
    const external = spoiled((graph) => {
      graph.initializer = [
        {
          name: 'w',
          dims: [4],
          dataType: 1,
          dataLocation: 1,
          externalData: [
            { key: 'location', value: 'w.bin' },
            { key: 'offset', value: '4' },
            { key: 'length', value: '16' },
          ],
        },
      ];
    });
    const file = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer);
    expect(Array.from(parseModel(external, new Map([['w.bin', file]])).constants.get('w')!.data)).toEqual([1, 2, 3, 4]);
    expect(refusal(external).message).toMatch(/'w.bin', which was not given/);
    expect(refusal(external, new Map([['w.bin', file.subarray(0, 19)]])).message).toMatch(/outside/);
  });

  it('writes functions of the model in place of their calls, with the attributes of the call or their own', () => {
    const leaky = {
      name: 'Soft',
      domain: 'own',
      input: ['a'],
      output: ['b'],
      attribute: ['slope'],
      node: [
        { opType: 'Neg', input: ['a'], output: ['t'] },
        { opType: 'LeakyRelu', input: ['t'], output: ['b'], attribute: [{ name: 'alpha', refAttrName: 'slope', type: 1 }] },
      ],
    };
    const twice = {
      name: 'Twice',
      domain: 'own',
      input: ['x'],
      output: ['z'],
      node: [
        { opType: 'Soft', domain: 'own', input: ['x'], output: ['t'], attribute: [{ name: 'slope', type: 1, f: 0.5 }] },
        { opType: 'Soft', domain: 'own', input: ['t'], output: ['z'], attribute: [{ name: 'slope', type: 1, f: 0.25 }] },
      ],
    };
    const message = modelMessage({ nodes: [], inputs: { t: [2] }, outputs: ['y'] });
    message.graph.node = [{ opType: 'Twice', domain: 'own', input: ['t'], output: ['y'] }];
    const encode = (functions: object[]): Uint8Array =>
      encodeMessage('Model', { ...message, functions: functions.map((one) => encodeMessage('Function', one)) });
    const graph = parseModel(encode([leaky, twice]));
    expect(graph.nodes.map((node) => node.operator)).toEqual(['Neg', 'LeakyRelu', 'Neg', 'LeakyRelu']);
    const feeds = new Map([['t', { type: 'float32' as const, dims: [2], data: Float32Array.of(4, -4) }]]);
    // 4 → −4 → −2 → 2; −4 → 4 → −4 → −1
    expect(Array.from(evaluateGraph(graph, feeds).get('y')!.data)).toEqual([2, -1]);
    expect(refusal(encode([leaky])).message).toMatch(/'own'/);
    const endless = { ...twice, node: [{ opType: 'Twice', domain: 'own', input: ['x'], output: ['z'] }] };
    expect(refusal(encode([endless])).message).toMatch(/deep/);
  });

  it('refuses damaged subgraphs, foreign domains and strings by name', () => {
    const flow = spoiled((graph) => {
      graph.node = [
        { opType: 'If', name: 'fork', input: ['x'], output: ['y'], attribute: [{ name: 'then_branch', type: 5, g: new Uint8Array(3) }] },
      ];
    });
    expect(refusal(flow).message).toMatch(/'fork'.*no readable subgraph/);
    const foreign = { ...good, nodes: [{ ...good.nodes[0]!, outputs: ['y'], domain: 'ai.example' }] };
    expect(refusal(onnxModel(foreign)).message).toMatch(/ai.example/);
    const strings = spoiled((graph) => {
      graph.initializer = [{ name: 'w', dims: [1], dataType: 8, stringData: [new Uint8Array(1)] }];
    });
    expect(refusal(strings).message).toMatch(/element type 8/);
  });
});

const negative = path.join(import.meta.dirname, '../../../shared/cases/negative');

describe.runIf(existsSync(negative))('files of the case folder that must be refused', () => {
  it.each(existsSync(negative) ? readdirSync(negative) : [])('%s', (name) => {
    const bytes = readFileSync(path.join(negative, name));
    expect(() => runOnOnes(parseModel(bytes))).toThrow(AssayError);
  });
});
