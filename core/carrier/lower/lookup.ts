import { decodeMap } from '../../ops/map.ts';
import { treeNode } from '../../ops/tree.ts';
import type { Instruction } from '../../program/types.ts';
import { fromBytes, TYPE_MAXIMUM, TYPE_MINIMUM } from '../../tensor.ts';
import { add, binary, carried, clip, patterned, patternOf, type Scalars, scalar, store } from '../arithmetic.ts';
import { type GraphBuilder, sizeOf, type Value } from '../graph.ts';
import type { Carried, Lowering } from '../lowering.ts';

/** `clamp(x − offset, 0, entries − 1)` as an index; 64-bit only where the difference can leave 32 bits. */
function clampedIndex(g: GraphBuilder, source: Carried, offset: number, entries: number): Value {
  const [low, high] = [TYPE_MINIMUM[source.element] - offset, TYPE_MAXIMUM[source.element] - offset];
  const work = low >= -(2 ** 31) && high < 2 ** 31 && -offset < 2 ** 31 ? 'i32' : 'i64';
  const shifted = add(g, g.cast(source.value, work), scalar(-offset));
  return low >= 0 && high < entries ? shifted : clip(g, shifted, 0, entries - 1);
}

/** Rows of the data at the indices; single elements by GatherElements, which is three times as fast. */
function rowsOf(g: GraphBuilder, data: Value, rows: number, width: number, indices: Value): Value {
  if (width === 1) {
    const flat = g.reshape(indices, [sizeOf(indices.dims)]);
    return g.node('GatherElements', [g.reshape(data, [rows]), flat], { type: data.type, dims: flat.dims, attributes: { axis: 0 } });
  }
  const dims = [...indices.dims, width];
  return g.node('Gather', [g.reshape(data, [rows, width]), indices], { type: data.type, dims, attributes: { axis: 0 } });
}

export const table: Lowering<'table'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const source = sources[0]!;
  const rows = a.channels * a.entries;
  const values = g.constant(carried(instruction.type), [rows * a.width], fromBytes(instruction.type, instruction.parameters));
  let index = clampedIndex(g, source, a.offset, a.entries);
  if (a.channels > 1) {
    const pattern = patternOf(sizeOf(source.value.dims), a.channels, a.channelInner);
    const starts: Scalars = patterned(
      pattern,
      Array.from({ length: a.channels }, (_, channel) => channel * a.entries),
    );
    index = add(g, g.reshape(index, pattern.valueDims), starts);
  }
  return rowsOf(g, values, rows, a.width, index);
};

/** One Gather over the joined sources and constants; none when the map only joins or renames. */
export const map: Lowering<'map'> = (g, instruction, sources) => {
  const { indices, constants } = decodeMap(instruction);
  const type = carried(instruction.type);
  const flat = sources.map((source) => g.reshape(source.value, [sizeOf(source.value.dims)]));
  if (constants.length > 0) flat.push(g.constant(type, [constants.length], constants));
  const total = flat.reduce((n, part) => n + sizeOf(part.dims), 0);
  const joined = flat.length === 1 ? flat[0]! : g.node('Concat', flat, { type, dims: [total], attributes: { axis: 0 } });
  if (indices.length === total && indices.every((index, e) => index === e)) return joined;
  return rowsOf(g, joined, total, 1, g.constant('i32', [indices.length], indices));
};

export const gather: Lowering<'gather'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const [data, position] = [sources[0]!, sources[1]!];
  const clamped = g.reshape(clampedIndex(g, position, a.offset, a.axis), [a.perOuter === 1 ? a.outer : 1, a.count]);
  const starts = Array.from({ length: a.outer }, (_, outer) => outer * a.axis);
  const rows = a.outer === 1 ? clamped : add(g, clamped, { dims: [a.outer, 1], values: starts });
  return rowsOf(g, data.value, a.outer * a.axis, a.width, rows);
};

export const arg: Lowering<'arg'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const values = g.reshape(g.cast(sources[0]!.value, 'i32'), [a.outer, a.axis, a.inner]);
  const attributes = { axis: 1, keepdims: 0, select_last_index: 0 };
  const index = g.node(a.minimum === 1 ? 'ArgMin' : 'ArgMax', [values], { type: 'i64', dims: [a.outer, a.inner], attributes });
  return store(g, index, instruction.type);
};

/** The nodes of all trees as columns; children count from the first node of the first tree. */
function forest(g: GraphBuilder, instruction: Instruction<'tree'>): Record<'feature' | 'threshold' | 'left' | 'right', Value> {
  const a = instruction.attributes;
  const count = a.trees * a.nodes;
  const columns = {
    feature: new Int32Array(count),
    threshold: new Int32Array(count),
    left: new Int32Array(count),
    right: new Int32Array(count),
  };
  for (let i = 0; i < count; i++) {
    const node = treeNode({ parameter: (offset) => instruction.parameters[offset]! }, i);
    const first = i - (i % a.nodes);
    columns.feature[i] = node.feature;
    columns.threshold[i] = node.threshold;
    columns.left[i] = first + node.left;
    columns.right[i] = first + node.right;
  }
  const constant = (values: Int32Array): Value => g.constant('i32', [count], values);
  return {
    feature: constant(columns.feature),
    threshold: constant(columns.threshold),
    left: constant(columns.left),
    right: constant(columns.right),
  };
}

/** All rows walk all trees one step at a time. */
export const tree: Lowering<'tree'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const nodes = forest(g, instruction);
  const dims = [a.rows, a.trees];
  const features = g.reshape(g.cast(sources[0]!.value, 'i32'), [a.rows * a.features]);
  const starts = Int32Array.from({ length: a.rows * a.trees }, (_, e) => (e % a.trees) * a.nodes);
  const start = g.constant('i32', dims, starts);
  const rowStarts: Scalars = { dims: [a.rows, 1], values: Array.from({ length: a.rows }, (_, row) => row * a.features) };
  let at = start;
  for (let step = 0; step < a.depth; step++) {
    const pick = (column: Value): Value => g.node('Gather', [column, at], { type: 'i32', dims, attributes: { axis: 0 } });
    const feature = add(g, pick(nodes.feature), rowStarts);
    const value = g.node('Gather', [features, feature], { type: 'i32', dims, attributes: { axis: 0 } });
    const isLeft = g.node('LessOrEqual', [value, pick(nodes.threshold)], { type: 'bool', dims });
    at = g.node('Where', [isLeft, pick(nodes.left), pick(nodes.right)], { type: 'i32', dims });
  }
  return store(g, binary(g, 'Sub', at, start, dims), instruction.type);
};
