import type { Instruction } from '../program/types.ts';
import { runLinear } from './linear-kernel.ts';
import {
  ACCUMULATOR_LIMIT,
  clamp,
  half,
  magnitude,
  type Operation,
  refuse,
  requireClamp,
  requireInteger,
  requireLength,
  requireParameters,
  requireSources,
  shiftHalfUp,
} from './operation.ts';
import { eachTap, requireWindow } from './window.ts';

type Linear = Instruction<'linear'>;

/** Bytes of one output channel's parameters: weights, bias (i32), shift (u8). */
export function linearRowBytes(a: Linear['attributes']): number {
  return a.kernelHeight * a.kernelWidth * (a.channels / a.groups) * a.weightBytes + 5;
}

/** One output channel's parameters, decoded. */
export interface LinearRow {
  /** In (kernel y, kernel x, channel of the group) order. */
  readonly weights: Int8Array | Int16Array;
  readonly bias: number;
  readonly shift: number;
}

export function linearRow(instruction: Linear, channel: number): LinearRow {
  const bytes = linearRowBytes(instruction.attributes);
  const row = new Uint8Array(instruction.parameters.subarray(channel * bytes, (channel + 1) * bytes));
  const view = new DataView(row.buffer);
  const weights =
    instruction.attributes.weightBytes === 1 ? new Int8Array(row.buffer, 0, bytes - 5) : new Int16Array(row.buffer, 0, (bytes - 5) / 2);
  return { weights, bias: view.getInt32(bytes - 5, true), shift: view.getUint8(bytes - 1) };
}

function validateRows(instruction: Linear, sourceMagnitude: number): void {
  const limit = instruction.attributes.weightBytes === 1 ? 127 : 32767;
  for (let channel = 0; channel < instruction.attributes.outChannels; channel++) {
    const { weights, bias, shift } = linearRow(instruction, channel);
    let sum = 0;
    for (const weight of weights) {
      if (weight < -limit) refuse('linear', 'a weight is below the symmetric range', { channel, weight, limit: -limit });
      sum += Math.abs(weight);
    }
    requireInteger('linear', 'shift', shift, 0, 30);
    const bound = sum * sourceMagnitude + Math.abs(bias) + half(shift);
    if (bound >= ACCUMULATOR_LIMIT) refuse('linear', 'the accumulator could overflow 32 bits', { channel, bound });
  }
}

/**
 * Weighted sum with requantization:
 * `y = clamp(floor((Σ (x − zeroPoint)·w + bias + 2^(shift−1)) / 2^shift), low, high)`, padding taps contributing zero.
 * Source u8 or i16; weights int8 in [−127, 127] or int16 in [−32767, 32767]; output any type, [batch, outHeight, outWidth, outChannels].
 * Cost of a step: kernel·channels/groups multiply-adds. ONNX: Conv, Gemm, MatMul with a constant, QLinearConv, QLinearMatMul.
 */
export const linear: Operation<'linear'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('linear', sources, 1);
    const source = sources[0]!;
    if (source.type === 'i32') refuse('linear', 'the source must be u8 or i16');
    requireWindow('linear', a, source.length);
    requireInteger('linear', 'outChannels', a.outChannels, 1, 1 << 20);
    requireInteger('linear', 'groups', a.groups, 1, a.channels);
    if (a.channels % a.groups !== 0 || a.outChannels % a.groups !== 0) refuse('linear', 'channels are not a multiple of groups');
    requireInteger('linear', 'zeroPoint', a.zeroPoint, source.type === 'u8' ? 0 : -32768, source.type === 'u8' ? 255 : 32767);
    requireInteger('linear', 'weightBytes', a.weightBytes, 1, 2);
    requireClamp('linear', instruction.type, a.low, a.high);
    requireLength('linear', instruction.length, a.batch * a.outHeight * a.outWidth * a.outChannels);
    requireParameters('linear', instruction.parameters, linearRowBytes(a) * a.outChannels);
    validateRows(instruction, magnitude(source.type, a.zeroPoint));
  },

  execute(instruction, sources, out) {
    runLinear(instruction, sources[0]!, out);
  },

  step(instruction, _sources, element, access) {
    const a = instruction.attributes;
    const o = element % a.outChannels;
    const pixel = Math.floor(element / a.outChannels);
    const ox = pixel % a.outWidth;
    const oy = Math.floor(pixel / a.outWidth) % a.outHeight;
    const n = Math.floor(pixel / (a.outWidth * a.outHeight));
    const perGroup = a.channels / a.groups;
    const group = Math.floor(o / (a.outChannels / a.groups));
    const bytes = linearRowBytes(a);
    const base = o * bytes;
    let acc = readInteger(access, base + bytes - 5, 4);
    eachTap(a, n, oy, ox, (offset, tap) => {
      for (let c = 0; c < perGroup; c++) {
        const weight = readInteger(access, base + (tap * perGroup + c) * a.weightBytes, a.weightBytes);
        acc += (access.source(0, offset + group * perGroup + c) - a.zeroPoint) * weight;
      }
    });
    return clamp(shiftHalfUp(acc, access.parameter(base + bytes - 1)), a.low, a.high);
  },
};

/** Little-endian two's complement integer of 1, 2 or 4 parameter bytes. */
export function readInteger(access: { parameter(offset: number): number }, offset: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value |= access.parameter(offset + i) << (8 * i);
  const unused = 32 - 8 * bytes;
  return (value << unused) >> unused;
}
