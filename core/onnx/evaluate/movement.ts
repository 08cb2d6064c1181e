import { type GraphNode, intAttribute, intsAttribute, stringAttribute, tensorAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, int64, isBounded, MAX_ELEMENTS, normalizeAxis, stridesOf, type Tensor, tensor } from '../tensor.ts';
import { broadcastDims, broadcastIndex, walk } from './broadcast.ts';
import { axesOf, type Evaluate, input, type OperatorTable } from './operator.ts';
import { resize } from './resize.ts';

/** Reads `index` from `x` into a tensor of shape `dims`. */
export function pick(x: Tensor, dims: readonly number[], index: Int32Array): Tensor {
  const data = allocate(x.type, index.length);
  for (let i = 0; i < index.length; i++) data[i] = x.data[index[i]!]!;
  return { type: x.type, dims, data };
}

function reshaped(x: Tensor, dims: readonly number[]): Tensor {
  return { type: x.type, dims, data: x.data };
}

const reshape: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const wanted = inputs[1] ? Array.from(inputs[1].data) : [...(intsAttribute(node, 'shape') ?? [])];
  const allowZero = intAttribute(node, 'allowzero', 0) === 1;
  const dims = wanted.map((dim, axis) => (dim === 0 && !allowZero ? (x.dims[axis] ?? 0) : dim));
  const free = dims.indexOf(-1);
  if (free >= 0) {
    const known = dims.reduce((product, dim, axis) => (axis === free ? product : product * dim), 1);
    dims[free] = known === 0 ? 0 : x.data.length / known;
  }
  if (!dims.every(Number.isInteger) || elementCount(dims) !== x.data.length)
    refuseNode(node, `cannot reshape ${x.dims.join('x')} to ${wanted.join('x')}`);
  return [reshaped(x, dims)];
};

const flatten: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const axis = intAttribute(node, 'axis', 1);
  const at = axis < 0 ? axis + x.dims.length : axis;
  return [reshaped(x, [elementCount(x.dims.slice(0, at)), elementCount(x.dims.slice(at))])];
};

const squeeze: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const axes = axesOf(node, inputs)?.map((axis) => normalizeAxis(axis, x.dims.length));
  return [
    reshaped(
      x,
      x.dims.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    ),
  ];
};

const unsqueeze: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const given = axesOf(node, inputs) ?? [];
  const rank = x.dims.length + given.length;
  const axes = new Set(given.map((axis) => normalizeAxis(axis, rank)));
  const rest = [...x.dims];
  return [
    reshaped(
      x,
      Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!)),
    ),
  ];
};

export function transposed(x: Tensor, permutation: readonly number[]): Tensor {
  const strides = stridesOf(x.dims);
  const dims = permutation.map((axis) => x.dims[axis]!);
  return pick(
    x,
    dims,
    walk(
      dims,
      permutation.map((axis) => strides[axis]!),
      0,
    ),
  );
}

const transpose: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const permutation = intsAttribute(node, 'perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
  if (permutation.length !== x.dims.length)
    refuseNode(node, `permutation of ${permutation.length} axes for a tensor of rank ${x.dims.length}`);
  return [transposed(x, permutation)];
};

const concat: Evaluate = (node, inputs) => {
  const parts = inputs.filter((part) => part !== undefined);
  const first = input(node, parts, 0);
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), first.dims.length);
  const outer = elementCount(first.dims.slice(0, axis));
  const widths = parts.map((part) => elementCount(part.dims.slice(axis)));
  const total = widths.reduce((sum, width) => sum + width, 0);
  const data = allocate(first.type, outer * total);
  let offset = 0;
  parts.forEach((part, p) => {
    const alike = part.dims.length === first.dims.length && part.dims.every((dim, at) => at === axis || dim === first.dims[at]);
    if (!alike || part.data.length !== outer * widths[p]!) refuseNode(node, 'parts have different shapes');
    for (let o = 0; o < outer; o++) data.set(part.data.subarray(o * widths[p]!, (o + 1) * widths[p]!), o * total + offset);
    offset += widths[p]!;
  });
  const dims = first.dims.map((dim, at) => (at === axis ? parts.reduce((sum, part) => sum + part.dims[axis]!, 0) : dim));
  return [{ type: first.type, dims, data }];
};

/** Elements [start, start + step·size) along each axis. */
function sliced(x: Tensor, starts: readonly number[], steps: readonly number[], dims: readonly number[]): Tensor {
  const strides = stridesOf(x.dims);
  let offset = 0;
  for (let axis = 0; axis < dims.length; axis++) offset += starts[axis]! * strides[axis]!;
  return pick(
    x,
    dims,
    walk(
      dims,
      steps.map((step, axis) => step * strides[axis]!),
      offset,
    ),
  );
}

const split: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), x.dims.length);
  const count = intAttribute(node, 'num_outputs', node.outputs.length);
  if (!(count >= 1 && count <= Math.max(1, x.dims[axis]!, node.outputs.length)))
    refuseNode(node, `${count} parts of ${x.dims[axis]} values`);
  const chunk = Math.ceil(x.dims[axis]! / count);
  const given = inputs[1] ? Array.from(inputs[1].data) : intsAttribute(node, 'split');
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(chunk, x.dims[axis]! - i * chunk));
  if (sizes.reduce((sum, size) => sum + size, 0) !== x.dims[axis])
    refuseNode(node, `parts ${sizes.join('+')} do not add up to ${x.dims[axis]}`);
  let start = 0;
  return sizes.map((size) => {
    const part = sliced(
      x,
      x.dims.map((_, a) => (a === axis ? start : 0)),
      x.dims.map(() => 1),
      x.dims.map((dim, a) => (a === axis ? size : dim)),
    );
    start += size;
    return part;
  });
};

const slice: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const starts = inputs[1] ? Array.from(inputs[1].data) : [...(intsAttribute(node, 'starts') ?? [])];
  const ends = inputs[2] ? Array.from(inputs[2].data) : [...(intsAttribute(node, 'ends') ?? [])];
  const axes = axesOf(node, inputs, 3) ?? starts.map((_, i) => i);
  const given = inputs[4] ? Array.from(inputs[4].data) : starts.map(() => 1);
  const from = x.dims.map(() => 0);
  const steps = x.dims.map(() => 1);
  const dims = [...x.dims];
  axes.forEach((written, i) => {
    const axis = normalizeAxis(written, x.dims.length);
    const size = x.dims[axis]!;
    const step = given[i] ?? 1;
    if (step === 0) refuseNode(node, 'a step of 0');
    const low = step > 0 ? 0 : -1;
    const high = step > 0 ? size : size - 1;
    const bound = (value: number) => Math.min(high, Math.max(low, value < 0 ? value + size : value));
    const start = step < 0 ? Math.min(size - 1, bound(starts[i]!)) : bound(starts[i]!);
    from[axis] = start;
    steps[axis] = step;
    dims[axis] = Math.max(0, Math.ceil((bound(ends[i]!) - start) / step));
  });
  return [sliced(x, from, steps, dims)];
};

/** Index of the source for a padded position along one axis, or −1 for the constant. */
function padSource(position: number, size: number, mode: string): number {
  if (position >= 0 && position < size) return position;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return position < 0 ? 0 : size - 1;
  if (mode === 'wrap') return ((position % size) + size) % size;
  const period = Math.max(1, 2 * (size - 1));
  const folded = ((position % period) + period) % period;
  return folded < size ? folded : period - folded;
}

const pad: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const mode = stringAttribute(node, 'mode', 'constant');
  const written = inputs[1] ? Array.from(inputs[1].data) : [...(intsAttribute(node, 'pads') ?? [])];
  const value = inputs[2]?.data[0] ?? intAttribute(node, 'value', 0);
  const axes = axesOf(node, inputs, 3)?.map((axis) => normalizeAxis(axis, x.dims.length)) ?? x.dims.map((_, axis) => axis);
  const before = x.dims.map(() => 0);
  const after = x.dims.map(() => 0);
  axes.forEach((axis, i) => {
    before[axis] = written[i] ?? 0;
    after[axis] = written[i + axes.length] ?? 0;
  });
  const dims = x.dims.map((dim, axis) => dim + before[axis]! + after[axis]!);
  if (!isBounded(dims)) refuseNode(node, `padding gives the shape ${dims.join('x')}`);
  const strides = stridesOf(x.dims);
  const sources = dims.map((dim, axis) => Array.from({ length: dim }, (_, p) => padSource(p - before[axis]!, x.dims[axis]!, mode)));
  const data = allocate(x.type, elementCount(dims));
  const outStrides = stridesOf(dims);
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let axis = 0; axis < dims.length && from >= 0; axis++) {
      const source = sources[axis]![Math.floor(i / outStrides[axis]!) % dims[axis]!]!;
      from = source < 0 ? -1 : from + source * strides[axis]!;
    }
    data[i] = from < 0 ? value : x.data[from]!;
  }
  return [{ type: x.type, dims, data }];
};

const expand: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const dims = broadcastDims(x.dims, Array.from(input(node, inputs, 1).data));
  if (dims === undefined || !isBounded(dims)) refuseNode(node, `cannot expand ${x.dims.join('x')}`);
  const index = broadcastIndex(x.dims, dims);
  return [index === undefined ? x : pick(x, dims, index)];
};

const tile: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const repeats = Array.from(input(node, inputs, 1).data);
  const dims = x.dims.map((dim, axis) => dim * (repeats[axis] ?? 1));
  if (!isBounded(dims)) refuseNode(node, `tiling gives the shape ${dims.join('x')}`);
  const strides = stridesOf(x.dims);
  const outStrides = stridesOf(dims);
  const index = new Int32Array(elementCount(dims));
  for (let i = 0; i < index.length; i++) {
    for (let axis = 0; axis < dims.length; axis++) index[i]! += (Math.floor(i / outStrides[axis]!) % x.dims[axis]!) * strides[axis]!;
  }
  return [pick(x, dims, index)];
};

function checkedIndex(node: GraphNode, value: number, size: number): number {
  const index = value < 0 ? value + size : value;
  if (!Number.isInteger(index) || index < 0 || index >= size) refuseNode(node, `index ${value} outside a dimension of ${size}`);
  return index;
}

const gather: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const indices = input(node, inputs, 1);
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), x.dims.length);
  const outer = elementCount(x.dims.slice(0, axis));
  const inner = elementCount(x.dims.slice(axis + 1));
  const data = allocate(x.type, outer * indices.data.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < indices.data.length; j++) {
      const from = (o * x.dims[axis]! + checkedIndex(node, indices.data[j]!, x.dims[axis]!)) * inner;
      data.set(x.data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return [{ type: x.type, dims: [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)], data }];
};

const gatherElements: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const indices = input(node, inputs, 1);
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), x.dims.length);
  const strides = stridesOf(x.dims);
  const base = walk(
    indices.dims,
    strides.map((stride, a) => (a === axis ? 0 : stride)),
    0,
  );
  for (let i = 0; i < base.length; i++) base[i]! += checkedIndex(node, indices.data[i]!, x.dims[axis]!) * strides[axis]!;
  return [pick(x, indices.dims, base)];
};

const gatherNd: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const indices = input(node, inputs, 1);
  const batch = intAttribute(node, 'batch_dims', 0);
  const depth = indices.dims[indices.dims.length - 1]!;
  const strides = stridesOf(x.dims);
  const inner = elementCount(x.dims.slice(batch + depth));
  const rows = indices.data.length / depth;
  const rowsPerBatch = elementCount(indices.dims.slice(batch, -1));
  const batchSize = elementCount(x.dims.slice(batch));
  const index = new Int32Array(rows * inner);
  for (let row = 0; row < rows; row++) {
    let from = Math.floor(row / rowsPerBatch) * batchSize;
    for (let d = 0; d < depth; d++) from += checkedIndex(node, indices.data[row * depth + d]!, x.dims[batch + d]!) * strides[batch + d]!;
    for (let i = 0; i < inner; i++) index[row * inner + i] = from + i;
  }
  return [pick(x, [...indices.dims.slice(0, -1), ...x.dims.slice(batch + depth)], index)];
};

const trilu: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const offset = inputs[1]?.data[0] ?? 0;
  const upper = intAttribute(node, 'upper', 1) === 1;
  const columns = x.dims[x.dims.length - 1]!;
  const rows = x.dims[x.dims.length - 2]!;
  const data = x.data.map((v, i) => {
    const distance = (i % columns) - (Math.floor(i / columns) % rows);
    return (upper ? distance >= offset : distance <= offset) ? v : 0;
  });
  return [{ type: x.type, dims: x.dims, data }];
};

const depthToSpace: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const b = intAttribute(node, 'blocksize', 1);
  const depth = c / (b * b);
  const columnsFirst = stringAttribute(node, 'mode', 'DCR') === 'CRD';
  const wide = columnsFirst ? reshaped(x, [n, depth, b, b, h, w]) : reshaped(x, [n, b, b, depth, h, w]);
  return [reshaped(transposed(wide, columnsFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]), [n, depth, h * b, w * b])];
};

const spaceToDepth: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const b = intAttribute(node, 'blocksize', 1);
  return [reshaped(transposed(reshaped(x, [n, c, h / b, b, w / b, b]), [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b])];
};

const identity: Evaluate = (node, inputs) => [input(node, inputs, 0)];

/** Operators that only move values about: evaluated on index tensors, each is an explicit map. */
export const MOVEMENT: OperatorTable = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Trilu: trilu,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Resize: resize,
  Upsample: resize,
  Identity: identity,
  Dropout: (node, inputs) => {
    const x = input(node, inputs, 0);
    return [x, { type: 'bool', dims: x.dims, data: allocate('bool', x.data.length).fill(1) }];
  },
};

/** Operators whose result follows from shapes and constants alone. */
export const SHAPES: OperatorTable = {
  Shape: (node, inputs) => {
    const dims = input(node, inputs, 0).dims;
    const at = (name: string, fallback: number) => {
      const value = intAttribute(node, name, fallback);
      return Math.min(dims.length, Math.max(0, value < 0 ? value + dims.length : value));
    };
    return [int64(dims.slice(at('start', 0), at('end', dims.length)))];
  },
  Size: (node, inputs) => [tensor('int64', [], [input(node, inputs, 0).data.length])],
  ConstantOfShape: (node, inputs) => {
    const dims = Array.from(input(node, inputs, 0).data);
    if (!isBounded(dims)) refuseNode(node, `asks for the shape ${dims.join('x')}`);
    const value = tensorAttribute(node, 'value');
    const type = value?.type ?? 'float32';
    return [{ type, dims, data: allocate(type, elementCount(dims)).fill(value?.data[0] ?? 0) }];
  },
  Range: (node, inputs) => {
    const [start, limit, step] = [0, 1, 2].map((i) => input(node, inputs, i).data[0]!) as [number, number, number];
    const count = Math.max(0, Math.ceil((limit - start) / step));
    if (!(count <= MAX_ELEMENTS)) refuseNode(node, `asks for ${count} elements`);
    return [
      tensor(
        input(node, inputs, 0).type,
        [count],
        Array.from({ length: count }, (_, i) => start + i * step),
      ),
    ];
  },
};
