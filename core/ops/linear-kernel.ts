import type { Instruction } from '../program/types.ts';
import type { TypedArray } from '../tensor.ts';
import { half } from './operation.ts';
import { eachTap } from './window.ts';

/** Decoded parameters of a whole layer. */
interface Layer {
  /** [outChannels][fan-in], fan-in in (kernel y, kernel x, channel of the group) order. */
  readonly weights: Int8Array | Int16Array;
  readonly bias: Int32Array;
  readonly shift: Uint8Array;
  /** 2^(shift − 1), or 0. */
  readonly half: Int32Array;
  readonly fanIn: number;
}

function layerOf(instruction: Instruction<'linear'>): Layer {
  const a = instruction.attributes;
  const fanIn = (a.kernelHeight * a.kernelWidth * a.channels) / a.groups;
  const { parameters } = instruction;
  const view = new DataView(parameters.buffer, parameters.byteOffset, parameters.length);
  const weights = a.weightBytes === 1 ? new Int8Array(fanIn * a.outChannels) : new Int16Array(fanIn * a.outChannels);
  const bias = new Int32Array(a.outChannels);
  const shift = new Uint8Array(a.outChannels);
  const bytes = fanIn * a.weightBytes + 5;
  for (let o = 0; o < a.outChannels; o++) {
    const at = o * bytes;
    if (a.weightBytes === 1) weights.set(new Int8Array(parameters.buffer, parameters.byteOffset + at, fanIn), o * fanIn);
    else for (let i = 0; i < fanIn; i++) weights[o * fanIn + i] = view.getInt16(at + 2 * i, true);
    bias[o] = view.getInt32(at + bytes - 5, true);
    shift[o] = parameters[at + bytes - 1]!;
  }
  return { weights, bias, shift, half: Int32Array.from(shift, half), fanIn };
}

/** Where in the source each tap's row of one output pixel starts, all groups together; −1 for padding. */
function tapOffsets(a: Instruction<'linear'>['attributes'], pixel: number, offsets: Int32Array): void {
  offsets.fill(-1);
  const row = Math.floor(pixel / a.outWidth);
  eachTap(a, Math.floor(row / a.outHeight), row % a.outHeight, pixel % a.outWidth, (offset, tap) => {
    offsets[tap] = offset;
  });
}

/** Copies the centred values of one group's window into `patch`; padding taps are zero. */
function fillPatch(x: TypedArray, offsets: Int32Array, first: number, perGroup: number, zeroPoint: number, patch: Int32Array): void {
  let at = 0;
  for (let tap = 0; tap < offsets.length; tap++) {
    const from = offsets[tap]!;
    if (from < 0) for (let c = 0; c < perGroup; c++) patch[at++] = 0;
    else for (let c = from + first, end = c + perGroup; c < end; c++) patch[at++] = x[c]! - zeroPoint;
  }
}

/** What one output pixel is computed in: its window, the window's centred values, its accumulators. */
interface Pixel {
  readonly offsets: Int32Array;
  readonly patch: Int32Array;
  readonly sums: Int32Array;
}

/**
 * Runs a linear layer: each window is copied once, then two of them meet four output channels at a time. The accumulators are
 * 32-bit: the loader's bound keeps every one of them, and its rounding half, inside.
 */
export function runLinear(instruction: Instruction<'linear'>, x: TypedArray, out: TypedArray): void {
  const a = instruction.attributes;
  const layer = layerOf(instruction);
  const isDepthwise = a.groups === a.channels && a.outChannels === a.channels;
  const transposed = isDepthwise ? tapMajor(layer, a.channels) : new Int16Array();
  const pair = [0, 1].map((): Pixel => {
    const offsets = new Int32Array(a.kernelHeight * a.kernelWidth);
    return { offsets, patch: new Int32Array(layer.fanIn), sums: new Int32Array(a.outChannels) };
  });
  const pixels = a.batch * a.outHeight * a.outWidth;
  for (let first = 0; first < pixels; first += 2) {
    const present = first + 1 < pixels ? pair : pair.slice(0, 1);
    for (const [i, pixel] of present.entries()) {
      tapOffsets(a, first + i, pixel.offsets);
      if (isDepthwise) depthwise(x, pixel.offsets, transposed, a.zeroPoint, layer.bias, pixel.sums);
    }
    if (!isDepthwise) grouped(x, a, layer, present);
    for (const [i, pixel] of present.entries()) requantize(pixel.sums, layer, a.low, a.high, out, (first + i) * a.outChannels);
  }
}

function grouped(x: TypedArray, a: Instruction<'linear'>['attributes'], layer: Layer, pixels: readonly Pixel[]): void {
  const perGroup = a.channels / a.groups;
  const outPerGroup = a.outChannels / a.groups;
  const [first, second] = [pixels[0]!, pixels[1]];
  for (let group = 0; group < a.groups; group++) {
    for (const { offsets, patch } of pixels) fillPatch(x, offsets, group * perGroup, perGroup, a.zeroPoint, patch);
    const [from, to] = [group * outPerGroup, (group + 1) * outPerGroup];
    if (second === undefined) products(first, layer, from, to);
    else pairedProducts(first, second, layer, from, to);
  }
}

/** sums[o] = bias[o] + patch · weights[o] for o in [from, to). */
function products({ patch, sums }: Pixel, { weights, bias }: Layer, from: number, to: number): void {
  const n = patch.length;
  let o = from;
  for (; o + 4 <= to; o += 4) {
    const [r0, r1, r2, r3] = [o * n, (o + 1) * n, (o + 2) * n, (o + 3) * n];
    let [s0, s1, s2, s3] = [bias[o]!, bias[o + 1]!, bias[o + 2]!, bias[o + 3]!];
    for (let i = 0; i < n; i++) {
      const v = patch[i]!;
      s0 = (s0 + Math.imul(v, weights[r0 + i]!)) | 0;
      s1 = (s1 + Math.imul(v, weights[r1 + i]!)) | 0;
      s2 = (s2 + Math.imul(v, weights[r2 + i]!)) | 0;
      s3 = (s3 + Math.imul(v, weights[r3 + i]!)) | 0;
    }
    store(sums, o, s0, s1, s2, s3);
  }
  for (; o < to; o++) {
    let sum = bias[o]!;
    for (let i = 0; i < n; i++) sum = (sum + Math.imul(patch[i]!, weights[o * n + i]!)) | 0;
    sums[o] = sum;
  }
}

function store(sums: Int32Array, o: number, s0: number, s1: number, s2: number, s3: number): void {
  sums[o] = s0;
  sums[o + 1] = s1;
  sums[o + 2] = s2;
  sums[o + 3] = s3;
}

/** The same for two pixels at once: a weight is read once for both. */
function pairedProducts(first: Pixel, second: Pixel, layer: Layer, from: number, to: number): void {
  const { weights, bias } = layer;
  const [p, q] = [first.patch, second.patch];
  const n = p.length;
  let o = from;
  for (; o + 4 <= to; o += 4) {
    const [r0, r1, r2, r3] = [o * n, (o + 1) * n, (o + 2) * n, (o + 3) * n];
    let [s0, s1, s2, s3] = [bias[o]!, bias[o + 1]!, bias[o + 2]!, bias[o + 3]!];
    let [t0, t1, t2, t3] = [s0, s1, s2, s3];
    for (let i = 0; i < n; i++) {
      const v = p[i]!;
      const u = q[i]!;
      const w0 = weights[r0 + i]!;
      const w1 = weights[r1 + i]!;
      const w2 = weights[r2 + i]!;
      const w3 = weights[r3 + i]!;
      s0 = (s0 + Math.imul(v, w0)) | 0;
      t0 = (t0 + Math.imul(u, w0)) | 0;
      s1 = (s1 + Math.imul(v, w1)) | 0;
      t1 = (t1 + Math.imul(u, w1)) | 0;
      s2 = (s2 + Math.imul(v, w2)) | 0;
      t2 = (t2 + Math.imul(u, w2)) | 0;
      s3 = (s3 + Math.imul(v, w3)) | 0;
      t3 = (t3 + Math.imul(u, w3)) | 0;
    }
    store(first.sums, o, s0, s1, s2, s3);
    store(second.sums, o, t0, t1, t2, t3);
  }
  if (o < to) {
    products(first, layer, o, to);
    products(second, layer, o, to);
  }
}

/** Depthwise weights as [tap][channel]. */
function tapMajor(layer: Layer, channels: number): Int16Array {
  const out = new Int16Array(layer.weights.length);
  for (let i = 0; i < out.length; i++) out[(i % layer.fanIn) * channels + Math.floor(i / layer.fanIn)] = layer.weights[i]!;
  return out;
}

function depthwise(x: TypedArray, offsets: Int32Array, weights: Int16Array, zeroPoint: number, bias: Int32Array, sums: Int32Array): void {
  sums.set(bias);
  const channels = sums.length;
  for (let tap = 0; tap < offsets.length; tap++) {
    const from = offsets[tap]!;
    if (from < 0) continue;
    const row = tap * channels;
    for (let c = 0; c < channels; c++) sums[c] = sums[c]! + Math.imul(x[from + c]! - zeroPoint, weights[row + c]!);
  }
}

/** clamp(⌊(sum + half) / 2^k⌋, low, high), all in 32 bits. */
function requantize(sums: Int32Array, layer: Layer, low: number, high: number, out: TypedArray, position: number): void {
  for (let o = 0; o < sums.length; o++) {
    const value = (sums[o]! + layer.half[o]!) >> layer.shift[o]!;
    out[position + o] = value < low ? low : value > high ? high : value;
  }
}
