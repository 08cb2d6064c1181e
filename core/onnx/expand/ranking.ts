import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, stridesOf, tensor } from '../tensor.ts';
import { axisLast, type Builder, type Expansion, undone } from './builder.ts';

/** Comparisons of every value with every other that one TopK may cost. */
const MOST_PAIRS = 1 << 22;

/**
 * The rank of a value is how many stand before it: those that are better, and equal ones of lower index. The value of rank j
 * is the j-th result. Costs a comparison of every pair; instructions do not depend on k.
 */
function topK(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const rank = x.dims.length;
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), rank);
  const size = x.dims[axis]!;
  const k = node.inputs.length > 1 ? b.value(1).data[0]! : intAttribute(node, 'k', 1);
  const rows = elementCount(x.dims) / size;
  if (!(k >= 1 && k <= size)) refuseNode(node, `${k} of ${size} values are asked for`);
  if (rows * size * size > MOST_PAIRS)
    refuseNode(node, `ranking ${size} values compares ${rows * size * size} pairs, more than ${MOST_PAIRS}`, { size, rows });
  const perm = axisLast(rank, axis);
  const flat = b.reshape(b.transpose(x.name, perm), [rows, size]);
  const [column, row] = [b.reshape(flat, [rows, size, 1]), b.reshape(flat, [rows, 1, size])];
  // before[r, i, j]: value j is better than value i.
  const better = b.op('Cast', [b.op(intAttribute(node, 'largest', 1) === 1 ? 'Greater' : 'Less', [row, column])], { to: 1 });
  const notWorse = b.op('Sub', [b.scalar(1), b.transpose(better, [0, 2, 1])]);
  const later = Array.from({ length: size * size }, (_, e) => (e % size > Math.floor(e / size) ? 1 : 0));
  const same = Array.from({ length: size * size }, (_, e) => (e % size === Math.floor(e / size) ? 1 : 0));
  const strict = b.op('Where', [b.tensor(tensor('bool', [1, size, size], later)), better, notWorse]);
  const before = b.op('Where', [b.tensor(tensor('bool', [1, size, size], same)), b.scalar(0), strict]);
  const ranks = b.op('ReduceSum', [before, b.ints([2])], { keepdims: 0 });
  const wanted = b.tensor(
    tensor(
      'float32',
      [1, k, 1],
      Array.from({ length: k }, (_, j) => j),
    ),
  );
  const hits = b.op('Cast', [b.op('Equal', [b.reshape(ranks, [rows, 1, size]), wanted])], { to: 1 });
  const indices = b.op('ArgMax', [hits], { axis: 2, keepdims: 0 });
  const values = b.op('GatherElements', [flat, indices], { axis: 1 });
  const dims = [...x.dims.filter((_, at) => at !== axis), k];
  return [values, indices].map((name) => b.transpose(b.reshape(name, dims), undone(perm)));
}

/** One where the largest value is. */
function hardmax(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const axis = normalizeAxis(intAttribute(node, 'axis', node.opset >= 13 ? -1 : 1), x.dims.length);
  const last = node.opset >= 13 ? [x.dims[axis]!] : x.dims.slice(axis);
  const perm = node.opset >= 13 ? axisLast(x.dims.length, axis) : [...x.dims.keys()];
  const width = elementCount(last);
  const rows = elementCount(x.dims) / width;
  const best = b.op('ArgMax', [b.reshape(b.transpose(x.name, perm), [rows, width])], { axis: 1, keepdims: 0 });
  const flags = b.op('OneHot', [best, b.scalar(width, 'int64'), b.tensor(tensor('float32', [2], [0, 1]))], { axis: -1 });
  const moved = perm.map((at) => x.dims[at]!);
  return [b.transpose(b.reshape(flags, moved), undone(perm))];
}

/** Indices that vary, along any axis: that axis goes last, and other axes are cut to the indices' own. */
function gatherElements(b: Builder): readonly string[] | undefined {
  const { node } = b;
  const [x, indices] = [b.input(0), b.input(1)];
  if (indices.constant !== undefined) return undefined;
  const rank = x.dims.length;
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), rank);
  const fits = x.dims.every((dim, at) => at === axis || dim === indices.dims[at]);
  if (axis === rank - 1 && fits) return undefined;
  const perm = axisLast(rank, axis);
  const others = [...x.dims.keys()].filter((at) => at !== axis);
  const cut = fits
    ? x.name
    : b.op('Slice', [x.name, b.ints(others.map(() => 0)), b.ints(others.map((at) => indices.dims[at]!)), b.ints(others)]);
  const taken = b.op('GatherElements', [b.transpose(cut, perm), b.transpose(indices.name, perm)], { axis: rank - 1 });
  return [b.transpose(taken, undone(perm))];
}

/** Indices that vary over several axes: one flat index. Modulo its axis an index from the end becomes one from the start. */
function gatherNd(b: Builder): readonly string[] | undefined {
  const { node } = b;
  const [x, indices] = [b.input(0), b.input(1)];
  if (indices.constant !== undefined) return undefined;
  const batch = intAttribute(node, 'batch_dims', 0);
  const depth = indices.dims[indices.dims.length - 1]!;
  const dims = x.dims.slice(batch, batch + depth);
  const strides = stridesOf(dims);
  const parts = b.many('Split', [indices.name, b.ints(new Array<number>(depth).fill(1))], { axis: -1 }, depth);
  const flat = parts
    .map((part, d) => b.op('Mod', [part, b.scalar(dims[d]!, indices.type)]))
    .map((part, d) => b.op('Mul', [part, b.scalar(strides[d]!, indices.type)]))
    .reduce((sum, part) => b.op('Add', [sum, part]));
  const rows = elementCount(indices.dims.slice(0, -1));
  const perBatch = elementCount(indices.dims.slice(batch, -1));
  const starts = Array.from({ length: rows }, (_, row) => Math.floor(row / perBatch) * elementCount(dims));
  const placed = batch === 0 ? flat : b.op('Add', [b.reshape(flat, [rows]), b.tensor(tensor(indices.type, [rows], starts))]);
  const data = b.reshape(x.name, [elementCount(x.dims.slice(0, batch + depth)), ...x.dims.slice(batch + depth)]);
  return [b.op('Gather', [data, b.reshape(placed, indices.dims.slice(0, -1))], { axis: 0 })];
}

/** Entries of an axis chosen by flags that are known in advance. */
function compress(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const chosen = Array.from(b.value(1).data).flatMap((flag, i) => (flag === 0 ? [] : [i]));
  if (!node.attributes.has('axis')) return [b.op('Gather', [b.reshape(x.name, [elementCount(x.dims)]), b.ints(chosen)], { axis: 0 })];
  return [b.op('Gather', [x.name, b.ints(chosen)], { axis: intAttribute(node, 'axis', 0) })];
}

/** The start of every sequence turned round; how long each is must be known in advance. */
function reverseSequence(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const lengths = b.value(1).data;
  const [time, batch] = [intAttribute(node, 'time_axis', 0), intAttribute(node, 'batch_axis', 1)];
  const strides = stridesOf(x.dims);
  const index = Array.from({ length: elementCount(x.dims) }, (_, e) => {
    const at = Math.floor(e / strides[time]!) % x.dims[time]!;
    const length = lengths[Math.floor(e / strides[batch]!) % x.dims[batch]!]!;
    return at < length ? e + (length - 1 - 2 * at) * strides[time]! : e;
  });
  return [b.reshape(b.op('Gather', [b.reshape(x.name, [index.length]), b.ints(index)], { axis: 0 }), [...x.dims])];
}

const always = (expand: (b: Builder) => readonly string[]): Expansion => ({ expand });
const varyingIndices = (expand: Expansion['expand']): Expansion => ({ expand, when: (node: GraphNode) => node.inputs.length > 1 });

export const RANKING: Readonly<Record<string, Expansion>> = {
  Compress: always(compress),
  GatherElements: varyingIndices(gatherElements),
  GatherND: varyingIndices(gatherNd),
  Hardmax: always(hardmax),
  ReverseSequence: always(reverseSequence),
  TopK: always(topK),
};
