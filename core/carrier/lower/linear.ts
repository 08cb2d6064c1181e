import { linearRow } from '../../ops/linear.ts';
import { half, magnitude } from '../../ops/operation.ts';
import type { Instruction } from '../../program/types.ts';
import { binary, bytesOf, clip, requantize, type Scalars, zeroBytes } from '../arithmetic.ts';
import { type GraphBuilder, MICROSOFT, type Value } from '../graph.ts';
import { type Limb, productOfLimbs } from '../limbs.ts';
import type { Lowering } from '../lowering.ts';
import { gatherRows, onnxWindow } from '../window.ts';

type Linear = Instruction<'linear'>;

/** A layer's parameters as flat arrays: weights [outChannels][tap][channel of the group]. */
interface Layer {
  readonly weights: Int16Array;
  readonly fanIn: number;
  readonly bias: number[];
  readonly shift: number[];
  /** Larger than |acc + bias + half| of any channel. */
  readonly bound: number;
  readonly greatestWeight: number;
}

function layerOf(instruction: Linear, sourceMagnitude: number): Layer {
  const a = instruction.attributes;
  const fanIn = (a.kernelHeight * a.kernelWidth * a.channels) / a.groups;
  const weights = new Int16Array(a.outChannels * fanIn);
  const [bias, shift]: [number[], number[]] = [[], []];
  let bound = 1;
  let greatestWeight = 0;
  for (let o = 0; o < a.outChannels; o++) {
    const row = linearRow(instruction, o);
    weights.set(row.weights, o * fanIn);
    bias.push(row.bias);
    shift.push(row.shift);
    let sum = 0;
    for (const weight of row.weights) {
      const size = Math.abs(weight);
      sum += size;
      if (size > greatestWeight) greatestWeight = size;
    }
    bound = Math.max(bound, sum * sourceMagnitude + Math.abs(row.bias) + half(row.shift) + 1);
  }
  return { weights, fanIn, bias, shift, bound, greatestWeight };
}

/**
 * Weights as 8-bit constants. Signed while |w| ≤ 64: kernels without VNNI add pairs of u8×s8 products in 16 bits, and
 * 2·255·64 < 2^15. Larger ones unsigned around 128, which every kernel widens first.
 */
function byteWeights(
  g: GraphBuilder,
  dims: readonly number[],
  values: ArrayLike<number>,
  greatest: number,
): { weight: Value; zero: Value } {
  if (greatest <= 64) return { weight: g.constant('i8', dims, values), zero: g.constant('i8', [], [0]) };
  const unsigned = Uint8Array.from(values, (value) => value + 128);
  return { weight: g.constant('u8', dims, unsigned), zero: g.constant('u8', [], [128]) };
}

/** [outChannels][tap][channel] → [outChannels, channel, kernelHeight, kernelWidth], ONNX's order. */
function onnxOrder(weights: Int16Array, taps: number, channels: number): Int16Array {
  const out = new Int16Array(weights.length);
  const fanIn = taps * channels;
  for (let i = 0; i < weights.length; i++) {
    const [o, rest] = [Math.floor(i / fanIn), i % fanIn];
    out[o * fanIn + (rest % channels) * taps + Math.floor(rest / channels)] = weights[i]!;
  }
  return out;
}

/**
 * QLinearConv with channels last, scales 1 and weight scale 2^−k·(1 + 2^−23): the nudge turns its round-half-even into half-up for
 * every 32-bit accumulator while k ≤ 14. Undefined where that does not apply.
 */
function fused(g: GraphBuilder, instruction: Linear, source: Value, layer: Layer): Value | undefined {
  const a = instruction.attributes;
  if (source.type !== 'u8' || instruction.type !== 'u8' || a.weightBytes !== 1) return undefined;
  if (layer.shift.some((k) => k < 1 || k > 14)) return undefined;
  const window = onnxWindow(a, 'convolution');
  if (window === undefined) return undefined;
  const taps = a.kernelHeight * a.kernelWidth;
  // A dense layer is a 1×1 convolution whose pixels are all rows of the batch.
  const dense = taps === 1 && a.strideHeight === 1 && a.strideWidth === 1 && a.outHeight === a.height && a.outWidth === a.width;
  const pixels = dense ? [1, a.batch * a.height * a.width, 1] : [a.batch, a.height, a.width];
  const outPixels = dense ? pixels : [a.batch, a.outHeight, a.outWidth];
  const perGroup = a.channels / a.groups;
  const dims = [a.outChannels, perGroup, a.kernelHeight, a.kernelWidth];
  const { weight, zero } = byteWeights(g, dims, onnxOrder(layer.weights, taps, perGroup), layer.greatestWeight);
  const scales = Uint32Array.from(layer.shift, (k) => ((127 - k) << 23) | 1);
  const one = g.raw('f32', [], new Uint8Array(Float32Array.of(1).buffer));
  const inputs = [
    g.reshape(source, [...pixels, a.channels]),
    one,
    g.constant('u8', [], [a.zeroPoint]),
    weight,
    g.raw('f32', [a.outChannels], new Uint8Array(scales.buffer)),
    zero,
    one,
    g.constant('u8', [], [0]),
    g.constant('i32', [a.outChannels], layer.bias),
  ];
  const out = g.node('QLinearConv', inputs, {
    type: 'u8',
    dims: [...outPixels, a.outChannels],
    domain: MICROSOFT,
    attributes: { ...window, group: a.groups, channels_last: 1 },
  });
  return a.low === 0 && a.high === 255 ? out : clip(g, out, a.low, a.high);
}

/** Σ (x − zeroPoint)·w with one weight a tap and channel: a product and a sum, exact in 32 bits by the loader's bound. */
function depthwise(g: GraphBuilder, instruction: Linear, source: Value, layer: Layer): Value {
  const a = instruction.attributes;
  const rows = gatherRows(g, source, a, a.zeroPoint);
  const [pixels, taps] = [rows.dims[0]!, rows.dims[1]!];
  const transposed = Int32Array.from(layer.weights, (_, i) => layer.weights[(i % a.channels) * taps + Math.floor(i / a.channels)]!);
  const centred = centre(g, g.cast(rows, 'i32'), a.zeroPoint);
  const products = binary(g, 'Mul', centred, g.constant('i32', [taps, a.channels], transposed), rows.dims);
  return g.node('ReduceSum', [products, g.constant('i64', [1], [1])], {
    type: 'i32',
    dims: [pixels, a.channels],
    attributes: { keepdims: 0 },
  });
}

function centre(g: GraphBuilder, value: Value, zeroPoint: number): Value {
  return zeroPoint === 0 ? value : binary(g, 'Sub', value, g.constant('i32', [], [zeroPoint]), value.dims);
}

/** The source's bytes gathered under the windows, as matrices [groups or none, pixels, fan-in]. */
function sourceLimbs(g: GraphBuilder, instruction: Linear, source: Value): Limb[] {
  const a = instruction.attributes;
  const arrange = (value: Value, zero: number): Value => {
    const rows = gatherRows(g, value, a, zero);
    const [pixels, taps] = [rows.dims[0]!, rows.dims[1]!];
    const perGroup = a.channels / a.groups;
    if (a.groups === 1) return g.reshape(rows, [pixels, taps * perGroup]);
    const split = g.reshape(rows, [pixels, taps, a.groups, perGroup]);
    const dims = [a.groups, pixels, taps, perGroup];
    const byGroup = g.node('Transpose', [split], { type: value.type, dims, attributes: { perm: [2, 0, 1, 3] } });
    return g.reshape(byGroup, [a.groups, pixels, taps * perGroup]);
  };
  const zero = (value: number): Value => g.constant('u8', [], [value]);
  if (source.type === 'u8') return [{ scale: 1, value: arrange(source, a.zeroPoint), zero: zero(a.zeroPoint) }];
  const bytes = bytesOf(g, source);
  const zeros = zeroBytes(a.zeroPoint);
  return [
    { scale: 256, value: arrange(bytes.high, zeros.high), zero: zero(zeros.high) },
    { scale: 1, value: arrange(bytes.low, zeros.low), zero: zero(zeros.low) },
  ];
}

/** The weights' bytes as matrices [groups or none, fan-in, outChannels of the group]. */
function weightLimbs(g: GraphBuilder, a: Linear['attributes'], layer: Layer): Limb[] {
  const { fanIn } = layer;
  const perGroup = a.outChannels / a.groups;
  const dims = a.groups === 1 ? [fanIn, a.outChannels] : [a.groups, fanIn, perGroup];
  const transposed = new Int16Array(layer.weights.length);
  for (let i = 0; i < transposed.length; i++) {
    const [o, k] = [Math.floor(i / fanIn), i % fanIn];
    transposed[(Math.floor(o / perGroup) * fanIn + k) * perGroup + (o % perGroup)] = layer.weights[i]!;
  }
  if (layer.greatestWeight <= 127) {
    const { weight, zero } = byteWeights(g, dims, transposed, layer.greatestWeight);
    return [{ scale: 1, value: weight, zero }];
  }
  const high = Uint8Array.from(transposed, (w) => (w >> 8) + 128);
  const low = Uint8Array.from(transposed, (w) => w & 255);
  return [
    { scale: 256, value: g.constant('u8', dims, high), zero: g.constant('u8', [], [128]) },
    { scale: 1, value: g.constant('u8', dims, low), zero: g.constant('u8', [], [0]) },
  ];
}

function product(g: GraphBuilder, instruction: Linear, source: Value, layer: Layer): Value {
  const a = instruction.attributes;
  const pixels = a.batch * a.outHeight * a.outWidth;
  const dims = a.groups === 1 ? [pixels, a.outChannels] : [a.groups, pixels, a.outChannels / a.groups];
  const sums = productOfLimbs(g, sourceLimbs(g, instruction, source), weightLimbs(g, a, layer), dims);
  if (a.groups === 1) return sums;
  const moved = [pixels, a.groups, a.outChannels / a.groups];
  const transposed = g.node('Transpose', [sums], { type: 'i32', dims: moved, attributes: { perm: [1, 0, 2] } });
  return g.reshape(transposed, [pixels, a.outChannels]);
}

/** Fused where the recipe holds, else an integer matrix product of bytes and integer glue. */
export const linear: Lowering<'linear'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const source = sources[0]!;
  const layer = layerOf(instruction, magnitude(source.element, a.zeroPoint));
  const quick = fused(g, instruction, source.value, layer);
  if (quick !== undefined) return quick;
  const isDepthwise = a.groups === a.channels && a.outChannels === a.channels;
  const acc = isDepthwise ? depthwise(g, instruction, source.value, layer) : product(g, instruction, source.value, layer);
  const perChannel = (values: readonly number[]): Scalars => ({ dims: [a.outChannels], values });
  return requantize(g, acc, {
    bias: perChannel(layer.bias),
    shift: perChannel(layer.shift),
    low: a.low,
    high: a.high,
    type: instruction.type,
    bound: layer.bound,
  });
};
