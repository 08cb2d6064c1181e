import type { Instruction } from '../program/types.ts';
import type { TypedArray } from '../tensor.ts';
import { readInteger } from './linear.ts';
import {
  clamp,
  EXACT_LIMIT,
  half,
  magnitude,
  type Operation,
  refuse,
  repeatIndex,
  requireClamp,
  requireInteger,
  requireLength,
  requireParameters,
  requireSources,
  type StepAccess,
  shiftHalfUp,
} from './operation.ts';

/** Bytes of one channel's parameters: multiplier A (i32), multiplier B (i32), bias (i64). */
export const RESCALE_ROW_BYTES = 16;

export interface RescaleRow {
  readonly multiplierA: number;
  readonly multiplierB: number;
  readonly bias: number;
}

function readRow(access: Pick<StepAccess, 'parameter'>, channel: number): RescaleRow {
  const base = channel * RESCALE_ROW_BYTES;
  const low = readInteger(access, base + 8, 4) >>> 0;
  return {
    multiplierA: readInteger(access, base, 4),
    multiplierB: readInteger(access, base + 4, 4),
    bias: readInteger(access, base + 12, 4) * 2 ** 32 + low,
  };
}

export function rescaleRow(parameters: Uint8Array, channel: number): RescaleRow {
  return readRow({ parameter: (offset) => parameters[offset]! }, channel);
}

export function encodeRescaleRows(rows: readonly RescaleRow[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(rows.length * RESCALE_ROW_BYTES));
  rows.forEach((row, channel) => {
    view.setInt32(channel * RESCALE_ROW_BYTES, row.multiplierA, true);
    view.setInt32(channel * RESCALE_ROW_BYTES + 4, row.multiplierB, true);
    view.setBigInt64(channel * RESCALE_ROW_BYTES + 8, BigInt(row.bias), true);
  });
  return new Uint8Array(view.buffer);
}

function channelOf(a: Instruction<'rescale'>['attributes'], element: number): number {
  return Math.floor(element / a.channelInner) % a.channels;
}

function combine(a: Instruction<'rescale'>['attributes'], row: RescaleRow, x: number, y: number): number {
  const acc = row.multiplierA * (x - a.zeroPointA) + row.multiplierB * (y - a.zeroPointB) + row.bias;
  return clamp(shiftHalfUp(acc, a.shift), a.low, a.high);
}

/**
 * `y[e] = clamp(shiftHalfUp(mA[c]·(A[e] − zA) + mB[c]·(B[e'] − zB) + bias[c], shift), low, high)` with
 * `c = ⌊e / channelInner⌋ mod channels` and `e' = ⌊e / innerB⌋ mod length(B)`; with one source the B term is absent (mB must be 0).
 * Any types. Cost of a step: two multiply-adds. ONNX: Add, Sub, affine maps, type changes, comparisons against a constant.
 */
export const rescale: Operation<'rescale'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('rescale', sources, 1, 2);
    const [first, second] = sources;
    requireInteger('rescale', 'channels', a.channels, 1, 1 << 22);
    requireInteger('rescale', 'channelInner', a.channelInner, 1, 1 << 26);
    requireInteger('rescale', 'innerB', a.innerB, 1, 1 << 26);
    requireInteger('rescale', 'shift', a.shift, 0, 47);
    requireClamp('rescale', instruction.type, a.low, a.high);
    requireLength('rescale', instruction.length, first!.length);
    requireParameters('rescale', instruction.parameters, a.channels * RESCALE_ROW_BYTES);
    const magnitudeB = second === undefined ? 0 : magnitude(second.type, a.zeroPointB);
    for (let channel = 0; channel < a.channels; channel++) {
      const row = rescaleRow(instruction.parameters, channel);
      if (second === undefined && row.multiplierB !== 0) refuse('rescale', 'a multiplier without its source', { channel });
      const products = Math.abs(row.multiplierA) * magnitude(first!.type, a.zeroPointA) + Math.abs(row.multiplierB) * magnitudeB;
      const bound = products + Math.abs(row.bias) + half(a.shift);
      if (!(bound < EXACT_LIMIT)) refuse('rescale', 'the sum could leave the exact range', { channel, bound });
    }
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const x = sources[0]!;
    const y: TypedArray | undefined = sources[1];
    const rows = Array.from({ length: a.channels }, (_, channel) => rescaleRow(instruction.parameters, channel));
    const [multiplierA, multiplierB] = [
      Float64Array.from(rows, (row) => row.multiplierA),
      Float64Array.from(rows, (row) => row.multiplierB),
    ];
    const addend = Float64Array.from(rows, (row) => row.bias + half(a.shift));
    const scale = 2 ** a.shift;
    const isPlain = y?.length === out.length && a.innerB === 1;
    for (let e = 0; e < out.length; e++) {
      const c = a.channels === 1 ? 0 : channelOf(a, e);
      const second = y === undefined ? a.zeroPointB : y[isPlain ? e : repeatIndex(e, a.innerB, y.length)]!;
      const acc = multiplierA[c]! * (x[e]! - a.zeroPointA) + multiplierB[c]! * (second - a.zeroPointB) + addend[c]!;
      out[e] = clamp(Math.floor(acc / scale), a.low, a.high);
    }
  },

  step(instruction, sources, element, access) {
    const a = instruction.attributes;
    const second = sources[1];
    const y = second === undefined ? a.zeroPointB : access.source(1, repeatIndex(element, a.innerB, second.length));
    return combine(a, readRow(access, channelOf(a, element)), access.source(0, element), y);
  },
};
