import { BOOL, type ExpandedModel, FLOAT, float, INT8, INT32, MICROSOFT, scale, UINT8, values, whole, zero } from './expanded-model.ts';

/** Arithmetic, reductions, quantized and fused operators. */
export const WIDE_MODELS: Readonly<Record<string, ExpandedModel>> = {
  'what may vary as well: bounds, a slope, a divisor of both signs': {
    model: {
      nodes: [
        { operator: 'ReduceMin', inputs: ['z'], outputs: ['low'], attributes: { keepdims: 0 } },
        { operator: 'ReduceMax', inputs: ['z'], outputs: ['high'], attributes: { keepdims: 0 } },
        { operator: 'Clip', inputs: ['x', 'low', 'high'], outputs: ['a'] },
        { operator: 'PRelu', inputs: ['x', 'z'], outputs: ['b'] },
        { operator: 'Sign', inputs: ['z'], outputs: ['s'] },
        { operator: 'Add', inputs: ['z', 's'], outputs: ['d'] },
        { operator: 'Div', inputs: ['x', 'd'], outputs: ['c'] },
      ],
      inputs: { x: [3, 8], z: [3, 8] },
      outputs: ['a', 'b', 'c'],
    },
    ranges: { z: [-0.7, 0.7] },
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
  'an LSTM quantized at run time': {
    model: {
      nodes: [
        {
          operator: 'DynamicQuantizeLSTM',
          domain: MICROSOFT,
          inputs: ['x', 'w', 'r', 'b', '', '', '', '', 'ws', 'wz', 'rs', 'rz'],
          outputs: ['', 'y'],
          attributes: { hidden_size: 3 },
        },
      ],
      inputs: { x: [4, 1, 5] },
      outputs: ['y'],
      constants: [
        { name: 'w', dims: [1, 5, 12], values: whole(60, 3, -100, 100), type: INT8 },
        { name: 'r', dims: [1, 3, 12], values: whole(36, 4, -100, 100), type: INT8 },
        { name: 'b', dims: [1, 24], values: values(24, 5, 0.2) },
        { name: 'ws', dims: [1, 12], values: values(12, 1).map((v) => 0.008 + 0.002 * v) },
        { name: 'wz', dims: [1, 12], values: new Array<number>(12).fill(0), type: INT8 },
        { name: 'rs', dims: [1], values: [0.006] },
        { name: 'rz', dims: [1], values: [40], type: INT8 },
      ],
    },
    // onnxruntime rounds x and h to eight bits in every step.
    float: 0.03,
    tolerance: 0.03,
  },
  'a product of integers that gives floats': {
    model: {
      nodes: [
        { operator: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['q'] },
        { operator: 'MatMulIntegerToFloat', domain: MICROSOFT, inputs: ['q', 'w', 's', 'ws', 'z', 'wz', 'b'], outputs: ['y'] },
      ],
      inputs: { x: [3, 5] },
      outputs: ['y'],
      constants: [
        scale('s', 0.008),
        zero('z', 127),
        { name: 'w', dims: [5, 4], values: whole(20, 3, 0, 255), type: UINT8 },
        { name: 'ws', dims: [4], values: [0.01, 0.02, 0.005, 0.01] },
        { name: 'wz', dims: [4], values: [120, 128, 130, 125], type: UINT8 },
        { name: 'b', dims: [4], values: values(4, 1) },
      ],
    },
  },
  'a convolution with what was fused into it': {
    model: {
      nodes: [
        {
          operator: 'FusedConv',
          domain: MICROSOFT,
          inputs: ['x', 'w', 'b'],
          outputs: ['c'],
          attributes: { activation: 'HardSigmoid', activation_params: { floats: [0.3, 0.4] }, kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
        },
        {
          operator: 'FusedGemm',
          domain: MICROSOFT,
          inputs: ['g', 'v', 'b'],
          outputs: ['y'],
          attributes: { activation: 'LeakyRelu', activation_alpha: float(0.3), transB: 1 },
        },
        { operator: 'GlobalAveragePool', inputs: ['c'], outputs: ['p'] },
        { operator: 'Flatten', inputs: ['p'], outputs: ['g'] },
      ],
      inputs: { x: [2, 2, 4, 5] },
      outputs: ['c', 'y'],
      constants: [
        { name: 'w', dims: [4, 2, 3, 3], values: values(72, 3) },
        { name: 'v', dims: [4, 4], values: values(16, 3) },
        { name: 'b', dims: [4], values: values(4, 4, 0.3) },
      ],
    },
  },
  'recurrent layers with other activations and bounds': {
    model: {
      nodes: [
        {
          operator: 'LSTM',
          inputs: ['x', 'w', 'r'],
          outputs: ['a'],
          attributes: {
            hidden_size: 3,
            activations: { strings: ['HardSigmoid', 'Tanh', 'Softsign'] },
            activation_alpha: { floats: [0.25] },
            activation_beta: { floats: [0.45] },
          },
        },
        {
          operator: 'RNN',
          inputs: ['x', 'v', 'u'],
          outputs: ['c'],
          attributes: { hidden_size: 3, activations: { strings: ['LeakyRelu'] }, activation_alpha: { floats: [0.2] }, clip: float(0.5) },
        },
      ],
      inputs: { x: [3, 2, 4] },
      outputs: ['a', 'c'],
      constants: [
        { name: 'w', dims: [1, 12, 4], values: values(48, 1) },
        { name: 'r', dims: [1, 12, 3], values: values(36, 2, 0.5) },
        { name: 'v', dims: [1, 3, 4], values: values(12, 1) },
        { name: 'u', dims: [1, 3, 3], values: values(9, 2, 0.5) },
      ],
    },
    tolerance: 0.03,
  },
};
