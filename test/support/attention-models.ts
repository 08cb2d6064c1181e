import { BOOL, type ExpandedModel, FLOAT, float, INT64, MICROSOFT, scale, values } from './expanded-model.ts';

/** Attention, normalizations and control flow. */
export const ATTENTION_MODELS: Readonly<Record<string, ExpandedModel>> = {
  'Attention: grouped heads, causal, a mask and a cap': {
    model: {
      opset: 23,
      nodes: [
        {
          operator: 'Attention',
          inputs: ['q', 'k', 'v', 'm'],
          outputs: ['y'],
          attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1, softcap: float(2.5) },
        },
      ],
      inputs: { q: [2, 3, 16], k: [2, 3, 8], v: [2, 3, 8] },
      outputs: ['y'],
      constants: [{ name: 'm', dims: [3, 3], values: values(9, 1) }],
    },
  },
  'Attention with a past, and a mask that varies': {
    model: {
      opset: 23,
      nodes: [{ operator: 'Attention', inputs: ['q', 'k', 'v', 'm', 'pk', 'pv'], outputs: ['y', 'nk', 'nv'] }],
      inputs: { q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 3, 4], m: [3, 5], pk: [1, 2, 2, 4], pv: [1, 2, 2, 4] },
      types: { m: BOOL },
      outputs: ['y', 'nk', 'nv'],
    },
    tolerance: 0.03,
  },
  'MultiHeadAttention of onnxruntime': {
    model: {
      nodes: [
        { operator: 'MultiHeadAttention', domain: MICROSOFT, inputs: ['q', 'k', 'v', 'b'], outputs: ['y'], attributes: { num_heads: 2 } },
      ],
      inputs: { q: [1, 4, 8], k: [1, 5, 8], v: [1, 5, 8] },
      outputs: ['y'],
      constants: [{ name: 'b', dims: [24], values: values(24, 3, 0.3) }],
    },
  },
  'Attention of onnxruntime, one way': {
    model: {
      nodes: [
        {
          operator: 'Attention',
          domain: MICROSOFT,
          inputs: ['x', 'w', 'b'],
          outputs: ['y'],
          attributes: { num_heads: 2, unidirectional: 1 },
        },
      ],
      inputs: { x: [1, 4, 6] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [6, 24], values: values(144, 4, 0.5) },
        { name: 'b', dims: [24], values: values(24, 5, 0.3) },
      ],
    },
  },
  'RotaryEmbedding over part of each head': {
    model: {
      opset: 23,
      nodes: [
        {
          operator: 'RotaryEmbedding',
          inputs: ['x', 'c', 's', 'p'],
          outputs: ['y'],
          attributes: { num_heads: 2, rotary_embedding_dim: 4 },
        },
      ],
      inputs: { x: [1, 3, 12] },
      outputs: ['y'],
      constants: [
        { name: 'c', dims: [8, 2], values: values(16, 1).map(Math.cos) },
        { name: 's', dims: [8, 2], values: values(16, 1).map(Math.sin) },
        { name: 'p', dims: [1, 3], values: [2, 0, 5], type: INT64 },
      ],
    },
  },
  'RotaryEmbedding in neighbouring pairs': {
    model: {
      opset: 23,
      nodes: [{ operator: 'RotaryEmbedding', inputs: ['x', 'c', 's'], outputs: ['y'], attributes: { interleaved: 1 } }],
      inputs: { x: [2, 2, 3, 4] },
      outputs: ['y'],
      constants: [
        { name: 'c', dims: [2, 3, 2], values: values(12, 1).map(Math.cos) },
        { name: 's', dims: [2, 3, 2], values: values(12, 1).map(Math.sin) },
      ],
    },
  },
  'Pow of two that vary, LRN, LpNormalization': {
    model: {
      nodes: [
        { operator: 'Pow', inputs: ['p', 'x'], outputs: ['a'] },
        { operator: 'LRN', inputs: ['x'], outputs: ['b'], attributes: { size: 3, alpha: float(0.9), beta: float(0.6) } },
        { operator: 'LpNormalization', inputs: ['x'], outputs: ['c'], attributes: { axis: 1, p: 2 } },
      ],
      inputs: { x: [1, 5, 3, 2], p: [1, 5, 3, 2] },
      outputs: ['a', 'b', 'c'],
    },
    ranges: { p: [0.5, 3] },
  },
  'LayerNormalization with its mean and deviation, MeanVarianceNormalization': {
    model: {
      nodes: [
        { operator: 'LayerNormalization', inputs: ['x', 'g'], outputs: ['a', 'm', 'd'], attributes: { axis: 2 } },
        { operator: 'MeanVarianceNormalization', inputs: ['x'], outputs: ['b'], attributes: { axes: [0, 2] } },
      ],
      inputs: { x: [2, 3, 8] },
      outputs: ['a', 'm', 'd', 'b'],
      constants: [{ name: 'g', dims: [8], values: values(8, 2) }],
    },
  },
  'If by shape, and If by value': {
    model: {
      nodes: [
        { operator: 'Shape', inputs: ['x'], outputs: ['s'] },
        { operator: 'Gather', inputs: ['s', 'one'], outputs: ['n'] },
        { operator: 'Greater', inputs: ['n', 'three'], outputs: ['long'] },
        {
          operator: 'If',
          inputs: ['long'],
          outputs: ['a'],
          attributes: {
            then_branch: { graph: { nodes: [{ operator: 'Relu', inputs: ['x'], outputs: ['t'] }], outputs: ['t'] } },
            else_branch: { graph: { nodes: [{ operator: 'Neg', inputs: ['x'], outputs: ['e'] }], outputs: ['e'] } },
          },
        },
        {
          operator: 'If',
          inputs: ['c'],
          outputs: ['b'],
          attributes: {
            then_branch: { graph: { nodes: [{ operator: 'Abs', inputs: ['a'], outputs: ['t2'] }], outputs: ['t2'] } },
            else_branch: { graph: { nodes: [{ operator: 'Neg', inputs: ['x'], outputs: ['e2'] }], outputs: ['e2'] } },
          },
        },
      ],
      inputs: { x: [2, 4], c: [] },
      types: { c: BOOL },
      outputs: ['b'],
      constants: [
        { name: 'one', dims: [], values: [1], type: INT64 },
        { name: 'three', dims: [], values: [3], type: INT64 },
      ],
    },
  },
  'Loop of three rounds that collects': {
    model: {
      nodes: [
        {
          operator: 'Loop',
          inputs: ['n', 'go', 'x'],
          outputs: ['last', 'all'],
          attributes: {
            body: {
              graph: {
                nodes: [
                  { operator: 'Identity', inputs: ['c'], outputs: ['c2'] },
                  { operator: 'MatMul', inputs: ['h', 'w'], outputs: ['p'] },
                  { operator: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: FLOAT } },
                  { operator: 'Add', inputs: ['p', 'f'], outputs: ['q'] },
                  { operator: 'Tanh', inputs: ['q'], outputs: ['h2'] },
                  { operator: 'Neg', inputs: ['h2'], outputs: ['o'] },
                ],
                inputs: { i: INT64, c: BOOL, h: FLOAT },
                outputs: ['c2', 'h2', 'o'],
              },
            },
          },
        },
      ],
      inputs: { x: [2, 3] },
      outputs: ['last', 'all'],
      constants: [
        { name: 'n', dims: [], values: [3], type: INT64 },
        { name: 'go', dims: [], values: [1], type: BOOL },
        { name: 'w', dims: [3, 3], values: values(9, 2) },
      ],
    },
  },
  'Scan backwards over the second axis': {
    model: {
      nodes: [
        {
          operator: 'Scan',
          inputs: ['h0', 'x'],
          outputs: ['h', 'all'],
          attributes: {
            num_scan_inputs: 1,
            scan_input_axes: [1],
            scan_input_directions: [1],
            body: {
              graph: {
                nodes: [
                  { operator: 'Add', inputs: ['s', 'e'], outputs: ['sum'] },
                  { operator: 'Mul', inputs: ['sum', 'half'], outputs: ['s2'] },
                  { operator: 'Identity', inputs: ['s2'], outputs: ['o'] },
                ],
                inputs: { s: FLOAT, e: FLOAT },
                outputs: ['s2', 'o'],
              },
            },
          },
        },
      ],
      inputs: { h0: [2], x: [2, 4] },
      outputs: ['h', 'all'],
      constants: [scale('half', 0.5)],
    },
  },
  'InstanceNormalization written out, with axes from the front and a product by itself': {
    model: {
      opset: 18,
      nodes: [
        { operator: 'ReduceMean', inputs: ['x', 'axes'], outputs: ['m'] },
        { operator: 'Sub', inputs: ['x', 'm'], outputs: ['d'] },
        { operator: 'Mul', inputs: ['d', 'd'], outputs: ['q'] },
        { operator: 'ReduceMean', inputs: ['q', 'axes'], outputs: ['v'] },
        { operator: 'Add', inputs: ['eps', 'v'], outputs: ['e'] },
        { operator: 'Sqrt', inputs: ['e'], outputs: ['s'] },
        { operator: 'Reciprocal', inputs: ['s'], outputs: ['r'] },
        { operator: 'Mul', inputs: ['r', 'd'], outputs: ['y'] },
      ],
      inputs: { x: [2, 3, 4, 5] },
      outputs: ['y'],
      constants: [{ name: 'axes', dims: [2], values: [2, 3], type: INT64 }, scale('eps', 1e-4)],
    },
    normalizes: 1,
  },
  'normalization of groups as Keras writes it': {
    model: {
      opset: 18,
      nodes: [
        { operator: 'ReduceMean', inputs: ['x', 'axes'], outputs: ['m'] },
        { operator: 'Sub', inputs: ['x', 'm'], outputs: ['d'] },
        { operator: 'Pow', inputs: ['d', 'two'], outputs: ['q'] },
        { operator: 'ReduceMean', inputs: ['q', 'axes'], outputs: ['v'] },
        { operator: 'Add', inputs: ['v', 'eps'], outputs: ['e'] },
        { operator: 'Sqrt', inputs: ['e'], outputs: ['s'] },
        { operator: 'Reciprocal', inputs: ['s'], outputs: ['r'] },
        { operator: 'Mul', inputs: ['r', 'gamma'], outputs: ['f'] },
        { operator: 'Mul', inputs: ['x', 'f'], outputs: ['a'] },
        { operator: 'Mul', inputs: ['m', 'f'], outputs: ['b'] },
        { operator: 'Sub', inputs: ['beta', 'b'], outputs: ['c'] },
        { operator: 'Add', inputs: ['a', 'c'], outputs: ['y'] },
      ],
      inputs: { x: [1, 4, 3, 6] },
      outputs: ['y'],
      constants: [
        { name: 'axes', dims: [2], values: [1, 3], type: INT64 },
        { name: 'gamma', dims: [6], values: values(6, 2) },
        { name: 'beta', dims: [6], values: values(6, 3) },
        scale('two', 2),
        scale('eps', 1e-3),
      ],
    },
    normalizes: 1,
  },
  'RMSNormalization written out': {
    model: {
      opset: 17,
      nodes: [
        { operator: 'Pow', inputs: ['x', 'two'], outputs: ['q'] },
        { operator: 'ReduceMean', inputs: ['q'], outputs: ['v'], attributes: { axes: [-1] } },
        { operator: 'Add', inputs: ['v', 'eps'], outputs: ['e'] },
        { operator: 'Sqrt', inputs: ['e'], outputs: ['s'] },
        { operator: 'Div', inputs: ['one', 's'], outputs: ['r'] },
        { operator: 'Mul', inputs: ['x', 'r'], outputs: ['n'] },
        { operator: 'Mul', inputs: ['gamma', 'n'], outputs: ['y'] },
      ],
      inputs: { x: [2, 3, 8] },
      outputs: ['y'],
      constants: [{ name: 'gamma', dims: [8], values: values(8, 2) }, scale('two', 2), scale('one', 1), scale('eps', 1e-5)],
    },
    normalizes: 1,
  },
  'what only looks like a normalization: the mean of another tensor': {
    model: {
      opset: 17,
      nodes: [
        { operator: 'ReduceMean', inputs: ['z'], outputs: ['m'], attributes: { axes: [-1] } },
        { operator: 'Sub', inputs: ['x', 'm'], outputs: ['d'] },
        { operator: 'Mul', inputs: ['d', 'd'], outputs: ['q'] },
        { operator: 'ReduceMean', inputs: ['q'], outputs: ['v'], attributes: { axes: [-1] } },
        { operator: 'Add', inputs: ['v', 'eps'], outputs: ['e'] },
        { operator: 'Sqrt', inputs: ['e'], outputs: ['s'] },
        { operator: 'Div', inputs: ['x', 's'], outputs: ['y'] },
      ],
      inputs: { x: [2, 3, 8], z: [2, 3, 8] },
      outputs: ['y'],
      constants: [scale('eps', 0.1)],
    },
    normalizes: 0,
  },
};
