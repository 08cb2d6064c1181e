import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, normalizeAxis, type Tensor } from '../tensor.ts';
import { transposed } from './movement.ts';
import { axesOf, type Evaluate, input, type OperatorTable } from './operator.ts';
import { type Window, windowOf, windowOutput } from './window.ts';

/** Calls `f(row, from)` semantics for reductions: `x` with the reduced axes moved last, as [rows, width]. */
export function reduceLast(x: Tensor, axes: readonly number[]): { moved: Tensor; rows: number; width: number } {
  const kept = [...x.dims.keys()].filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const moved = order.every((axis, at) => axis === at) ? x : transposed(x, order);
  const width = axes.reduce((product, axis) => product * x.dims[axis]!, 1);
  return { moved, rows: x.data.length / width, width };
}

/** Axes of a Reduce* node; empty when it asks for none (noop_with_empty_axes). */
export function reducedAxes(node: GraphNode, inputs: readonly (Tensor | undefined)[]): number[] {
  const x = input(node, inputs, 0);
  const given = axesOf(node, inputs);
  if (given === undefined || given.length === 0) return intAttribute(node, 'noop_with_empty_axes', 0) === 1 ? [] : [...x.dims.keys()];
  return given.map((axis) => normalizeAxis(axis, x.dims.length)).sort((a, b) => a - b);
}

export function reducedDims(dims: readonly number[], axes: readonly number[], keep: boolean): number[] {
  return keep ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : dims.filter((_, axis) => !axes.includes(axis));
}

type Row = (data: ArrayLike<number>, from: number, width: number) => number;

function fold(
  start: number,
  f: (total: number, value: number) => number,
  end: (total: number, width: number) => number = (total) => total,
): Row {
  return (data, from, width) => {
    let total = start;
    for (let i = 0; i < width; i++) total = f(total, data[from + i]!);
    return end(total, width);
  };
}

const sum = (total: number, v: number) => total + v;

function reduction(row: Row): Evaluate {
  return (node, inputs) => {
    const x = input(node, inputs, 0);
    const axes = reducedAxes(node, inputs);
    const { moved, rows, width } = reduceLast(x, axes);
    const data = allocate(x.type, rows);
    for (let r = 0; r < rows; r++) data[r] = row(moved.data, r * width, width);
    return [{ type: x.type, dims: reducedDims(x.dims, axes, intAttribute(node, 'keepdims', 1) === 1), data }];
  };
}

function arg(better: (candidate: number, best: number) => boolean): Evaluate {
  return (node, inputs) => {
    const x = input(node, inputs, 0);
    const axis = normalizeAxis(intAttribute(node, 'axis', 0), x.dims.length);
    const last = intAttribute(node, 'select_last_index', 0) === 1;
    const { moved, rows, width } = reduceLast(x, [axis]);
    const data = allocate('int64', rows);
    for (let r = 0; r < rows; r++) {
      let best = 0;
      for (let i = 1; i < width; i++) {
        const candidate = moved.data[r * width + i]!;
        const current = moved.data[r * width + best]!;
        if (better(candidate, current) || (last && candidate === current)) best = i;
      }
      data[r] = best;
    }
    return [{ type: 'int64', dims: reducedDims(x.dims, [axis], intAttribute(node, 'keepdims', 1) === 1), data }];
  };
}

/** Folds every window of every channel; `visit` sees the value, `finish` the number of taps inside the padded image and inside the image. */
function pool(
  x: Tensor,
  w: Window,
  start: number,
  visit: (total: number, v: number) => number,
  finish: (total: number, padded: number, inside: number) => number,
): Tensor {
  const data = allocate(x.type, w.batch * w.channels * w.outHeight * w.outWidth);
  let to = 0;
  for (let plane = 0; plane < w.batch * w.channels; plane++)
    for (let oy = 0; oy < w.outHeight; oy++)
      for (let ox = 0; ox < w.outWidth; ox++) {
        let total = start;
        let padded = 0;
        let inside = 0;
        for (let ky = 0; ky < w.kernelHeight; ky++) {
          const y = oy * w.strideHeight - w.padTop + ky * w.dilationHeight;
          for (let kx = 0; kx < w.kernelWidth; kx++) {
            const column = ox * w.strideWidth - w.padLeft + kx * w.dilationWidth;
            if (y < w.height + w.padBottom && column < w.width + w.padRight) padded++;
            if (y < 0 || y >= w.height || column < 0 || column >= w.width) continue;
            inside++;
            total = visit(total, x.data[(plane * w.height + y) * w.width + column]!);
          }
        }
        data[to++] = finish(total, padded, inside);
      }
  return { type: x.type, dims: windowOutput(w, w.channels), data };
}

const maxPool: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  if (node.outputs.length > 1 && node.outputs[1] !== '') refuseNode(node, 'the indices output is not supported');
  return [pool(x, windowOf(node, x.dims, undefined), Number.NEGATIVE_INFINITY, Math.max, (total) => total)];
};

const averagePool: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const countPadding = intAttribute(node, 'count_include_pad', 0) === 1;
  return [
    pool(x, windowOf(node, x.dims, undefined), 0, sum, (total, padded, inside) => total / Math.max(1, countPadding ? padded : inside)),
  ];
};

function globalPool(row: Row): Evaluate {
  return (node, inputs) => {
    const x = input(node, inputs, 0);
    const width = elementCount(x.dims.slice(2));
    const data = allocate(x.type, x.data.length / width);
    for (let r = 0; r < data.length; r++) data[r] = row(x.data, r * width, width);
    return [{ type: x.type, dims: x.dims.map((dim, axis) => (axis < 2 ? dim : 1)), data }];
  };
}

const cumulativeSum: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const axis = normalizeAxis(input(node, inputs, 1).data[0]!, x.dims.length);
  const exclusive = intAttribute(node, 'exclusive', 0) === 1;
  const backwards = intAttribute(node, 'reverse', 0) === 1;
  const inner = elementCount(x.dims.slice(axis + 1));
  const size = x.dims[axis]!;
  const data = allocate(x.type, x.data.length);
  for (let row = 0; row < x.data.length / (size * inner); row++)
    for (let i = 0; i < inner; i++) {
      let total = 0;
      for (let s = 0; s < size; s++) {
        const at = (row * size + (backwards ? size - 1 - s : s)) * inner + i;
        data[at] = exclusive ? total : total + x.data[at]!;
        total += x.data[at]!;
      }
    }
  return [{ type: x.type, dims: x.dims, data }];
};

const mean = fold(0, sum, (total, width) => total / width);
const maximum = fold(Number.NEGATIVE_INFINITY, Math.max);

export const REDUCTION: OperatorTable = {
  ReduceSum: reduction(fold(0, sum)),
  ReduceMean: reduction(mean),
  ReduceMax: reduction(maximum),
  ReduceMin: reduction(fold(Number.POSITIVE_INFINITY, Math.min)),
  ReduceProd: reduction(fold(1, (total, v) => total * v)),
  ReduceL1: reduction(fold(0, (total, v) => total + Math.abs(v))),
  ReduceL2: reduction(fold(0, (total, v) => total + v * v, Math.sqrt)),
  ReduceSumSquare: reduction(fold(0, (total, v) => total + v * v)),
  ReduceLogSum: reduction(fold(0, sum, Math.log)),
  ReduceLogSumExp: reduction((data, from, width) => {
    const top = maximum(data, from, width);
    let total = 0;
    for (let i = 0; i < width; i++) total += Math.exp(data[from + i]! - top);
    return top + Math.log(total);
  }),
  ArgMax: arg((candidate, best) => candidate > best),
  ArgMin: arg((candidate, best) => candidate < best),
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool(mean),
  GlobalMaxPool: globalPool(maximum),
  CumSum: cumulativeSum,
};
