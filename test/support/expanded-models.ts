import type { TestModel } from './onnx.ts';

/** A model around one wide operator. */
export interface ExpandedModel {
  readonly model: TestModel;
  /** Values of inputs; floats in [−1, 1] otherwise. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
  /** Outputs that the integer program gives exactly. */
  readonly exact?: readonly string[];
  /** Normalizations that must be recognized. */
  readonly normalizes?: number;
  /** Error of the float reference, where onnxruntime rounds on the way. */
  readonly float?: number;
  /** Root-mean-square error over the range that the integer program may have; 2 % otherwise. */
  readonly tolerance?: number;
}

const values = (count: number, seed: number, size = 1): number[] =>
  Array.from({ length: count }, (_, i) => size * Math.sin(seed + 1.7 * i));
const whole = (count: number, seed: number, low: number, high: number): number[] =>
  Array.from({ length: count }, (_, i) => low + Math.floor(((Math.sin(seed + 1.7 * i) + 1) / 2) * (high - low + 0.999)));
const float = (value: number): { readonly float: number } => ({ float: value });
const FLOAT = 1;
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;
const INT64 = 7;
const BOOL = 9;
const MICROSOFT = 'com.microsoft';

const scale = (name: string, value: number) => ({ name, dims: [], values: [value] });
const zero = (name: string, value: number, type = UINT8) => ({ name, dims: [], values: [value], type });

export const EXPANDED_MODELS: Readonly<Record<string, ExpandedModel>> = {
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
  'bilinear Resize to twice the size': {
    model: {
      nodes: [{ operator: 'Resize', inputs: ['x', '', 's'], outputs: ['y'], attributes: { mode: 'linear' } }],
      inputs: { x: [1, 2, 3, 4] },
      outputs: ['y'],
      constants: [{ name: 's', dims: [4], values: [1, 1, 2, 2] }],
    },
  },
  'bicubic Resize to a given size, corners kept': {
    model: {
      nodes: [
        {
          operator: 'Resize',
          inputs: ['x', '', '', 's'],
          outputs: ['y'],
          attributes: { mode: 'cubic', coordinate_transformation_mode: 'align_corners' },
        },
      ],
      inputs: { x: [1, 1, 4, 5] },
      outputs: ['y'],
      constants: [{ name: 's', dims: [4], values: [1, 1, 7, 9], type: INT64 }],
    },
  },
  'Upsample of operator set 9, linear': {
    model: {
      opset: 9,
      nodes: [{ operator: 'Upsample', inputs: ['x', 's'], outputs: ['y'], attributes: { mode: 'linear' } }],
      inputs: { x: [1, 1, 3, 3] },
      outputs: ['y'],
      constants: [{ name: 's', dims: [4], values: [1, 1, 2, 2] }],
    },
  },
  'convolution over three axes, grouped and padded unevenly': {
    model: {
      nodes: [
        {
          operator: 'Conv',
          inputs: ['x', 'w', 'b'],
          outputs: ['y'],
          attributes: { group: 2, pads: [1, 0, 1, 0, 1, 2], strides: [2, 1, 1], dilations: [1, 2, 1], kernel_shape: [2, 2, 3] },
        },
      ],
      inputs: { x: [1, 4, 4, 5, 4] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [4, 2, 2, 2, 3], values: values(96, 2) },
        { name: 'b', dims: [4], values: values(4, 3) },
      ],
    },
  },
  'transposed convolution over three axes': {
    model: {
      nodes: [
        {
          operator: 'ConvTranspose',
          inputs: ['x', 'w'],
          outputs: ['y'],
          attributes: { strides: [2, 1, 3], pads: [1, 0, 0, 0, 1, 1], output_padding: [1, 0, 2], kernel_shape: [2, 3, 2], group: 2 },
        },
      ],
      inputs: { x: [1, 4, 3, 3, 2] },
      outputs: ['y'],
      constants: [{ name: 'w', dims: [4, 1, 2, 3, 2], values: values(48, 4) }],
    },
  },
  'pools over three axes': {
    model: {
      nodes: [
        {
          operator: 'AveragePool',
          inputs: ['x'],
          outputs: ['a'],
          attributes: { kernel_shape: [2, 3, 2], pads: [1, 0, 1, 0, 1, 0], strides: [1, 2, 1] },
        },
        { operator: 'MaxPool', inputs: ['x'], outputs: ['m'], attributes: { kernel_shape: [2, 2, 3], strides: [2, 1, 1] } },
      ],
      inputs: { x: [1, 2, 4, 5, 4] },
      outputs: ['a', 'm'],
    },
  },
  'Einsum: a batched product and a plain one': {
    model: {
      nodes: [
        { operator: 'Einsum', inputs: ['a', 'b'], outputs: ['s'], attributes: { equation: 'bqhd,bkhd->bhqk' } },
        { operator: 'Einsum', inputs: ['s', 'w'], outputs: ['y'], attributes: { equation: '...k, kn -> ...n' } },
      ],
      inputs: { a: [2, 3, 2, 4], b: [2, 5, 2, 4] },
      outputs: ['y'],
      constants: [{ name: 'w', dims: [5, 3], values: values(15, 2) }],
    },
  },
  'Einsum: sums, an order, an outer product': {
    model: {
      nodes: [
        { operator: 'Einsum', inputs: ['a'], outputs: ['s'], attributes: { equation: 'ijk->kj' } },
        { operator: 'Einsum', inputs: ['s', 'b'], outputs: ['y'], attributes: { equation: 'kj,m' } },
      ],
      inputs: { a: [2, 3, 4], b: [3] },
      outputs: ['y'],
    },
  },
  'TopK, ties and all': {
    model: {
      nodes: [
        { operator: 'Cast', inputs: ['x'], outputs: ['f'], attributes: { to: FLOAT } },
        { operator: 'TopK', inputs: ['f', 'k'], outputs: ['v', 'i'], attributes: { axis: 1 } },
      ],
      inputs: { x: [2, 9, 2] },
      types: { x: INT32 },
      outputs: ['v', 'i'],
      constants: [{ name: 'k', dims: [1], values: [4], type: INT64 }],
    },
    ranges: { x: [-3, 3] },
    exact: ['i'],
  },
  'TopK, the smallest': {
    model: {
      nodes: [{ operator: 'TopK', inputs: ['x', 'k'], outputs: ['v', 'i'], attributes: { largest: 0 } }],
      inputs: { x: [3, 5] },
      types: { x: INT32 },
      outputs: ['v', 'i'],
      constants: [{ name: 'k', dims: [1], values: [5], type: INT64 }],
    },
    ranges: { x: [-4, 4] },
    exact: ['v', 'i'],
  },
  Hardmax: {
    model: {
      nodes: [{ operator: 'Hardmax', inputs: ['x'], outputs: ['y'], attributes: { axis: 1 } }],
      inputs: { x: [2, 4, 3] },
      types: {},
      outputs: ['y'],
    },
    exact: ['y'],
  },
  'GatherElements along the first axis': {
    model: {
      nodes: [{ operator: 'GatherElements', inputs: ['x', 'i'], outputs: ['y'], attributes: { axis: 0 } }],
      inputs: { x: [4, 3], i: [2, 2] },
      types: { x: INT32, i: INT64 },
      outputs: ['y'],
    },
    ranges: { x: [-90, 90], i: [-4, 3] },
    exact: ['y'],
  },
  'GatherND by indices that vary': {
    model: {
      nodes: [{ operator: 'GatherND', inputs: ['x', 'i'], outputs: ['y'] }],
      inputs: { x: [3, 3, 2], i: [4, 2] },
      types: { x: INT32, i: INT64 },
      outputs: ['y'],
    },
    ranges: { x: [-90, 90], i: [-3, 2] },
    exact: ['y'],
  },
  'GatherND in batches': {
    model: {
      nodes: [{ operator: 'GatherND', inputs: ['x', 'i'], outputs: ['y'], attributes: { batch_dims: 1 } }],
      inputs: { x: [2, 3, 4], i: [2, 5, 1] },
      types: { x: INT32, i: INT64 },
      outputs: ['y'],
    },
    ranges: { x: [-90, 90], i: [-3, 2] },
    exact: ['y'],
  },
  'ScatterElements, and ScatterND that adds': {
    model: {
      opset: 18,
      nodes: [
        { operator: 'ScatterElements', inputs: ['x', 'i', 'u'], outputs: ['a'], attributes: { axis: 1 } },
        { operator: 'ScatterND', inputs: ['x', 'n', 'v'], outputs: ['b'], attributes: { reduction: 'add' } },
        { operator: 'ScatterElements', inputs: ['x', 'i', 'u'], outputs: ['c'], attributes: { axis: 1, reduction: 'max' } },
      ],
      inputs: { x: [3, 4], u: [2, 2], v: [3, 4] },
      types: { x: INT32, u: INT32, v: INT32 },
      outputs: ['a', 'b', 'c'],
      constants: [
        { name: 'i', dims: [2, 2], values: [1, -1, 0, 2], type: INT64 },
        { name: 'n', dims: [3, 1], values: [2, 0, 2], type: INT64 },
      ],
    },
    ranges: { x: [-50, 50], u: [-50, 50], v: [-50, 50] },
    exact: ['a', 'b', 'c'],
  },
  'Compress and ReverseSequence': {
    model: {
      nodes: [
        { operator: 'Compress', inputs: ['x', 'c'], outputs: ['a'], attributes: { axis: 1 } },
        { operator: 'ReverseSequence', inputs: ['x', 'l'], outputs: ['b'], attributes: { time_axis: 1, batch_axis: 0 } },
      ],
      inputs: { x: [2, 4, 2] },
      types: { x: INT32 },
      outputs: ['a', 'b'],
      constants: [
        { name: 'c', dims: [4], values: [1, 0, 0, 1], type: BOOL },
        { name: 'l', dims: [2], values: [3, 1], type: INT64 },
      ],
    },
    ranges: { x: [-50, 50] },
    exact: ['a', 'b'],
  },
  'OneHot outside its depth and from the end': {
    model: {
      nodes: [{ operator: 'OneHot', inputs: ['x', 'd', 'v'], outputs: ['y'] }],
      inputs: { x: [12] },
      types: { x: INT64 },
      outputs: ['y'],
      constants: [
        { name: 'd', dims: [1], values: [4], type: INT64 },
        { name: 'v', dims: [2], values: [0, 1] },
      ],
    },
    ranges: { x: [-7, 7] },
    exact: ['y'],
  },
  'remainders and quotients of integers': {
    model: {
      nodes: [
        { operator: 'Mod', inputs: ['x', 'y'], outputs: ['m'] },
        { operator: 'Mod', inputs: ['x', 'y'], outputs: ['f'], attributes: { fmod: 1 } },
        { operator: 'Div', inputs: ['x', 'y'], outputs: ['q'] },
      ],
      inputs: { x: [24], y: [24] },
      types: { x: INT32, y: INT32 },
      outputs: ['m', 'f', 'q'],
    },
    ranges: { x: [-99, 99], y: [1, 12] },
    exact: ['m', 'f', 'q'],
  },
  'remainders and quotients by a constant': {
    model: {
      nodes: [
        { operator: 'Mod', inputs: ['x', 'y'], outputs: ['m'] },
        { operator: 'Mod', inputs: ['x', 'y'], outputs: ['f'], attributes: { fmod: 1 } },
        { operator: 'Div', inputs: ['x', 'y'], outputs: ['q'] },
      ],
      inputs: { x: [24] },
      types: { x: INT32 },
      outputs: ['m', 'f', 'q'],
      constants: [{ name: 'y', dims: [1], values: [-7], type: INT32 }],
    },
    ranges: { x: [-99, 99] },
    exact: ['m', 'f', 'q'],
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
  'ReduceLogSumExp, ReduceProd, GlobalLpPool, LpPool': {
    model: {
      nodes: [
        { operator: 'ReduceLogSumExp', inputs: ['x'], outputs: ['a'], attributes: { axes: [1, 3] } },
        { operator: 'ReduceProd', inputs: ['x'], outputs: ['b'], attributes: { axes: [3], keepdims: 0 } },
        { operator: 'GlobalLpPool', inputs: ['x'], outputs: ['c'], attributes: { p: 2 } },
        { operator: 'LpPool', inputs: ['x'], outputs: ['d'], attributes: { kernel_shape: [2, 2], p: 2, strides: [1, 2] } },
      ],
      inputs: { x: [1, 3, 4, 5] },
      outputs: ['a', 'b', 'c', 'd'],
    },
    ranges: { x: [0.4, 1.6] },
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
  'quantized operators of onnxruntime between two of its own': {
    model: {
      nodes: [
        { operator: 'Add', inputs: ['x', 'levels'], outputs: ['l'] },
        { operator: 'QuantizeLinear', inputs: ['l', 's', 'z'], outputs: ['q'] },
        { operator: 'QLinearSigmoid', domain: MICROSOFT, inputs: ['q', 's', 'z', 'us', 'uz'], outputs: ['a'] },
        {
          operator: 'QLinearLeakyRelu',
          domain: MICROSOFT,
          inputs: ['q', 's', 'z', 's', 'z'],
          outputs: ['b'],
          attributes: { alpha: float(0.2) },
        },
        {
          operator: 'QLinearConcat',
          domain: MICROSOFT,
          inputs: ['s', 'z', 'a', 'us', 'uz', 'b', 's', 'z'],
          outputs: ['c'],
          attributes: { axis: 1 },
        },
        {
          operator: 'QLinearAveragePool',
          domain: MICROSOFT,
          inputs: ['c', 's', 'z', 's', 'z'],
          outputs: ['d'],
          attributes: { kernel_shape: [2, 2] },
        },
        { operator: 'QLinearGlobalAveragePool', domain: MICROSOFT, inputs: ['d', 's', 'z', 's', 'z'], outputs: ['e'] },
        { operator: 'DequantizeLinear', inputs: ['e', 's', 'z'], outputs: ['y'] },
      ],
      inputs: { x: [1, 3, 6, 6] },
      outputs: ['y'],
      constants: [
        { name: 'levels', dims: [3, 1, 1], values: [-2, 0, 2] },
        scale('s', 0.024),
        zero('z', 128),
        scale('us', 0.004),
        zero('uz', 0),
      ],
    },
    float: 0.01,
  },
  'QLinearSoftmax of rows': {
    model: {
      nodes: [
        { operator: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['q'] },
        {
          operator: 'QLinearSoftmax',
          domain: MICROSOFT,
          inputs: ['q', 's', 'z', 'us', 'uz'],
          outputs: ['a'],
          attributes: { axis: 1, opset: 13 },
        },
        { operator: 'DequantizeLinear', inputs: ['a', 'us', 'uz'], outputs: ['y'] },
      ],
      inputs: { x: [3, 6] },
      outputs: ['y'],
      constants: [scale('s', 0.02), zero('z', 128), scale('us', 0.00390625), zero('uz', 0)],
    },
    ranges: { x: [-2.5, 2.5] },
  },
  'products quantized at run time': {
    model: {
      nodes: [
        { operator: 'DynamicQuantizeLinear', inputs: ['x'], outputs: ['q', 'qs', 'qz'] },
        { operator: 'MatMulInteger', inputs: ['q', 'w', 'qz', 'wz'], outputs: ['i'] },
        { operator: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: FLOAT } },
        { operator: 'Mul', inputs: ['qs', 'ws'], outputs: ['fs'] },
        { operator: 'Mul', inputs: ['f', 'fs'], outputs: ['g'] },
        { operator: 'Add', inputs: ['g', 'bias'], outputs: ['h'] },
        { operator: 'DynamicQuantizeMatMul', domain: MICROSOFT, inputs: ['h', 'w', 'ws', 'wz', 'bias'], outputs: ['y'] },
      ],
      inputs: { x: [3, 5] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [5, 5], values: whole(25, 3, -100, 100), type: INT8 },
        zero('wz', 3, INT8),
        scale('ws', 0.01),
        { name: 'bias', dims: [5], values: values(5, 1) },
      ],
    },
    float: 0.005,
  },
  'MatMulNBits: four bits in blocks': {
    model: {
      nodes: [
        {
          operator: 'MatMulNBits',
          domain: MICROSOFT,
          inputs: ['x', 'w', 's', 'z'],
          outputs: ['y'],
          attributes: { K: 32, N: 3, bits: 4, block_size: 16 },
        },
      ],
      inputs: { x: [2, 32] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [3, 2, 8], values: whole(48, 2, 0, 255), type: UINT8 },
        { name: 's', dims: [6], values: values(6, 2).map((v) => 0.05 + 0.02 * v) },
        { name: 'z', dims: [3], values: [0x78, 0x69, 0x87], type: UINT8 },
      ],
    },
  },
  'what onnxruntime fuses': {
    model: {
      nodes: [
        { operator: 'FusedMatMul', domain: MICROSOFT, inputs: ['x', 'w'], outputs: ['a'], attributes: { transB: 1, alpha: float(0.5) } },
        { operator: 'BiasGelu', domain: MICROSOFT, inputs: ['a', 'b'], outputs: ['c'] },
        {
          operator: 'SkipLayerNormalization',
          domain: MICROSOFT,
          inputs: ['c', 'x', 'g', 'b'],
          outputs: ['d'],
          attributes: { epsilon: float(1e-5) },
        },
        { operator: 'QuickGelu', domain: MICROSOFT, inputs: ['d'], outputs: ['e'] },
        { operator: 'FastGelu', domain: MICROSOFT, inputs: ['e', 'b'], outputs: ['y'] },
      ],
      inputs: { x: [1, 3, 6] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [6, 6], values: values(36, 3) },
        { name: 'b', dims: [6], values: values(6, 4, 0.3) },
        { name: 'g', dims: [6], values: values(6, 5) },
      ],
    },
  },
  'Xor, CastLike, and an output that never changes': {
    model: {
      nodes: [
        { operator: 'Xor', inputs: ['a', 'b'], outputs: ['x'] },
        { operator: 'CastLike', inputs: ['x', 'f'], outputs: ['y'] },
        { operator: 'Shape', inputs: ['a'], outputs: ['s'] },
      ],
      inputs: { a: [3, 4], b: [4], f: [2] },
      types: { a: BOOL, b: BOOL },
      outputs: ['y', 's'],
    },
    exact: ['y', 's'],
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
