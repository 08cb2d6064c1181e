import { EXACT_LIMIT, half, magnitude } from '../../core/ops/operation.ts';
import type { Attributes } from '../../core/program/types.ts';
import type { ElementType } from '../../core/tensor.ts';
import { clampRange, type Draft, TYPES, zeroPointAny, zeroPointFor } from './drafts.ts';
import type { Random } from './random.ts';

/** A source size and an output size that may leave rows unread, pad, or put whole windows outside. */
function windowOf(r: Random, size: number) {
  const side = (): { kernel: number; stride: number; dilation: number; pad: number; size: number; out: number } => {
    const kernel = r.integer(1, 4);
    const dilation = r.chance(0.8) ? 1 : r.integer(2, 3);
    const pad = r.chance(0.5) ? 0 : r.integer(0, (kernel - 1) * dilation);
    const stride = r.integer(1, 3);
    const length = r.integer(1, size);
    const regular = Math.max(1, Math.floor((length + 2 * pad - ((kernel - 1) * dilation + 1)) / stride) + 1);
    return { kernel, stride, dilation, pad, size: length, out: r.chance(0.8) ? regular : r.integer(1, 5) };
  };
  const [y, x] = [side(), side()];
  return {
    batch: r.chance(0.7) ? 1 : r.integer(2, 3),
    height: y.size,
    width: x.size,
    channels: r.chance(0.3) ? 1 : r.integer(1, 12),
    outHeight: y.out,
    outWidth: x.out,
    kernelHeight: y.kernel,
    kernelWidth: x.kernel,
    strideHeight: y.stride,
    strideWidth: x.stride,
    dilationHeight: y.dilation,
    dilationWidth: x.dilation,
    padTop: y.pad,
    padLeft: x.pad,
  };
}

function denseWindow(r: Random) {
  const ones = { outHeight: 1, outWidth: 1, kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1 };
  const rest = { dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, height: 1, width: 1 };
  return { ...ones, ...rest, batch: r.integer(1, 8), channels: r.integer(1, 300) };
}

/** Parameters of a linear layer whose every row stays inside the accumulator bound. */
function linearParameters(r: Random, a: Attributes<'linear'>, source: 'u8' | 'i16', type: ElementType): Uint8Array {
  const fanIn = (a.kernelHeight * a.kernelWidth * a.channels) / a.groups;
  const bytes = fanIn * a.weightBytes + 5;
  const view = new DataView(new ArrayBuffer(bytes * a.outChannels));
  const limit = a.weightBytes === 1 ? r.pick([64, 64, 127]) : 32767;
  const size = magnitude(source, a.zeroPoint);
  const common = r.integer(0, 14);
  for (let o = 0; o < a.outChannels; o++) {
    const shift = type === 'u8' && r.chance(0.7) ? Math.max(1, common) : r.chance(0.5) ? common : r.integer(0, 30);
    let room = 2 ** 31 - 1 - half(shift);
    const full = r.chance(0.2);
    for (let i = 0; i < fanIn; i++) {
      const most = Math.min(limit, Math.floor(room / size));
      const weight = full ? most * r.pick([-1, 1]) : r.extreme(-most, most);
      room -= Math.abs(weight) * size;
      if (a.weightBytes === 1) view.setInt8(o * bytes + i, weight);
      else view.setInt16(o * bytes + 2 * i, weight, true);
    }
    view.setInt32(o * bytes + bytes - 5, r.extreme(-room, room), true);
    view.setUint8(o * bytes + bytes - 1, shift);
  }
  return new Uint8Array(view.buffer);
}

export function linear(r: Random): Draft<'linear'> {
  const source = r.pick(['u8', 'u8', 'i16'] as const);
  const type = r.pick(['u8', 'u8', 'i16', 'i32'] as const);
  const window = r.chance(0.3) ? denseWindow(r) : windowOf(r, 10);
  const groups = r.chance(0.6) ? 1 : r.pick([1, 2, 3, 4, 6, 12].filter((n) => window.channels % n === 0).concat(window.channels));
  const outChannels = groups * r.integer(1, groups === 1 ? 20 : 3);
  const weightBytes = r.chance(source === 'u8' ? 0.8 : 0.4) ? 1 : 2;
  const attributes = { ...window, outChannels, groups, zeroPoint: zeroPointFor(r, source), weightBytes, ...clampRange(r, type) };
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * outChannels,
    sources: [{ type: source, length: window.batch * window.height * window.width * window.channels }],
    attributes,
    parameters: linearParameters(r, attributes, source, type),
  };
}

export function matmul(r: Random): Draft<'matmul'> {
  const [first, second] = [r.pick(['u8', 'i16'] as const), r.pick(['u8', 'i16'] as const)];
  const [zeroPointA, zeroPointB] = [zeroPointFor(r, first), zeroPointFor(r, second)];
  const shift = r.integer(0, 28);
  const product = magnitude(first, zeroPointA) * magnitude(second, zeroPointB);
  const room = 2 ** 31 - 1 - half(shift);
  const inner = Math.max(1, Math.min(r.integer(1, 70), Math.floor(room / product)));
  const type = r.pick(TYPES);
  const [batch, rows, columns, shareB] = [r.integer(1, 3), r.integer(1, 12), r.integer(1, 12), r.integer(0, 1)];
  // Two full i16 ranges overflow even alone: keep one zero point central, as a real program does.
  const fits = product * inner <= room;
  const bias = fits ? r.extreme(-(room - product * inner), room - product * inner) : 0;
  const zeros = fits
    ? { zeroPointA, zeroPointB }
    : { zeroPointA: first === 'i16' ? 0 : zeroPointA, zeroPointB: second === 'i16' ? 0 : zeroPointB };
  return {
    type,
    length: batch * rows * columns,
    sources: [
      { type: first, length: batch * rows * inner },
      { type: second, length: (shareB === 1 ? 1 : batch) * columns * inner },
    ],
    attributes: { batch, rows, inner, columns, ...zeros, shift, bias, shareB, ...clampRange(r, type) },
  };
}

export function max(r: Random): Draft<'max'> {
  const window = windowOf(r, 12);
  const type = r.pick(['u8', 'u8', 'i16', 'i32'] as const);
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * window.channels,
    sources: [{ type, length: window.batch * window.height * window.width * window.channels }],
    attributes: { ...window, minimum: r.chance(0.7) ? 0 : 1 },
  };
}

export function sum(r: Random): Draft<'sum'> {
  const window = windowOf(r, 12);
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const zeroPoint = zeroPointAny(r, source);
  const shift = r.integer(0, 47);
  const total = window.kernelHeight * window.kernelWidth * magnitude(source, zeroPoint);
  const room = EXACT_LIMIT - 1 - half(shift);
  const most = r.chance(0.4) ? 50 : Math.min(2147483647, Math.floor(room / total));
  const multiplier = r.extreme(-most, most);
  const rest = Math.min(2147483647, room - Math.max(1, Math.abs(multiplier)) * total);
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * window.channels,
    sources: [{ type: source, length: window.batch * window.height * window.width * window.channels }],
    attributes: { ...window, zeroPoint, multiplier, shift, bias: r.extreme(-rest, rest), ...clampRange(r, type) },
  };
}
