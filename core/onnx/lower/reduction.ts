import { softmaxView } from '../evaluate/normalization.ts';
import { reducedAxes, reducedDims } from '../evaluate/reduction.ts';
import { windowOf, windowOutput } from '../evaluate/window.ts';
import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine, unary } from './elementwise.ts';
import { channelsLast, fromChannelsLast } from './linear.ts';
import { folding, UNBOUNDED } from './net.ts';
import { reducedLast } from './order.ts';
import type { Value, View } from './view.ts';

/**
 * A tensor arranged as [outer, width, inner] where the reduced values lie `inner` apart, so that one window folds them;
 * `inner` is 1 unless the base already lies otherwise.
 */
export function arrangedForFold(
  context: Lowering,
  view: View,
  order: Int32Array,
  width: number,
): { source: number; outer: number; inner: number } {
  const own = view.index;
  const single = view.sources.length === 1 ? view.sources[0]! : undefined;
  if (single !== undefined && order.length === context.length(single)) {
    const at = (e: number): number => (own === undefined ? order[e]! : own[order[e]!]!);
    const inner = width > 1 ? at(1) - at(0) : 1;
    if (inner >= 1 && order.length % (inner * width) === 0) {
      let fits = true;
      for (let e = 0; e < order.length && fits; e++) {
        const row = Math.floor(e / width);
        fits = at(e) === Math.floor(row / inner) * width * inner + (e % width) * inner + (row % inner);
      }
      if (fits) return { source: single, outer: order.length / (inner * width), inner };
    }
  }
  return { source: context.arrange(view, order), outer: order.length / width, inner: 1 };
}

function folded(context: Lowering, node: GraphNode, kind: 'sum' | 'max' | 'min', scaleOf: (width: number) => number): Value {
  const view = context.view(node, 0);
  const shape = tensor('float32', view.dims, new Float32Array(elementCount(view.dims)));
  const axes = reducedAxes(node, [shape, context.optionalConstant(node, 1)]);
  const { order, width } = reducedLast(view.dims, axes);
  const dims = reducedDims(view.dims, axes, intAttribute(node, 'keepdims', 1) === 1);
  return foldRows(context, view, order, width, dims, kind, scaleOf(width));
}

function foldRows(
  context: Lowering,
  view: View,
  order: Int32Array,
  width: number,
  dims: readonly number[],
  kind: 'sum' | 'max' | 'min',
  scale: number,
): Value {
  const { source, outer, inner } = arrangedForFold(context, view, order, width);
  const window = folding(outer, width, inner);
  const length = outer * inner;
  const made =
    kind === 'sum'
      ? context.add({ kind, length, sources: [source], window, scale, bounds: UNBOUNDED })
      : context.add({ kind: 'max', length, sources: [source], window, minimum: kind === 'min' });
  return context.whole(made, dims);
}

type Lower = (context: Lowering, node: GraphNode) => void;

function reduction(
  kind: 'sum' | 'max' | 'min',
  scaleOf: (width: number) => number = () => 1,
  before?: readonly [string, (x: number) => number],
  after?: readonly [string, (x: number) => number],
): Lower {
  return (context, node) => {
    if (before !== undefined) {
      const squared = unary(context, context.view(node, 0), before[0], before[1]);
      context.values.set(`${node.inputs[0]}/${before[0]}`, squared);
    }
    const renamed = before === undefined ? node : { ...node, inputs: [`${node.inputs[0]}/${before[0]}`, ...node.inputs.slice(1)] };
    const result = folded(context, renamed, kind, scaleOf);
    context.set(node, 0, after === undefined ? result : unary(context, context.asView(result), after[0], after[1]));
  };
}

function arg(minimum: boolean): Lower {
  return (context, node) => {
    const view = context.view(node, 0);
    const axis = normalizeAxis(intAttribute(node, 'axis', 0), view.dims.length);
    const { order, width } = reducedLast(view.dims, [axis]);
    const last = intAttribute(node, 'select_last_index', 0) === 1;
    const sequence = last ? order.map((_, e) => order[e - (e % width) + (width - 1 - (e % width))]!) : order;
    const { source, outer, inner } = arrangedForFold(context, view, sequence, width);
    const made = context.add({ kind: 'arg', length: outer * inner, sources: [source], outer, axis: width, inner, minimum });
    const dims = reducedDims(view.dims, [axis], intAttribute(node, 'keepdims', 1) === 1);
    const result = context.whole(made, dims);
    context.set(node, 0, last ? affine(context, context.asView(result), -1, width - 1) : result);
  };
}

/** Softmax over rows: the values of a row adjacent, one row after the other. */
export function softmaxRows(context: Lowering, view: View, axis: number, logarithm: boolean, dims: readonly number[]): Value {
  const { order, width } = reducedLast(view.dims, [axis]);
  const source = context.arrange(view, order);
  const made = context.add({ kind: 'softmax', length: order.length, sources: [source], width, logarithm });
  const index = new Int32Array(order.length);
  order.forEach((element, at) => {
    index[element] = at;
  });
  return context.through(made, dims, index);
}

function softmax(logarithm: boolean): Lower {
  return (context, node) => {
    const x = context.view(node, 0);
    const { view, axis } = softmaxView(node, tensor('float32', x.dims, new Float32Array(elementCount(x.dims))));
    context.set(node, 0, softmaxRows(context, { ...x, dims: view.dims }, axis, logarithm, x.dims));
  };
}

/** Max and average pools; a window that reaches into padding divides by the taps inside unless the padding counts. */
function pool(kind: 'max' | 'sum'): Lower {
  return (context, node) => {
    const x = context.view(node, 0);
    if (node.outputs.length > 1 && node.outputs[1] !== '') refuseNode(node, 'the indices output is not supported');
    const w = windowOf(node, x.dims, undefined);
    const { padBottom, padRight, rank: _rank, ...window } = w;
    const source = context.arrange(x, channelsLast(w.batch, w.channels, w.height, w.width));
    const length = w.batch * w.outHeight * w.outWidth * w.channels;
    const dims = windowOutput(w, w.channels);
    const index = fromChannelsLast(w.batch, w.channels, w.outHeight, w.outWidth);
    if (kind === 'max') {
      context.set(node, 0, context.through(context.add({ kind, length, sources: [source], window, minimum: false }), dims, index));
      return;
    }
    const countPadding = intAttribute(node, 'count_include_pad', 0) === 1;
    const counts: number[] = [];
    for (let oy = 0; oy < w.outHeight; oy++)
      for (let ox = 0; ox < w.outWidth; ox++)
        counts.push(
          tapCount(oy, w.strideHeight, w.padTop, w.dilationHeight, w.kernelHeight, w.height, countPadding ? padBottom : -1) *
            tapCount(ox, w.strideWidth, w.padLeft, w.dilationWidth, w.kernelWidth, w.width, countPadding ? padRight : -1),
        );
    const most = Math.max(...counts);
    const made = context.add({ kind, length, sources: [source], window, scale: 1 / most, bounds: UNBOUNDED });
    const pooled = context.through(made, dims, index);
    if (counts.every((count) => count === most)) context.set(node, 0, pooled);
    else {
      const spatial = dims.slice(2);
      context.set(
        node,
        0,
        affine(
          context,
          context.asView(pooled),
          tensor(
            'float64',
            [1, 1, ...spatial],
            counts.map((count) => most / Math.max(1, count)),
          ),
          0,
        ),
      );
    }
  };
}

/** Taps of one axis inside the image, or inside the padded image when `after` ≥ 0. */
function tapCount(out: number, stride: number, before: number, dilation: number, kernel: number, size: number, after: number): number {
  let count = 0;
  for (let k = 0; k < kernel; k++) {
    const at = out * stride - before + k * dilation;
    if (after >= 0 ? at < size + after : at >= 0 && at < size) count++;
  }
  return count;
}

function globalPool(kind: 'max' | 'sum'): Lower {
  return (context, node) => {
    const view = context.view(node, 0);
    const axes = [...view.dims.keys()].slice(2);
    const { order, width } = reducedLast(view.dims, axes);
    const dims = reducedDims(view.dims, axes, true);
    context.set(node, 0, foldRows(context, view, order, width, dims, kind, 1 / width));
  };
}

export const REDUCTIONS: Readonly<Record<string, Lower>> = {
  ReduceSum: reduction('sum'),
  ReduceMean: reduction('sum', (width) => 1 / width),
  ReduceMax: reduction('max'),
  ReduceMin: reduction('min'),
  ReduceL1: reduction('sum', () => 1, ['Abs', Math.abs]),
  ReduceSumSquare: reduction('sum', () => 1, ['Square', (x) => x * x]),
  ReduceL2: reduction('sum', () => 1, ['Square', (x) => x * x], ['Sqrt', (x) => Math.sqrt(Math.max(0, x))]),
  ReduceLogSum: reduction('sum', () => 1, undefined, ['Log', Math.log]),
  ArgMax: arg(false),
  ArgMin: arg(true),
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  MaxPool: pool('max'),
  AveragePool: pool('sum'),
  GlobalAveragePool: globalPool('sum'),
  GlobalMaxPool: globalPool('max'),
};
