import type { Instruction } from '../program/types.ts';
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
  shiftHalfUp,
} from './operation.ts';

function product(a: Instruction<'multiply'>['attributes'], x: number, y: number): number {
  const acc = (x - a.zeroPointA) * (y - a.zeroPointB) * a.multiplier + a.bias;
  return clamp(shiftHalfUp(acc, a.shift), a.low, a.high);
}

/**
 * `y[e] = clamp(shiftHalfUp(multiplier·(A[e] − zA)(B[e'] − zB) + bias, shift), low, high)`, `e' = ⌊e / innerB⌋ mod length(B)`.
 * Any types whose bound stays below 2^52. Cost of a step: two multiplications. ONNX: Mul, gates, squares.
 */
export const multiply: Operation<'multiply'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('multiply', sources, 2);
    requireInteger('multiply', 'innerB', a.innerB, 1, 1 << 26);
    requireInteger('multiply', 'shift', a.shift, 0, 47);
    requireClamp('multiply', instruction.type, a.low, a.high);
    requireLength('multiply', instruction.length, sources[0]!.length);
    requireParameters('multiply', instruction.parameters, 0);
    const factors = magnitude(sources[0]!.type, a.zeroPointA) * magnitude(sources[1]!.type, a.zeroPointB);
    const bound = factors * Math.max(1, Math.abs(a.multiplier)) + Math.abs(a.bias) + half(a.shift);
    if (!(bound < EXACT_LIMIT)) refuse('multiply', 'the product could leave the exact range', { bound });
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const [x, y] = [sources[0]!, sources[1]!];
    const scale = 2 ** a.shift;
    const addend = a.bias + half(a.shift);
    for (let e = 0; e < out.length; e++) {
      const acc = (x[e]! - a.zeroPointA) * (y[repeatIndex(e, a.innerB, y.length)]! - a.zeroPointB) * a.multiplier + addend;
      out[e] = clamp(Math.floor(acc / scale), a.low, a.high);
    }
  },

  step(instruction, sources, element, access) {
    const a = instruction.attributes;
    return product(a, access.source(0, element), access.source(1, repeatIndex(element, a.innerB, sources[1]!.length)));
  },
};
