import { type GraphNode, intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { isBounded } from '../tensor.ts';

/** Sliding-window geometry over [batch, channels, height, width]; one-dimensional operators have height 1. */
export interface Window {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly padBottom: number;
  readonly padRight: number;
  /** Spatial rank in the file: 1 or 2. */
  readonly rank: 1 | 2;
}

/** Taps of all places of a window, so that no node takes minutes. */
const MOST_TAPS = 2 ** 31;

function two(values: readonly number[] | undefined, rank: number, fallback: number): [number, number] {
  const given = values ?? [];
  return rank === 1 ? [fallback, given[0] ?? fallback] : [given[0] ?? fallback, given[1] ?? fallback];
}

/** Padding of one axis for `auto_pad`; SAME keeps ceil(size / stride) outputs. */
function samePadding(size: number, kernel: number, stride: number, dilation: number, upper: boolean): [number, number] {
  const out = Math.ceil(size / stride);
  const total = Math.max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size);
  const small = Math.floor(total / 2);
  return upper ? [small, total - small] : [total - small, small];
}

function outputSize(size: number, kernel: number, stride: number, dilation: number, before: number, after: number, ceil: boolean): number {
  const room = size + before + after - ((kernel - 1) * dilation + 1);
  if (room < 0) return 0;
  const out = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  // A last window that starts in the padding behind the image is dropped, as in onnxruntime.
  return ceil && (out - 1) * stride >= size + before ? out - 1 : out;
}

/** Geometry of a Conv or pool node for an input of shape `dims` ([N, C, W] or [N, C, H, W]). */
export function windowOf(node: GraphNode, dims: readonly number[], kernelShape: readonly number[] | undefined): Window {
  const rank = dims.length - 2;
  if (rank !== 1 && rank !== 2)
    refuseNode(node, `${rank} spatial dimensions are not supported`, { rank }, 'use 1-D or 2-D convolutions and pools');
  const spatial: [number, number] = rank === 1 ? [1, dims[2]!] : [dims[2]!, dims[3]!];
  const kernel = two(kernelShape ?? intsAttribute(node, 'kernel_shape'), rank, 1);
  const stride = two(intsAttribute(node, 'strides'), rank, 1);
  const dilation = two(intsAttribute(node, 'dilations'), rank, 1);
  const ceil = intAttribute(node, 'ceil_mode', 0) === 1;
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const written = intsAttribute(node, 'pads') ?? [];
  const before = two(written.slice(0, rank), rank, 0);
  const after = two(written.slice(rank), rank, 0);
  for (const axis of [0, 1] as const) {
    if (kernel[axis] < 1 || stride[axis] < 1 || dilation[axis] < 1) refuseNode(node, 'a kernel, stride or dilation below 1');
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      [before[axis], after[axis]] = samePadding(spatial[axis], kernel[axis], stride[axis], dilation[axis], auto === 'SAME_UPPER');
    } else if (auto === 'VALID') {
      before[axis] = 0;
      after[axis] = 0;
    }
  }
  const out = [0, 1].map((axis) =>
    outputSize(spatial[axis]!, kernel[axis]!, stride[axis]!, dilation[axis]!, before[axis]!, after[axis]!, ceil),
  );
  const taps = out[0]! * out[1]! * kernel[0] * kernel[1];
  if (taps > MOST_TAPS || !isBounded([...kernel]) || !isBounded([dims[0]!, dims[1]!, ...out]))
    refuseNode(node, `a window of ${kernel.join('x')} with ${out.join('x')} places is too large`);
  if (out[0]! < 1 || out[1]! < 1) refuseNode(node, `the window does not fit into an input of ${dims.join('x')}`);
  return {
    batch: dims[0]!,
    channels: dims[1]!,
    height: spatial[0],
    width: spatial[1],
    outHeight: out[0]!,
    outWidth: out[1]!,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    dilationHeight: dilation[0],
    dilationWidth: dilation[1],
    padTop: before[0],
    padLeft: before[1],
    padBottom: after[0],
    padRight: after[1],
    rank,
  };
}

/** Output shape in the file's own rank. */
export function windowOutput(window: Window, channels: number): number[] {
  const spatial = window.rank === 1 ? [window.outWidth] : [window.outHeight, window.outWidth];
  return [window.batch, channels, ...spatial];
}

/** Groups of a transposed convolution: parts of its channels, one row of kernels a channel. */
export function transposeGroups(node: GraphNode, channels: number, weights: readonly number[]): number {
  const groups = intAttribute(node, 'group', 1);
  if (groups >= 1 && channels % groups === 0 && weights[0] === channels) return groups;
  return refuseNode(node, `weights ${weights.join('x')} do not fit ${channels} channels in ${groups} groups`);
}
