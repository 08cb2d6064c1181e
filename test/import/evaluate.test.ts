import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { evaluateNet } from '../../core/onnx/lower/evaluate.ts';
import { lowerGraph } from '../../core/onnx/lower/index.ts';
import type { InputNode } from '../../core/onnx/lower/net.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import type { Tensor } from '../../core/onnx/tensor.ts';
import { CASE_FOLDER, FIXTURE_MODELS, feedsFor, fixtureModel, hasCaseFolder, type ModelCases, readModel } from '../support/fixtures.ts';
import { onnxModel, type TestModel } from '../support/onnx.ts';

/** Largest deviation from the expected values, relative to the largest of them. */
function deviation(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got.length).toBe(expected.length);
  let most = 1e-6;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(got[i]! - expected[i]!));
  }
  return worst / most;
}

function runNet(bytes: Uint8Array, feeds: ReadonlyMap<string, Tensor>): Map<string, ArrayLike<number>> {
  const net = lowerGraph(parseModel(bytes), feeds);
  const inputs = net.nodes.filter((node): node is InputNode => node.kind === 'input');
  const values = evaluateNet(
    net,
    inputs.map((node) => feeds.get(node.name)!.data),
  );
  return new Map(net.outputs.map((output) => [output.name, values[output.node]!]));
}

function checkModel({ onnx, cases }: ModelCases): void {
  const graph = parseModel(onnx);
  for (const one of cases) {
    const feeds = feedsFor(graph, one);
    const reference = evaluateGraph(graph, feeds);
    for (const output of one.outputs) expect(deviation(reference.get(output.name)!.data, output.data)).toBeLessThan(1e-4);
  }
}

/** A quantized file's own rounding is not repeated inside the network. */
const rounds = new Set(['qtdnn-int8', 'qsigmoid-int8']);

function checkNetwork({ onnx, cases }: ModelCases): void {
  const graph = parseModel(onnx);
  const feeds = feedsFor(graph, cases[0]!);
  const reference = evaluateGraph(graph, feeds);
  for (const [name, values] of runNet(onnx, feeds)) expect(deviation(values, reference.get(name)!.data)).toBeLessThan(1e-4);
}

describe('the float reference against onnxruntime', () => {
  it.each(FIXTURE_MODELS)('%s', (name) => checkModel(fixtureModel(name)));
});

describe('the network against the float reference', () => {
  it.each(FIXTURE_MODELS.filter((name) => !rounds.has(name)))('%s', (name) => checkNetwork(fixtureModel(name)));
});

const names = hasCaseFolder ? readdirSync(path.join(CASE_FOLDER, 'models')) : [];

describe.runIf(hasCaseFolder)('every model of the case folder', () => {
  it.each(names)('float reference: %s', (name) => checkModel(readModel(path.join(CASE_FOLDER, 'models', name))));
  it.each(names.filter((name) => !rounds.has(name)))(
    'network: %s',
    (name) => checkNetwork(readModel(path.join(CASE_FOLDER, 'models', name))),
    60_000,
  );
});

const values = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(seed + 1.7 * i));

/** Small models of what exporters write, each with the inputs' shapes. */
const spellings: Readonly<Record<string, TestModel>> = {
  'transposed product with a constant on the left': {
    nodes: [
      { operator: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: [0, 2, 1] } },
      { operator: 'MatMul', inputs: ['w', 't'], outputs: ['y'] },
    ],
    inputs: { x: [2, 3, 4] },
    outputs: ['y'],
    constants: [{ name: 'w', dims: [5, 4], values: values(20, 1) }],
  },
  'grouped, dilated convolution with uneven padding': {
    nodes: [
      {
        operator: 'Conv',
        inputs: ['x', 'w', 'b'],
        outputs: ['y'],
        attributes: { group: 2, dilations: [2, 1], pads: [1, 0, 2, 1], strides: [1, 2], kernel_shape: [2, 3] },
      },
    ],
    inputs: { x: [1, 4, 6, 7] },
    outputs: ['y'],
    constants: [
      { name: 'w', dims: [6, 2, 2, 3], values: values(72, 2) },
      { name: 'b', dims: [6], values: values(6, 3) },
    ],
  },
  'transposed convolution with output padding': {
    nodes: [
      {
        operator: 'ConvTranspose',
        inputs: ['x', 'w'],
        outputs: ['y'],
        attributes: { strides: [2, 3], pads: [1, 0, 0, 1], output_padding: [1, 0], kernel_shape: [3, 2] },
      },
    ],
    inputs: { x: [1, 2, 3, 4] },
    outputs: ['y'],
    constants: [{ name: 'w', dims: [2, 3, 3, 2], values: values(36, 4) }],
  },
  'one-dimensional convolution, pool and concatenation': {
    nodes: [
      { operator: 'Conv', inputs: ['x', 'w'], outputs: ['c'], attributes: { pads: [1, 1], kernel_shape: [3] } },
      { operator: 'AveragePool', inputs: ['c'], outputs: ['p'], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
      { operator: 'MaxPool', inputs: ['c'], outputs: ['m'], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
      { operator: 'Concat', inputs: ['p', 'm'], outputs: ['y'], attributes: { axis: 1 } },
    ],
    inputs: { x: [1, 2, 9] },
    outputs: ['y'],
    constants: [{ name: 'w', dims: [3, 2, 3], values: values(18, 5) }],
  },
  'LayerNormalization written out': {
    nodes: [
      { operator: 'ReduceMean', inputs: ['x'], outputs: ['m'], attributes: { axes: [-1] } },
      { operator: 'Sub', inputs: ['x', 'm'], outputs: ['d'] },
      { operator: 'Pow', inputs: ['d', 'two'], outputs: ['q'] },
      { operator: 'ReduceMean', inputs: ['q'], outputs: ['v'], attributes: { axes: [-1] } },
      { operator: 'Add', inputs: ['v', 'eps'], outputs: ['e'] },
      { operator: 'Sqrt', inputs: ['e'], outputs: ['s'] },
      { operator: 'Div', inputs: ['d', 's'], outputs: ['n'] },
      { operator: 'Mul', inputs: ['n', 'g'], outputs: ['y'] },
    ],
    inputs: { x: [2, 3, 8] },
    outputs: ['y'],
    opset: 13,
    constants: [
      { name: 'two', dims: [], values: [2] },
      { name: 'eps', dims: [], values: [1e-5] },
      { name: 'g', dims: [8], values: values(8, 6) },
    ],
  },
  'broadcasts in both directions': {
    nodes: [
      { operator: 'Add', inputs: ['x', 'z'], outputs: ['a'] },
      { operator: 'Mul', inputs: ['z', 'a'], outputs: ['b'] },
      { operator: 'Sub', inputs: ['b', 'x'], outputs: ['y'] },
    ],
    inputs: { x: [2, 3, 1], z: [1, 4] },
    outputs: ['y'],
  },
  'running sums along a middle axis, backwards': {
    nodes: [{ operator: 'CumSum', inputs: ['x', 'axis'], outputs: ['y'], attributes: { reverse: 1, exclusive: 1 } }],
    inputs: { x: [2, 4, 3] },
    outputs: ['y'],
    constants: [{ name: 'axis', dims: [], values: [1], type: 7 }],
  },
  'values scattered to constant places': {
    nodes: [{ operator: 'ScatterND', inputs: ['x', 'at', 'u'], outputs: ['y'] }],
    inputs: { x: [4, 2], u: [2, 2] },
    outputs: ['y'],
    constants: [{ name: 'at', dims: [2, 1], values: [3, 0], type: 7 }],
  },
  'two-way LSTM over a batch': {
    nodes: [
      {
        operator: 'LSTM',
        inputs: ['x', 'w', 'r', 'b'],
        outputs: ['y', 'h', 'c'],
        attributes: { hidden_size: 3, direction: 'bidirectional' },
      },
    ],
    inputs: { x: [4, 2, 5] },
    outputs: ['y', 'h', 'c'],
    constants: [
      { name: 'w', dims: [2, 12, 5], values: values(120, 7) },
      { name: 'r', dims: [2, 12, 3], values: values(72, 8) },
      { name: 'b', dims: [2, 24], values: values(48, 9) },
    ],
  },
  'GRU with the reset before the product': {
    nodes: [{ operator: 'GRU', inputs: ['x', 'w', 'r', 'b'], outputs: ['y'], attributes: { hidden_size: 3, linear_before_reset: 0 } }],
    inputs: { x: [3, 2, 4] },
    outputs: ['y'],
    constants: [
      { name: 'w', dims: [1, 9, 4], values: values(36, 7) },
      { name: 'r', dims: [1, 9, 3], values: values(27, 8) },
      { name: 'b', dims: [1, 18], values: values(18, 9) },
    ],
  },
  'GRU with the reset after the product, backwards': {
    nodes: [
      {
        operator: 'GRU',
        inputs: ['x', 'w', 'r', 'b'],
        outputs: ['y'],
        attributes: { hidden_size: 3, linear_before_reset: 1, direction: 'reverse' },
      },
    ],
    inputs: { x: [3, 2, 4] },
    outputs: ['y'],
    constants: [
      { name: 'w', dims: [1, 9, 4], values: values(36, 7) },
      { name: 'r', dims: [1, 9, 3], values: values(27, 8) },
      { name: 'b', dims: [1, 18], values: values(18, 9) },
    ],
  },
  'blocks of pixels as channels and back, enlarged': {
    nodes: [
      { operator: 'DepthToSpace', inputs: ['x'], outputs: ['d'], attributes: { blocksize: 2, mode: 'CRD' } },
      {
        operator: 'Resize',
        inputs: ['d', '', 'scales'],
        outputs: ['r'],
        attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
      },
      { operator: 'InstanceNormalization', inputs: ['r', 'g', 's'], outputs: ['n'] },
      { operator: 'GlobalAveragePool', inputs: ['n'], outputs: ['p'] },
      { operator: 'Sub', inputs: ['n', 'p'], outputs: ['y'] },
    ],
    inputs: { x: [1, 8, 3, 2] },
    outputs: ['y'],
    constants: [
      { name: 'scales', dims: [4], values: [1, 1, 2, 1.5] },
      { name: 'g', dims: [2], values: [0.5, 2] },
      { name: 's', dims: [2], values: [1, -1] },
    ],
  },
  'Gelu spelled with erf, merged into one table': {
    nodes: [
      { operator: 'Div', inputs: ['x', 'root'], outputs: ['a'] },
      { operator: 'Erf', inputs: ['a'], outputs: ['b'] },
      { operator: 'Add', inputs: ['b', 'one'], outputs: ['c'] },
      { operator: 'Mul', inputs: ['x', 'c'], outputs: ['d'] },
      { operator: 'Mul', inputs: ['d', 'half'], outputs: ['y'] },
    ],
    inputs: { x: [2, 5] },
    outputs: ['y'],
    constants: [
      { name: 'root', dims: [], values: [Math.SQRT2] },
      { name: 'one', dims: [], values: [1] },
      { name: 'half', dims: [], values: [0.5] },
    ],
  },
  'reductions over scattered axes': {
    nodes: [
      { operator: 'ReduceMax', inputs: ['x'], outputs: ['a'], attributes: { axes: [0, 2], keepdims: 0 } },
      { operator: 'ReduceL2', inputs: ['x'], outputs: ['b'], attributes: { axes: [1] } },
      { operator: 'ReduceMean', inputs: ['b'], outputs: ['c'], attributes: { axes: [0, 2, 3], keepdims: 0 } },
      { operator: 'Add', inputs: ['a', 'c'], outputs: ['y'] },
    ],
    inputs: { x: [2, 3, 4, 3] },
    outputs: ['y'],
    opset: 13,
  },
};

describe('spellings of exporters', () => {
  it.each(Object.keys(spellings))('%s', (name) => {
    const model = spellings[name]!;
    const bytes = onnxModel(model);
    const feeds = new Map(
      Object.entries(model.inputs).map(([input, dims], k): [string, Tensor] => {
        const shape = dims.map(Number);
        return [
          input,
          {
            type: 'float32',
            dims: shape,
            data: Float32Array.from(
              values(
                shape.reduce((a, b) => a * b, 1),
                10 + k,
              ),
            ),
          },
        ];
      }),
    );
    const reference = evaluateGraph(parseModel(bytes), feeds);
    for (const [output, got] of runNet(bytes, feeds)) expect(deviation(got, reference.get(output)!.data)).toBeLessThan(1e-5);
  });

  it('merges Gelu into one function', () => {
    const feeds = new Map<string, Tensor>([['x', { type: 'float32', dims: [2, 5], data: Float32Array.from(values(10, 1)) }]]);
    const net = lowerGraph(parseModel(onnxModel(spellings['Gelu spelled with erf, merged into one table']!)), feeds);
    expect(net.nodes.map((node) => node.kind)).toEqual(['input', 'unary']);
  });

  it('recognizes LayerNormalization, whose integer form keeps more than its nine nodes would', () => {
    const feeds = new Map<string, Tensor>([['x', { type: 'float32', dims: [2, 3, 8], data: Float32Array.from(values(48, 1)) }]]);
    const net = lowerGraph(parseModel(onnxModel(spellings['LayerNormalization written out']!)), feeds);
    expect(net.nodes.map((node) => node.kind)).toEqual(['input', 'normalize', 'rescale']);
  });
});
