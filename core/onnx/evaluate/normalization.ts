import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, normalizeAxis, type Tensor, tensor } from '../tensor.ts';
import { applyBinary } from './elementwise.ts';
import { transposed } from './movement.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';
import { reduceLast } from './reduction.ts';

/** Applies `f` in place to every row of `width` values along `axis` and restores the order of axes. */
function alongAxis(x: Tensor, axis: number, f: (row: Float32Array | Float64Array) => void): Tensor {
  const { moved, rows, width } = reduceLast(x, [axis]);
  const data = allocate(x.type, moved.data.length);
  data.set(moved.data);
  for (let r = 0; r < rows; r++) f(data.subarray(r * width, (r + 1) * width));
  const result = { type: x.type, dims: moved.dims, data };
  const back = [...x.dims.keys()].map((at) => (at < axis ? at : at === axis ? x.dims.length - 1 : at - 1));
  return axis === x.dims.length - 1 ? { ...result, dims: x.dims } : transposed(result, back);
}

function softmaxRow(row: Float32Array | Float64Array): void {
  let top = Number.NEGATIVE_INFINITY;
  for (const v of row) top = Math.max(top, v);
  let total = 0;
  for (let i = 0; i < row.length; i++) total += row[i] = Math.exp(row[i]! - top);
  for (let i = 0; i < row.length; i++) row[i]! /= total;
}

function logSoftmaxRow(row: Float32Array | Float64Array): void {
  let top = Number.NEGATIVE_INFINITY;
  for (const v of row) top = Math.max(top, v);
  let total = 0;
  for (const v of row) total += Math.exp(v - top);
  for (let i = 0; i < row.length; i++) row[i] = row[i]! - top - Math.log(total);
}

/** The input as rows over which Softmax works: before operator set 13 all trailing axes together. */
export function softmaxView(node: GraphNode, x: Tensor): { view: Tensor; axis: number } {
  if (node.opset >= 13) return { view: x, axis: normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length) };
  const axis = normalizeAxis(intAttribute(node, 'axis', 1), x.dims.length);
  return { view: { ...x, dims: [elementCount(x.dims.slice(0, axis)), elementCount(x.dims.slice(axis))] }, axis: 1 };
}

function softmax(row: (values: Float32Array | Float64Array) => void): Evaluate {
  return (node, inputs) => {
    const x = input(node, inputs, 0);
    const { view, axis } = softmaxView(node, x);
    return [{ ...alongAxis(view, axis, row), dims: x.dims }];
  };
}

const batchNormalization: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  if (intAttribute(node, 'training_mode', 0) === 1) refuseNode(node, 'training mode is not supported');
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map((i) => input(node, inputs, i)) as [Tensor, Tensor, Tensor, Tensor];
  const epsilon = intAttribute(node, 'epsilon', 1e-5);
  const inner = elementCount(x.dims.slice(2));
  const channels = x.dims[1] ?? 1;
  const data = allocate(x.type, x.data.length);
  for (let i = 0; i < data.length; i++) {
    const c = Math.floor(i / inner) % channels;
    data[i] = ((x.data[i]! - mean.data[c]!) / Math.sqrt(variance.data[c]! + epsilon)) * scale.data[c]! + shift.data[c]!;
  }
  return [{ type: x.type, dims: x.dims, data }];
};

/** Subtracts the mean and divides by the deviation of every run of `width` values. */
export function standardize(x: Tensor, width: number, epsilon: number, center = true): Tensor {
  const data = allocate(x.type, x.data.length);
  for (let from = 0; from < data.length; from += width) {
    let mean = 0;
    if (center) for (let i = 0; i < width; i++) mean += x.data[from + i]! / width;
    let variance = 0;
    for (let i = 0; i < width; i++) variance += (x.data[from + i]! - mean) ** 2 / width;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++) data[from + i] = (x.data[from + i]! - mean) * scale;
  }
  return { type: x.type, dims: x.dims, data };
}

const layerNormalization: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length);
  const width = elementCount(x.dims.slice(axis));
  const epsilon = intAttribute(node, 'epsilon', 1e-5);
  const center = node.operator === 'LayerNormalization';
  let y = standardize(x, width, epsilon, center);
  if (inputs[1] !== undefined) y = applyBinary(node, y, inputs[1], (a, b) => a * b);
  if (inputs[2] !== undefined) y = applyBinary(node, y, inputs[2], (a, b) => a + b);
  if (node.outputs.filter((name) => name !== '').length === 1) return [y];
  const dims = x.dims.map((dim, at) => (at < axis ? dim : 1));
  const mean = allocate(x.type, x.data.length / width);
  const deviation = allocate(x.type, mean.length);
  for (let r = 0; r < mean.length; r++) {
    for (let i = 0; i < width; i++) mean[r]! += x.data[r * width + i]! / width;
    let variance = 0;
    for (let i = 0; i < width; i++) variance += (x.data[r * width + i]! - mean[r]!) ** 2 / width;
    deviation[r] = 1 / Math.sqrt(variance + epsilon);
  }
  return [y, { type: x.type, dims, data: mean }, { type: x.type, dims, data: deviation }];
};

/** Per-channel scale and shift along axis 1. */
function perChannel(node: GraphNode, x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  const spread = (t: Tensor): Tensor => ({ ...t, dims: [t.data.length, ...x.dims.slice(2).map(() => 1)] });
  return applyBinary(
    node,
    applyBinary(node, x, spread(scale), (a, b) => a * b),
    spread(shift),
    (a, b) => a + b,
  );
}

const instanceNormalization: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const y = standardize(x, elementCount(x.dims.slice(2)), intAttribute(node, 'epsilon', 1e-5));
  return [perChannel(node, y, input(node, inputs, 1), input(node, inputs, 2))];
};

const groupNormalization: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const groups = intAttribute(node, 'num_groups', 1);
  const channels = x.dims[1]!;
  const y = standardize(x, (channels / groups) * elementCount(x.dims.slice(2)), intAttribute(node, 'epsilon', 1e-5));
  const perGroup = channels / groups;
  const widen = (t: Tensor): Tensor =>
    t.data.length === channels
      ? t
      : tensor(
          t.type,
          [channels],
          Array.from({ length: channels }, (_, c) => t.data[Math.floor(c / perGroup)]!),
        );
  return [perChannel(node, y, widen(input(node, inputs, 1)), widen(input(node, inputs, 2)))];
};

const lpNormalization: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const p = intAttribute(node, 'p', 2);
  return [
    alongAxis(x, normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length), (row) => {
      let total = 0;
      for (const v of row) total += p === 1 ? Math.abs(v) : v * v;
      const norm = p === 1 ? total : Math.sqrt(total);
      if (norm > 0) for (let i = 0; i < row.length; i++) row[i]! /= norm;
    }),
  ];
};

const hardmax: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const { view, axis } = softmaxView(node, x);
  const result = alongAxis(view, axis, (row) => {
    let best = 0;
    for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
    row.fill(0);
    row[best] = 1;
  });
  return [{ ...result, dims: x.dims }];
};

export const NORMALIZATION: OperatorTable = {
  Softmax: softmax(softmaxRow),
  LogSoftmax: softmax(logSoftmaxRow),
  Hardmax: hardmax,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LpNormalization: lpNormalization,
};
