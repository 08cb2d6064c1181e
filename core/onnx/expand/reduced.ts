import { axesOf } from '../evaluate/operator.ts';
import { type GraphNode, intAttribute, intsAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, tensor } from '../tensor.ts';
import { axisLast, type Builder, type Expansion, undone } from './builder.ts';

/** Axes a reduction folds, sorted; all of them where it names none. */
function axesFolded(b: Builder): number[] {
  const x = b.input(0);
  const inputs = [undefined, b.optional(1) === undefined ? undefined : b.value(1)];
  const given = axesOf(b.node, inputs);
  if (given === undefined || given.length === 0) return intAttribute(b.node, 'noop_with_empty_axes', 0) === 1 ? [] : [...x.dims.keys()];
  return given.map((axis) => normalizeAxis(axis, x.dims.length)).sort((p, q) => p - q);
}

function keptDims(b: Builder, axes: readonly number[]): number[] {
  const { dims } = b.input(0);
  const keep = intAttribute(b.node, 'keepdims', 1) === 1;
  return keep ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : dims.filter((_, axis) => !axes.includes(axis));
}

/** max + log Σ exp(x − max) */
function logSumExp(b: Builder): readonly string[] {
  const axes = axesFolded(b);
  const x = b.input(0).name;
  const list = b.ints(axes);
  const top = b.op('ReduceMax', [x, list], { keepdims: 1 });
  const sum = b.op('ReduceSum', [b.op('Exp', [b.op('Sub', [x, top])]), list], { keepdims: 1 });
  return [b.reshape(b.op('Add', [b.op('Log', [sum]), top]), keptDims(b, axes))];
}

/** A product of many, halved again and again. */
function prod(b: Builder): readonly string[] {
  const x = b.input(0);
  const axes = axesFolded(b);
  const kept = [...x.dims.keys()].filter((axis) => !axes.includes(axis));
  let width = elementCount(axes.map((axis) => x.dims[axis]!));
  const rows = elementCount(x.dims) / width;
  let value = b.reshape(b.transpose(x.name, [...kept, ...axes]), [rows, width]);
  const part = (from: number, to: number): string => b.op('Slice', [value, b.ints([from]), b.ints([to]), b.ints([1])]);
  while (width > 1) {
    const half = Math.floor(width / 2);
    const product = b.op('Mul', [part(0, half), part(half, 2 * half)]);
    value = width % 2 === 0 ? product : b.op('Concat', [product, part(2 * half, width)], { axis: 1 });
    width -= half;
  }
  return [b.reshape(value, keptDims(b, axes))];
}

/** x over its norm along an axis. */
function lpNormalization(b: Builder): readonly string[] {
  const axis = intAttribute(b.node, 'axis', -1);
  const x = b.input(0).name;
  const norm = b.op(intAttribute(b.node, 'p', 2) === 1 ? 'ReduceL1' : 'ReduceL2', [x, b.ints([axis])], { keepdims: 1 });
  return [b.op('Div', [x, b.op('Max', [norm, b.scalar(1e-12)])])];
}

function root(b: Builder, sum: string, p: number): string {
  return p === 1 ? sum : p === 2 ? b.op('Sqrt', [sum]) : b.op('Pow', [sum, b.scalar(1 / p)]);
}

function powered(b: Builder, x: string, p: number): string {
  const size = b.op('Abs', [x]);
  return p === 1 ? size : b.op('Pow', [size, b.scalar(p)]);
}

function globalLpPool(b: Builder): readonly string[] {
  const x = b.input(0);
  const p = intAttribute(b.node, 'p', 2);
  const axes = b.ints([...x.dims.keys()].slice(2));
  return [root(b, b.op('ReduceSum', [powered(b, x.name, p), axes], { keepdims: 1 }), p)];
}

/** The mean of the powers, padding counted as zeros, times the size of the window is their sum. */
function lpPool(b: Builder): readonly string[] {
  const { node } = b;
  const p = intAttribute(node, 'p', 2);
  const kernel = intsAttribute(node, 'kernel_shape') ?? refuseNode(node, 'the shape of the window is missing');
  if (intAttribute(node, 'ceil_mode', 0) === 1) refuseNode(node, 'windows beyond the edge are not supported');
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => name !== 'p'));
  const mean = b.op('AveragePool', [powered(b, b.input(0).name, p)], { ...attributes, count_include_pad: 1 });
  return [root(b, b.op('Mul', [mean, b.scalar(elementCount(kernel))]), p)];
}

/** The normalized rows are those of LayerNormalization; its other two outputs are written out. */
function layerNormalization(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length);
  const axes = b.ints(Array.from({ length: x.dims.length - axis }, (_, i) => axis + i));
  const epsilon = intAttribute(node, 'epsilon', 1e-5);
  const inputs = node.inputs.filter((name) => name !== '');
  const normal = b.op('LayerNormalization', inputs, { axis, epsilon });
  const mean = b.op('ReduceMean', [x.name, axes], { keepdims: 1 });
  const distance = b.op('Sub', [x.name, mean]);
  const variance = b.op('ReduceMean', [b.op('Mul', [distance, distance]), axes], { keepdims: 1 });
  const deviation = b.op('Sqrt', [b.op('Add', [variance, b.scalar(epsilon)])]);
  return [normal, mean, b.op('Reciprocal', [deviation])];
}

/** Rows over the named axes brought to mean 0 and variance 1. */
function meanVariance(b: Builder): readonly string[] {
  const x = b.input(0);
  const axes = (intsAttribute(b.node, 'axes') ?? [0, 2, 3]).map((axis) => normalizeAxis(axis, x.dims.length));
  const perm = [...[...x.dims.keys()].filter((axis) => !axes.includes(axis)), ...axes];
  const first = x.dims.length - axes.length;
  const one = b.tensor(
    tensor(
      'float32',
      perm.slice(first).map(() => 1),
      [1],
    ),
  );
  const normal = b.op('LayerNormalization', [b.transpose(x.name, perm), one], { axis: first, epsilon: 1e-9 });
  return [b.transpose(normal, undone(perm))];
}

function crossAxis(b: Builder): readonly string[] | undefined {
  const x = b.input(0);
  const axis = normalizeAxis(intAttribute(b.node, 'axis', -1), x.dims.length);
  if (axis === x.dims.length - 1) return undefined;
  const perm = axisLast(x.dims.length, axis);
  return [b.transpose(b.op('LpNormalization', [b.transpose(x.name, perm)], { axis: -1, p: intAttribute(b.node, 'p', 2) }), undone(perm))];
}

const usesMore = (node: GraphNode): boolean => node.outputs.slice(1).some((name) => name !== '');

export const REDUCED: Readonly<Record<string, Expansion>> = {
  GlobalLpPool: { expand: globalLpPool },
  LayerNormalization: { expand: layerNormalization, when: usesMore },
  LpNormalization: { expand: (b) => crossAxis(b) ?? lpNormalization(b) },
  LpPool: { expand: lpPool },
  MeanVarianceNormalization: { expand: meanVariance },
  ReduceLogSumExp: { expand: logSumExp },
  ReduceProd: { expand: prod },
};
