import { broadcastDims, broadcastIndex } from '../evaluate/broadcast.ts';
import type { GraphNode } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { type Bounds, UNBOUNDED } from './net.ts';
import { channelPattern, channelRows, identity, inverse, isIdentity, isPermutation, repeatPattern, type Value, type View } from './view.ts';

/** A view whose elements are, in some order, exactly those of one network tensor. */
export interface Framed {
  readonly base: number;
  /** Element of the base at every position of the view; undefined: the same order. */
  readonly index: Int32Array | undefined;
  readonly dims: readonly number[];
}

/** The view's own base where it is a permutation of it, otherwise a new tensor in the view's order. */
export function frame(context: Lowering, view: View): Framed {
  if (view.sources.length === 1) {
    const base = view.sources[0]!;
    if (view.index === undefined) return { base, index: undefined, dims: view.dims };
    if (isPermutation(view.index, context.length(base))) return { base, index: view.index, dims: view.dims };
  }
  return { base: context.materialize(view), index: undefined, dims: view.dims };
}

export function framed(context: Lowering, made: number, like: Framed): Value {
  return context.through(made, like.dims, like.index);
}

/** Values of a broadcast constant, per element of the frame's base. */
function constantInFrame(frame: Framed, constant: Tensor): Float64Array {
  const count = elementCount(frame.dims);
  const from = constant.data.length === 1 ? undefined : broadcastIndex(constant.dims, frame.dims);
  const values = new Float64Array(count);
  for (let e = 0; e < count; e++) {
    values[frame.index === undefined ? e : frame.index[e]!] =
      constant.data[constant.data.length === 1 ? 0 : from === undefined ? e : from[e]!]!;
  }
  return values;
}

/** A view widened to `dims` by broadcasting. */
export function expanded(context: Lowering, view: View, dims: readonly number[]): View {
  const from = broadcastIndex(view.dims, dims);
  if (from === undefined) return { ...view, dims };
  const own = context.indexOf(view);
  return { ...view, dims, index: from.map((e) => own[e]!) };
}

/** `a·x + bias` with constants that broadcast over x. */
export function affine(context: Lowering, view: View, a: Tensor | number, bias: Tensor | number, bounds: Bounds = UNBOUNDED): Value {
  const dims = [a, bias].reduce<readonly number[]>(
    (current, part) => (typeof part === 'number' ? current : (broadcastDims(current, part.dims) ?? current)),
    view.dims,
  );
  const wide = elementCount(dims) === elementCount(view.dims) ? { ...view, dims } : expanded(context, view, dims);
  const f = frame(context, wide);
  const spread = (part: Tensor | number): Float64Array =>
    typeof part === 'number' ? new Float64Array(elementCount(dims)).fill(part) : constantInFrame(f, part);
  const [scales, biases] = [spread(a), spread(bias)];
  const pattern = channelPattern([scales, biases]);
  const made = context.add({
    kind: 'rescale',
    length: scales.length,
    sources: [f.base],
    channelInner: pattern.inner,
    a: channelRows(scales, pattern),
    b: new Float64Array(pattern.channels),
    bias: channelRows(biases, pattern),
    innerB: 1,
    bounds,
  });
  return framed(context, made, f);
}

/** Applies one scalar function to every element. */
export function unary(context: Lowering, view: View, name: string, f: (x: number) => number): Value {
  const at = frame(context, view);
  const made = context.add({ kind: 'unary', length: elementCount(at.dims), sources: [at.base], name, functions: [f], channelInner: 1 });
  return framed(context, made, at);
}

/** A scalar function that depends on a broadcast constant (PRelu, Pow by a vector). */
export function unaryWith(
  context: Lowering,
  node: GraphNode,
  view: View,
  constant: Tensor,
  f: (x: number, c: number) => number,
  name = node.operator,
): Value {
  const dims = broadcastDims(view.dims, constant.dims);
  if (dims === undefined) refuseNode(node, 'shapes do not broadcast');
  const at = frame(context, expanded(context, view, dims));
  const values = constantInFrame(at, constant);
  const pattern = channelPattern([values]);
  const rows = channelRows(values, pattern);
  if (rows.length > 1024) refuseNode(node, `${rows.length} different functions, more than 1024`);
  const functions = Array.from(rows, (c) => (x: number) => f(x, c));
  const made = context.add({
    kind: 'unary',
    length: values.length,
    sources: [at.base],
    name,
    functions,
    channelInner: pattern.inner,
  });
  return framed(context, made, at);
}

export interface Pair {
  readonly first: number;
  readonly second: number;
  /** Each element of the second serves this many consecutive ones of the first, then it starts over. */
  readonly innerB: number;
  readonly frame: Framed;
  /** The operands changed places. */
  readonly exchanged: boolean;
}

function fullFrame(context: Lowering, view: View, count: number): Framed | undefined {
  if (elementCount(view.dims) !== count || view.sources.length !== 1) return undefined;
  const base = view.sources[0]!;
  if (view.index !== undefined && !isPermutation(view.index, context.length(base))) return undefined;
  return { base, index: view.index, dims: view.dims };
}

/** Brings two broadcast views into one order of elements; a small second operand is left unexpanded where it repeats regularly. */
export function pair(context: Lowering, node: GraphNode, a: View, b: View): Pair {
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined) refuseNode(node, `shapes ${a.dims.join('x')} and ${b.dims.join('x')} do not broadcast`);
  const count = elementCount(dims);
  const frameA = fullFrame(context, a, count);
  const frameB = fullFrame(context, b, count);
  const exchanged = frameA === undefined && frameB !== undefined;
  const lead = exchanged ? b : a;
  const other = exchanged ? a : b;
  const base = (exchanged ? frameB : frameA) ?? frame(context, expanded(context, lead, dims));
  const at = { ...base, dims };
  // Position of the view's element for every element of the base.
  const order = at.index === undefined ? undefined : inverse(at.index);
  const spread = broadcastIndex(other.dims, dims);
  const wanted = order === undefined ? (spread ?? identity(count)) : spread === undefined ? order : order.map((e) => spread[e]!);
  const own = other.index;
  const direct = own === undefined ? wanted : wanted.map((e) => own[e]!);
  if (other.sources.length === 1) {
    const innerB = repeatPattern(direct, context.length(other.sources[0]!));
    if (innerB !== undefined) return { first: at.base, second: other.sources[0]!, innerB, frame: at, exchanged };
  }
  const small = elementCount(other.dims);
  const inner = small < count ? repeatPattern(wanted, small) : undefined;
  if (inner !== undefined) return { first: at.base, second: context.materialize(other), innerB: inner, frame: at, exchanged };
  const second = isIdentity(wanted, small) ? context.materialize(other) : context.arrange(other, wanted);
  return { first: at.base, second, innerB: 1, frame: at, exchanged };
}

/** `a·A + b·B` of two varying tensors. */
export function weightedSum(context: Lowering, node: GraphNode, left: View, right: View, a: number, b: number): Value {
  const p = pair(context, node, left, right);
  const [first, second] = p.exchanged ? [b, a] : [a, b];
  const made = context.add({
    kind: 'rescale',
    length: context.length(p.first),
    sources: [p.first, p.second],
    channelInner: 1,
    a: Float64Array.of(first),
    b: Float64Array.of(second),
    bias: Float64Array.of(0),
    innerB: p.innerB,
    bounds: UNBOUNDED,
  });
  return framed(context, made, p.frame);
}

export function multiplied(context: Lowering, node: GraphNode, left: View, right: View): Value {
  const p = pair(context, node, left, right);
  const made = context.add({
    kind: 'multiply',
    length: context.length(p.first),
    sources: [p.first, p.second],
    innerB: p.innerB,
    scale: 1,
    bounds: UNBOUNDED,
  });
  return framed(context, made, p.frame);
}

/** Negates or inverts a constant tensor element by element. */
export function mapped(constant: Tensor, f: (x: number) => number): Tensor {
  return { ...constant, type: 'float64', data: Float64Array.from(constant.data, f) };
}
