import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { elementCount } from '../../core/onnx/tensor.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { onnxModel, type TestModel, type TestNode } from '../support/onnx.ts';

const FLOAT = 1;
const INT64 = 7;
const BOOL = 9;

interface Refused {
  readonly model: Partial<TestModel> & { readonly nodes: readonly TestNode[] };
  readonly reason: RegExp;
}

const body = (nodes: readonly TestNode[], outputs: readonly string[]) => ({
  graph: { nodes, inputs: { i: INT64, c: BOOL, h: FLOAT }, outputs },
});

/** Models that must be refused by the node that is at fault, which every one of them calls 'culprit'. */
const REFUSED: Readonly<Record<string, Refused>> = {
  'an operator nobody knows': { model: { nodes: [{ operator: 'Frobnicate', inputs: ['x'], outputs: ['y'] }] }, reason: /not supported/ },
  'an operator of another runtime': {
    model: { nodes: [{ operator: 'Frobnicate', domain: 'com.microsoft', inputs: ['x'], outputs: ['y'] }] },
    reason: /com\.microsoft::Frobnicate.*not supported/,
  },
  'a transposed convolution over a volume in more groups than it has channels': {
    model: {
      nodes: [{ operator: 'ConvTranspose', inputs: ['v', 'w'], outputs: ['y'], attributes: { group: 2147483647 } }],
      inputs: { v: [1, 4, 2, 2, 2] },
      constants: [{ name: 'w', dims: [4, 1, 1, 1, 1], values: [1, 2, 3, 4] }],
    },
    reason: /4 channels in 2147483647 groups/,
  },
  'a tree that reads a column there is not': {
    model: {
      nodes: [
        {
          operator: 'TreeEnsembleRegressor',
          domain: 'ai.onnx.ml',
          inputs: ['x'],
          outputs: ['y'],
          attributes: {
            nodes_treeids: [0, 0, 0],
            nodes_nodeids: [0, 1, 2],
            nodes_featureids: [900, 0, 0],
            nodes_modes: { strings: ['BRANCH_LEQ', 'LEAF', 'LEAF'] },
            nodes_values: { floats: [0.5, 0, 0] },
            nodes_truenodeids: [1, 0, 0],
            nodes_falsenodeids: [2, 0, 0],
            target_treeids: [0, 0],
            target_nodeids: [1, 2],
            target_ids: [0, 0],
            target_weights: { floats: [1, 2] },
            n_targets: 1,
          },
        },
      ],
    },
    reason: /feature 900 of/,
  },
  'a shape that depends on values': {
    model: { nodes: [{ operator: 'NonZero', inputs: ['x'], outputs: ['y'] }] },
    reason: /cannot depend on/,
  },
  'weights that vary': {
    model: { nodes: [{ operator: 'Conv', inputs: ['x', 'x'], outputs: ['y'] }], inputs: { x: [1, 1, 3, 3] } },
    reason: /input 1 \('x'\) must be a constant/,
  },
  'a window larger than its image': {
    model: {
      nodes: [{ operator: 'MaxPool', inputs: ['x'], outputs: ['y'], attributes: { kernel_shape: [5, 5] } }],
      inputs: { x: [1, 1, 3, 3] },
    },
    reason: /does not fit/,
  },
  'matrices that do not fit': {
    model: {
      nodes: [{ operator: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
      inputs: { x: [2, 3] },
      constants: [{ name: 'w', dims: [4, 2], values: new Array<number>(8).fill(1) }],
    },
    reason: /2x3 and 4x2 cannot be multiplied/,
  },
  'a rank too many': {
    model: {
      nodes: [{ operator: 'TopK', inputs: ['x', 'k'], outputs: ['y', 'i'] }],
      constants: [{ name: 'k', dims: [1], values: [9], type: INT64 }],
    },
    reason: /9 of 4/,
  },
  'more pairs than a ranking may compare': {
    model: {
      nodes: [{ operator: 'TopK', inputs: ['x', 'k'], outputs: ['y', 'i'] }],
      inputs: { x: [1, 5000] },
      constants: [{ name: 'k', dims: [1], values: [1], type: INT64 }],
    },
    reason: /pairs/,
  },
  'a loop that stops when it likes': {
    model: {
      nodes: [
        {
          operator: 'Loop',
          inputs: ['n', '', 'x'],
          outputs: ['y'],
          attributes: {
            body: body(
              [
                { operator: 'ReduceSum', inputs: ['h'], outputs: ['s'], attributes: { keepdims: 0 } },
                { operator: 'Greater', inputs: ['s', 'zero'], outputs: ['go'] },
                { operator: 'Neg', inputs: ['h'], outputs: ['h2'] },
              ],
              ['go', 'h2'],
            ),
          },
        },
      ],
      constants: [
        { name: 'n', dims: [], values: [4], type: INT64 },
        { name: 'zero', dims: [], values: [0] },
      ],
    },
    reason: /how often the loop runs/,
  },
  'a loop too long to write out': {
    model: {
      nodes: [
        {
          operator: 'Loop',
          inputs: ['n', '', 'x'],
          outputs: ['y'],
          attributes: { body: body([{ operator: 'Neg', inputs: ['h'], outputs: ['h2'] }], ['c', 'h2']) },
        },
      ],
      constants: [{ name: 'n', dims: [], values: [5000], type: INT64 }],
    },
    reason: /5000 rounds/,
  },
  'a branch that is missing': {
    model: {
      nodes: [{ operator: 'If', inputs: ['t'], outputs: ['y'] }],
      constants: [{ name: 't', dims: [], values: [1], type: BOOL }],
    },
    reason: /'then_branch' is missing/,
  },
  'a product of nothing': {
    model: {
      nodes: [{ operator: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
      constants: [{ name: 'w', dims: [4, 0], values: [] }],
    },
    reason: /without elements/,
  },
  'a diagonal': {
    model: { nodes: [{ operator: 'Einsum', inputs: ['x'], outputs: ['y'], attributes: { equation: 'ii->i' } }], inputs: { x: [3, 3] } },
    reason: /diagonal/,
  },
  'scales chosen at run time as the answer': {
    model: { nodes: [{ operator: 'DynamicQuantizeLinear', inputs: ['x'], outputs: ['q', 'y', 'z'] }] },
    reason: /cannot be outputs/,
  },
  training: {
    model: {
      nodes: [{ operator: 'BatchNormalization', inputs: ['x', 'w', 'w', 'w', 'w'], outputs: ['y'], attributes: { training_mode: 1 } }],
      constants: [{ name: 'w', dims: [4], values: [1, 1, 1, 1] }],
    },
    reason: /training/,
  },
};

function refusal(bytes: Uint8Array, model: Refused['model']): AssayError {
  const inputs = Object.entries(model.inputs ?? { x: [2, 4] }).map(([name, dims]) => {
    const shape = dims as number[];
    return { name, type: 'float32' as const, dims: shape, data: Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(i)) };
  });
  try {
    compileModel({ onnx: bytes, calibration: [{ inputs, outputs: [] }] });
  } catch (error) {
    if (error instanceof AssayError) return error;
    throw error;
  }
  throw new Error('the model was accepted');
}

describe('refusals name the node, the operator and the reason', () => {
  it.each(Object.entries(REFUSED))('%s', (_, { model, reason }) => {
    const nodes = model.nodes.map((node, i) => (i === model.nodes.length - 1 ? { ...node, name: 'culprit' } : node));
    const bytes = onnxModel({ inputs: { x: [2, 4] }, outputs: ['y'], ...model, nodes });
    const error = refusal(bytes, model);
    expect(error.code).toBe('MODEL_REFUSED');
    expect(error.message).toMatch(reason);
    expect(error.facts).toMatchObject({ node: 'culprit', operator: expect.stringContaining(nodes.at(-1)!.operator) });
    expect(error.fix).toMatch(/./);
  });
});

it('refuses a model that answers NaN where it is calibrated', () => {
  const model = { nodes: [{ operator: 'Log', inputs: ['x'], outputs: ['y'] }] };
  const error = refusal(onnxModel({ inputs: { x: [2, 4] }, outputs: ['y'], ...model }), model);
  expect(error.message).toMatch(/'y'.*not a number/);
  expect(error.fix).toMatch(/calibration/);
});
