import type { Instruction } from '../program/types.ts';
import {
  clamp,
  EXACT_LIMIT,
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
import { eachPixel, eachTap, requireWindow } from './window.ts';

function windowSum(a: Instruction<'sum'>['attributes'], element: number, read: (index: number) => number): number {
  const channel = element % a.channels;
  const pixel = Math.floor(element / a.channels);
  const outY = Math.floor(pixel / a.outWidth) % a.outHeight;
  const batch = Math.floor(pixel / (a.outWidth * a.outHeight));
  let sum = 0;
  eachTap(a, batch, outY, pixel % a.outWidth, (offset) => {
    sum += read(offset + channel) - a.zeroPoint;
  });
  return clamp(shiftHalfUp(sum * a.multiplier + a.bias, a.shift), a.low, a.high);
}

/**
 * `y = clamp(shiftHalfUp(multiplier·Σ (x − zeroPoint) + bias, shift), low, high)` over each window, per channel; padding
 * taps contribute zero. Any source type; output [batch, outHeight, outWidth, channels].
 * Cost of a step: kernel additions. ONNX: AveragePool, GlobalAveragePool, ReduceSum, ReduceMean.
 */
export const sum: Operation<'sum'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('sum', sources, 1);
    requireWindow('sum', a, sources[0]!.length);
    requireInteger('sum', 'shift', a.shift, 0, 47);
    requireClamp('sum', instruction.type, a.low, a.high);
    requireLength('sum', instruction.length, a.batch * a.outHeight * a.outWidth * a.channels);
    requireParameters('sum', instruction.parameters, 0);
    const total = a.kernelHeight * a.kernelWidth * magnitude(sources[0]!.type, a.zeroPoint);
    const bound = total * Math.max(1, Math.abs(a.multiplier)) + Math.abs(a.bias) + half(a.shift);
    if (!(bound < EXACT_LIMIT)) refuse('sum', 'the sum could leave the exact range', { bound });
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const x = sources[0]!;
    const sums = new Float64Array(a.channels);
    const scale = 2 ** a.shift;
    const addend = a.bias + half(a.shift);
    let position = 0;
    eachPixel(a, (batch, y, column) => {
      sums.fill(0);
      eachTap(a, batch, y, column, (offset) => {
        for (let c = 0; c < sums.length; c++) sums[c] = sums[c]! + x[offset + c]! - a.zeroPoint;
      });
      for (let c = 0; c < sums.length; c++) out[position++] = clamp(Math.floor((sums[c]! * a.multiplier + addend) / scale), a.low, a.high);
    });
  },

  step(instruction, _sources, element, access) {
    return windowSum(instruction.attributes, element, (index) => access.source(0, index));
  },
};
