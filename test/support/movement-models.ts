import { BOOL, type ExpandedModel, FLOAT, INT32, INT64, values } from './expanded-model.ts';

/** Ranking, gathering, scattering, interpolation, windows over three axes, Einsum. */
export const MOVEMENT_MODELS: Readonly<Record<string, ExpandedModel>> = {
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
};
