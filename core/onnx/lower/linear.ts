import { broadcastDims } from '../evaluate/broadcast.ts';
import { transposePlan } from '../evaluate/linear.ts';
import { transposeGroups, windowOf, windowOutput } from '../evaluate/window.ts';
import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, type Tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine, expanded, mapped, weightedSum } from './elementwise.ts';
import { pointwise, UNBOUNDED } from './net.ts';
import { reducedLast } from './order.ts';
import { isConstant, type Value, type View } from './view.ts';

/** Row-major [N, C, H, W] positions listed in [N, H, W, C] order. */
export function channelsLast(n: number, c: number, h: number, w: number): Int32Array {
  const order = new Int32Array(n * c * h * w);
  let to = 0;
  for (let b = 0; b < n; b++)
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) for (let k = 0; k < c; k++) order[to++] = ((b * c + k) * h + y) * w + x;
  return order;
}

/** Where element e of a row-major [N, C, H, W] tensor lies in its channels-last base. */
export function fromChannelsLast(n: number, c: number, h: number, w: number): Int32Array {
  const index = new Int32Array(n * c * h * w);
  let e = 0;
  for (let b = 0; b < n; b++)
    for (let k = 0; k < c; k++) for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) index[e++] = ((b * h + y) * w + x) * c + k;
  return index;
}

/** Weights [O, C/g, kh, kw] as [O][kh][kw][C/g]. */
function kernelLast(weights: Tensor, kernelHeight: number, kernelWidth: number): Float64Array {
  const [o, c] = weights.dims as [number, number];
  const taps = kernelHeight * kernelWidth;
  const result = new Float64Array(weights.data.length);
  for (let i = 0; i < o; i++)
    for (let k = 0; k < c; k++) for (let t = 0; t < taps; t++) result[(i * taps + t) * c + k] = weights.data[(i * c + k) * taps + t]!;
  return result;
}

export function lowerConv(
  context: Lowering,
  node: GraphNode,
  weights = context.constant(node, 1),
  bias = context.optionalConstant(node, 2),
  position = 0,
): void {
  const x = context.view(node, position);
  const w = windowOf(node, x.dims, weights.dims.slice(2));
  const groups = intAttribute(node, 'group', 1);
  const outChannels = weights.dims[0]!;
  if (weights.dims[1] !== w.channels / groups || outChannels % groups !== 0)
    refuseNode(node, `weights ${weights.dims.join('x')} do not fit ${w.channels} channels in ${groups} groups`);
  const source = context.arrange(x, channelsLast(w.batch, w.channels, w.height, w.width));
  const { padBottom: _b, padRight: _r, rank: _k, ...window } = w;
  const made = context.add({
    kind: 'linear',
    length: w.batch * w.outHeight * w.outWidth * outChannels,
    sources: [source],
    window,
    outChannels,
    groups,
    weights: kernelLast(weights, w.kernelHeight, w.kernelWidth),
    bias: bias === undefined ? new Float64Array(outChannels) : Float64Array.from(bias.data),
    bounds: UNBOUNDED,
  });
  context.set(
    node,
    0,
    context.through(made, windowOutput(w, outChannels), fromChannelsLast(w.batch, outChannels, w.outHeight, w.outWidth)),
  );
}

/**
 * ConvTranspose as a plain convolution that computes all stride² phases of a pixel as channels; the phases are then only
 * a matter of order. Output pixel s·q + p takes input q + t where t = (p + pad − k·d)/s for the taps k that make it whole.
 */
export function lowerConvTranspose(context: Lowering, node: GraphNode): void {
  const x = context.view(node, 0);
  const weights = context.constant(node, 1);
  const bias = context.optionalConstant(node, 2);
  const plan = transposePlan(node, x.dims, weights.dims.slice(2));
  const [n, c] = x.dims as [number, number];
  const groups = transposeGroups(node, c, weights.dims);
  const [h, w] = x.dims.length === 3 ? [1, x.dims[2]!] : [x.dims[2]!, x.dims[3]!];
  const axes = [0, 1].map((axis) =>
    phases(plan.out[axis]!, plan.stride[axis]!, plan.dilation[axis]!, plan.kernel[axis]!, plan.before[axis]!),
  ) as [Phases, Phases];
  const [vertical, horizontal] = axes;
  const perGroup = c / groups;
  const outPerGroup = weights.dims[1]!;
  const phaseCount = plan.stride[0] * plan.stride[1];
  const outChannels = groups * outPerGroup * phaseCount;
  const taps = vertical.size * horizontal.size;
  const packed = new Float64Array(outChannels * taps * perGroup);
  const biases = new Float64Array(outChannels);
  for (let g = 0; g < groups; g++)
    for (let o = 0; o < outPerGroup; o++)
      for (let p = 0; p < phaseCount; p++) {
        const row = (g * outPerGroup + o) * phaseCount + p;
        biases[row] = bias?.data[g * outPerGroup + o] ?? 0;
        for (const [ky, ty] of vertical.taps[Math.floor(p / plan.stride[1])]!)
          for (const [kx, tx] of horizontal.taps[p % plan.stride[1]]!)
            for (let k = 0; k < perGroup; k++) {
              const from = (((g * perGroup + k) * outPerGroup + o) * plan.kernel[0] + ky) * plan.kernel[1] + kx;
              packed[(row * taps + ty * horizontal.size + tx) * perGroup + k] = weights.data[from]!;
            }
      }
  const source = context.arrange(x, channelsLast(n, c, h, w));
  const made = context.add({
    kind: 'linear',
    length: n * vertical.count * horizontal.count * outChannels,
    sources: [source],
    window: {
      ...pointwise(1, c),
      batch: n,
      height: h,
      width: w,
      outHeight: vertical.count,
      outWidth: horizontal.count,
      kernelHeight: vertical.size,
      kernelWidth: horizontal.size,
      padTop: vertical.pad,
      padLeft: horizontal.pad,
    },
    outChannels,
    groups,
    weights: packed,
    bias: biases,
    bounds: UNBOUNDED,
  });
  const channels = groups * outPerGroup;
  const [outHeight, outWidth] = plan.out;
  const index = new Int32Array(n * channels * outHeight * outWidth);
  let e = 0;
  for (let b = 0; b < n; b++)
    for (let o = 0; o < channels; o++)
      for (let y = 0; y < outHeight; y++)
        for (let z = 0; z < outWidth; z++) {
          const phase = (y % plan.stride[0]) * plan.stride[1] + (z % plan.stride[1]);
          const pixel = (b * vertical.count + Math.floor(y / plan.stride[0])) * horizontal.count + Math.floor(z / plan.stride[1]);
          index[e++] = (pixel * channels + o) * phaseCount + phase;
        }
  context.set(node, 0, context.through(made, [n, channels, ...(x.dims.length === 3 ? [outWidth] : [outHeight, outWidth])], index));
}

interface Phases {
  /** Output positions a phase. */
  readonly count: number;
  /** Taps of the equivalent convolution and its leading padding. */
  readonly size: number;
  readonly pad: number;
  /** For every phase: [kernel position, tap]. */
  readonly taps: readonly (readonly (readonly [number, number])[])[];
}

function phases(out: number, stride: number, dilation: number, kernel: number, before: number): Phases {
  const offsets = Array.from({ length: stride }, (_, p) => {
    const list: [number, number][] = [];
    for (let k = 0; k < kernel; k++) if ((p + before - k * dilation) % stride === 0) list.push([k, (p + before - k * dilation) / stride]);
    return list;
  });
  const all = offsets.flat().map(([, t]) => t);
  const lowest = Math.min(0, ...all);
  const highest = Math.max(0, ...all);
  return {
    count: Math.ceil(out / stride),
    size: highest - lowest + 1,
    pad: -lowest,
    taps: offsets.map((list) => list.map(([k, t]) => [k, t - lowest] as const)),
  };
}

/** If every row of K consecutive elements reads `start(row) + pattern(k)` of one tensor: the pattern and the row starts. */
function commonRow(index: Int32Array, rows: number, width: number): { pattern: Int32Array; order: Int32Array } | undefined {
  const first = index.subarray(0, width);
  const sorted = [...first].sort((a, b) => a - b);
  const low = sorted[0]!;
  if (low % width !== 0 || sorted.some((v, i) => v !== low + i)) return undefined;
  const pattern = first.map((v) => v - low);
  const order = new Int32Array(rows);
  for (let r = 0; r < rows; r++) {
    const start = index[r * width]! - pattern[0]!;
    if (start % width !== 0) return undefined;
    for (let k = 0; k < width; k++) if (index[r * width + k] !== start + pattern[k]!) return undefined;
    order[r] = start / width;
  }
  return { pattern, order };
}

/** Dense layer over rows: `weights` is [columns][inner] in the view's order. */
export function dense(
  context: Lowering,
  x: View,
  rows: number,
  inner: number,
  columns: number,
  weights: Float64Array,
  bias: Float64Array,
  dims: readonly number[],
): Value {
  const single = x.sources.length === 1 ? x.sources[0]! : undefined;
  const reads = context.indexOf(x);
  if (single !== undefined) {
    const length = context.length(single);
    // One row over a whole tensor, in whatever order: the order goes into the weights.
    if (rows === 1 && length <= 2 * inner && reads.every((address) => address < length)) {
      const moved = new Float64Array(columns * length);
      for (let o = 0; o < columns; o++) for (let k = 0; k < inner; k++) moved[o * length + reads[k]!]! += weights[o * inner + k]!;
      return context.whole(addDense(context, single, 1, length, columns, moved, bias), dims);
    }
    const common = length === rows * inner ? commonRow(reads, rows, inner) : undefined;
    if (common !== undefined) {
      const moved = new Float64Array(columns * inner);
      for (let o = 0; o < columns; o++) for (let k = 0; k < inner; k++) moved[o * inner + common.pattern[k]!] = weights[o * inner + k]!;
      const made = addDense(context, single, rows, inner, columns, moved, bias);
      const index = new Int32Array(rows * columns);
      for (let r = 0; r < rows; r++) for (let o = 0; o < columns; o++) index[r * columns + o] = common.order[r]! * columns + o;
      return context.through(made, dims, index);
    }
  }
  return context.whole(addDense(context, context.materialize(x), rows, inner, columns, weights, bias), dims);
}

function addDense(
  context: Lowering,
  source: number,
  rows: number,
  inner: number,
  columns: number,
  weights: Float64Array,
  bias: Float64Array,
): number {
  return context.add({
    kind: 'linear',
    length: rows * columns,
    sources: [source],
    window: pointwise(rows, inner),
    outChannels: columns,
    groups: 1,
    weights,
    bias,
    bounds: UNBOUNDED,
  });
}

/** Last two axes exchanged, as a view. */
export function swappedView(context: Lowering, view: View): View {
  const [m, n] = view.dims.slice(-2) as [number, number];
  const own = context.indexOf(view);
  const index = new Int32Array(own.length);
  const size = m * n;
  for (let e = 0; e < index.length; e++) {
    const at = e % size;
    index[e] = own[e - at + (at % m) * n + Math.floor(at / m)]!;
  }
  return { ...view, dims: [...view.dims.slice(0, -2), n, m], index };
}

/** x [.., M, K] times a constant [K, N]: rows of a dense layer. */
function timesConstant(context: Lowering, node: GraphNode, x: View, w: Tensor): Value {
  const matrix = w.dims.length === 1 ? [w.dims[0]!, 1] : w.dims;
  const [k, n] = matrix.slice(-2) as [number, number];
  if (elementCount(matrix.slice(0, -2)) !== 1) return product(context, node, x, context.asView({ constant: w }));
  const inner = x.dims[x.dims.length - 1]!;
  if (inner !== k) refuseNode(node, `shapes ${x.dims.join('x')} and ${w.dims.join('x')} cannot be multiplied`);
  const weights = new Float64Array(n * k);
  for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) weights[j * k + i] = w.data[i * n + j]!;
  const dims = [...x.dims.slice(0, -1), ...(w.dims.length === 1 ? [] : [n])];
  return dense(context, x, elementCount(x.dims) / k, k, n, weights, new Float64Array(n), dims);
}

/** Product of two varying tensors, batched. */
function product(context: Lowering, node: GraphNode, a: View, b: View): Value {
  const left: View = a.dims.length === 1 ? { ...a, dims: [1, a.dims[0]!] } : a;
  const right: View = b.dims.length === 1 ? { ...b, dims: [b.dims[0]!, 1] } : b;
  const [rows, inner] = left.dims.slice(-2) as [number, number];
  const [innerB, columns] = right.dims.slice(-2) as [number, number];
  const batch = broadcastDims(left.dims.slice(0, -2), right.dims.slice(0, -2));
  if (inner !== innerB || batch === undefined) refuseNode(node, `shapes ${a.dims.join('x')} and ${b.dims.join('x')} cannot be multiplied`);
  const count = elementCount(batch);
  const shareB = elementCount(right.dims.slice(0, -2)) === 1 && count > 1;
  const wideA = expanded(context, left, [...batch, rows, inner]);
  const wideB = shareB ? right : expanded(context, right, [...batch, inner, columns]);
  const sources = [context.materialize(wideA), context.materialize(swappedView(context, wideB))];
  const made = context.add({
    kind: 'matmul',
    length: count * rows * columns,
    sources,
    batch: count,
    rows,
    inner,
    columns,
    shareB,
    scale: 1,
    bounds: UNBOUNDED,
  });
  return context.whole(made, [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])]);
}

export function multiplyMatrices(context: Lowering, node: GraphNode, a: Value, b: Value): Value {
  if (isConstant(b)) return timesConstant(context, node, context.asView(a), b.constant);
  if (!isConstant(a)) return product(context, node, a.view, b.view);
  if (a.constant.dims.length > 2 && elementCount(a.constant.dims.slice(0, -2)) !== 1)
    return product(context, node, context.asView(a), b.view);
  // W·x = (xᵀ·Wᵀ)ᵀ keeps the constant on the right.
  const x = b.view.dims.length === 1 ? { ...b.view, dims: [b.view.dims[0]!, 1] } : b.view;
  const m = a.constant.dims.length === 1 ? 1 : a.constant.dims[a.constant.dims.length - 2]!;
  const k = a.constant.dims[a.constant.dims.length - 1]!;
  const flipped = swappedView(context, x);
  const result = dense(context, flipped, elementCount(flipped.dims) / k, k, m, Float64Array.from(a.constant.data), new Float64Array(m), [
    ...flipped.dims.slice(0, -1),
    m,
  ]);
  const back = swappedView(context, context.asView(result));
  const dims = [
    ...back.dims.slice(0, -2),
    ...(a.constant.dims.length === 1 ? [] : [m]),
    ...(b.view.dims.length === 1 ? [] : [x.dims[x.dims.length - 1]!]),
  ];
  return { view: { ...back, dims } };
}

export function lowerGemm(context: Lowering, node: GraphNode): void {
  const alpha = intAttribute(node, 'alpha', 1);
  const beta = intAttribute(node, 'beta', 1);
  const turned = (value: Value, flag: string): Value => {
    if (intAttribute(node, flag, 0) !== 1) return value;
    if (!isConstant(value)) return { view: swappedView(context, value.view) };
    const [rows, columns] = value.constant.dims as [number, number];
    const data = Float64Array.from(value.constant.data, (_, e) => value.constant.data[(e % rows) * columns + Math.floor(e / rows)]!);
    return { constant: { type: 'float64', dims: [columns, rows], data } };
  };
  const a = turned(context.input(node, 0), 'transA');
  let b = turned(context.input(node, 1), 'transB');
  if (alpha !== 1 && isConstant(b)) b = { constant: mapped(b.constant, (v) => v * alpha) };
  let result = multiplyMatrices(context, node, a, b);
  if (alpha !== 1 && !isConstant(b)) result = affine(context, context.asView(result), alpha, 0);
  const c = context.optional(node, 2);
  if (c !== undefined) {
    const view = context.asView(result);
    result = isConstant(c)
      ? affine(context, view, 1, beta === 1 ? c.constant : mapped(c.constant, (v) => v * beta))
      : weightedSum(context, node, view, c.view, 1, beta);
  }
  context.set(node, 0, result);
}

export function lowerMatMul(context: Lowering, node: GraphNode): void {
  context.set(node, 0, multiplyMatrices(context, node, context.input(node, 0), context.input(node, 1)));
}

/** Running sums along one axis: a triangular dense layer over that axis. */
export function lowerCumSum(context: Lowering, node: GraphNode): void {
  const x = context.view(node, 0);
  const axis = normalizeAxis(context.constant(node, 1).data[0]!, x.dims.length);
  const exclusive = intAttribute(node, 'exclusive', 0) === 1;
  const backwards = intAttribute(node, 'reverse', 0) === 1;
  const { order, width } = reducedLast(x.dims, [axis]);
  const weights = new Float64Array(width * width);
  for (let to = 0; to < width; to++)
    for (let from = 0; from < width; from++) {
      const reach = backwards ? from - to : to - from;
      if (exclusive ? reach > 0 : reach >= 0) weights[to * width + from] = 1;
    }
  const own = context.indexOf(x);
  const moved: View = { ...x, dims: [order.length], index: order.map((e) => own[e]!) };
  const summed = context.asView(
    dense(context, moved, order.length / width, width, width, weights, new Float64Array(width), [order.length]),
  );
  const back = context.indexOf(summed);
  const index = new Int32Array(order.length);
  order.forEach((element, at) => {
    index[element] = back[at]!;
  });
  context.set(node, 0, { view: { ...summed, dims: x.dims, index } });
}
