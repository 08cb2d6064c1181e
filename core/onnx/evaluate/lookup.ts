import { intAttribute } from '../graph.ts';
import { allocate, elementCount, normalizeAxis, stridesOf, tensor } from '../tensor.ts';
import { transposed } from './movement.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';
import { reduceLast } from './reduction.ts';

const oneHot: Evaluate = (node, inputs) => {
  const indices = input(node, inputs, 0);
  const depth = input(node, inputs, 1).data[0]!;
  const values = input(node, inputs, 2);
  const rank = indices.dims.length + 1;
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), rank);
  const data = allocate(values.type, indices.data.length * depth).fill(values.data[0]!);
  for (let i = 0; i < indices.data.length; i++) {
    const index = indices.data[i]! < 0 ? indices.data[i]! + depth : indices.data[i]!;
    if (index >= 0 && index < depth) data[i * depth + index] = values.data[1]!;
  }
  const last = { type: values.type, dims: [...indices.dims, depth], data };
  if (axis === rank - 1) return [last];
  return [
    transposed(
      last,
      [...Array(rank).keys()].map((at) => (at < axis ? at : at === axis ? rank - 1 : at - 1)),
    ),
  ];
};

const nonZero: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const strides = stridesOf(x.dims);
  const found: number[] = [];
  for (let i = 0; i < x.data.length; i++) if (x.data[i] !== 0) found.push(i);
  const rows = x.dims.map((dim, axis) => found.map((i) => Math.floor(i / strides[axis]!) % dim));
  return [tensor('int64', [x.dims.length, found.length], rows.flat())];
};

const topK: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const k = inputs[1]?.data[0] ?? intAttribute(node, 'k', 1);
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length);
  const largest = intAttribute(node, 'largest', 1) === 1;
  const { moved, rows, width } = reduceLast(x, [axis]);
  const values = allocate(x.type, rows * k);
  const indices = allocate('int64', rows * k);
  for (let r = 0; r < rows; r++) {
    const order = Array.from({ length: width }, (_, i) => i);
    order.sort((a, b) => {
      const difference = moved.data[r * width + b]! - moved.data[r * width + a]!;
      return (largest ? difference : -difference) || a - b;
    });
    for (let i = 0; i < k; i++) {
      values[r * k + i] = moved.data[r * width + order[i]!]!;
      indices[r * k + i] = order[i]!;
    }
  }
  const rank = x.dims.length;
  const dims = [...x.dims.filter((_, at) => at !== axis), k];
  const back = [...Array(rank).keys()].map((at) => (at < axis ? at : at === axis ? rank - 1 : at - 1));
  const outputs = [
    { type: x.type, dims, data: values },
    { type: 'int64' as const, dims, data: indices },
  ];
  return axis === rank - 1 ? outputs : outputs.map((output) => transposed(output, back));
};

const scatterNd: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const indices = input(node, inputs, 1);
  const updates = input(node, inputs, 2);
  const depth = indices.dims[indices.dims.length - 1]!;
  const inner = elementCount(x.dims.slice(depth));
  const strides = stridesOf(x.dims);
  const data = allocate(x.type, x.data.length);
  data.set(x.data);
  const mode = node.attributes.get('reduction') ?? 'none';
  for (let row = 0; row < indices.data.length / depth; row++) {
    let to = 0;
    for (let d = 0; d < depth; d++) {
      const index = indices.data[row * depth + d]!;
      to += (index < 0 ? index + x.dims[d]! : index) * strides[d]!;
    }
    for (let i = 0; i < inner; i++) {
      const update = updates.data[row * inner + i]!;
      const old = data[to + i]!;
      data[to + i] =
        mode === 'add'
          ? old + update
          : mode === 'mul'
            ? old * update
            : mode === 'max'
              ? Math.max(old, update)
              : mode === 'min'
                ? Math.min(old, update)
                : update;
    }
  }
  return [{ type: x.type, dims: x.dims, data }];
};

export const LOOKUP: OperatorTable = { OneHot: oneHot, NonZero: nonZero, TopK: topK, ScatterND: scatterNd };
