import type { Instruction } from '../program/types.ts';
import { TYPE_MAXIMUM } from '../tensor.ts';
import {
  clamp,
  EXACT_LIMIT,
  magnitude,
  type Operation,
  refuse,
  repeatIndex,
  requireClamp,
  requireInteger,
  requireLength,
  requireParameters,
  requireSources,
} from './operation.ts';

function quotient(a: Instruction<'divide'>['attributes'], numerator: number, denominator: number): number {
  const d = Math.max(denominator, 1);
  const acc = (numerator - a.zeroPoint) * a.multiplier + Math.floor(d / 2);
  // Exact: |acc| < 2^52, so a correctly rounded double quotient never crosses an integer.
  return clamp(Math.floor(acc / d) + a.offset, a.low, a.high);
}

/**
 * `y[e] = clamp(⌊((N[e] − zeroPoint)·multiplier + ⌊d/2⌋) / d⌋ + offset, low, high)` with `d = max(D[⌊e / innerB⌋ mod length(D)], 1)`:
 * round half up; a denominator below one counts as one. Any types whose bound stays below 2^52.
 * Cost of a step: one division. ONNX: Div, the last step of Softmax and of normalization.
 */
export const divide: Operation<'divide'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('divide', sources, 2);
    requireInteger('divide', 'innerB', a.innerB, 1, 1 << 26);
    requireClamp('divide', instruction.type, a.low, a.high);
    requireLength('divide', instruction.length, sources[0]!.length);
    requireParameters('divide', instruction.parameters, 0);
    const numerator = magnitude(sources[0]!.type, a.zeroPoint) * Math.max(1, Math.abs(a.multiplier));
    const bound = numerator + TYPE_MAXIMUM[sources[1]!.type] + Math.abs(a.offset);
    if (!(bound < EXACT_LIMIT)) refuse('divide', 'the quotient could leave the exact range', { bound });
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const [n, d] = [sources[0]!, sources[1]!];
    for (let e = 0; e < out.length; e++) out[e] = quotient(a, n[e]!, d[repeatIndex(e, a.innerB, d.length)]!);
  },

  step(instruction, sources, element, access) {
    const a = instruction.attributes;
    return quotient(a, access.source(0, element), access.source(1, repeatIndex(element, a.innerB, sources[1]!.length)));
  },
};
