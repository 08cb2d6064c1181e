import { TYPE_MAXIMUM } from '../tensor.ts';
import { clamp, type Operation, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';

/** `⌊√v⌋` for an integer 0 ≤ v < 2^52. */
export function integerSquareRoot(value: number): number {
  let root = Math.floor(Math.sqrt(value));
  // The double square root is correctly rounded; the correction keeps the definition independent of that.
  while (root * root > value) root--;
  while ((root + 1) * (root + 1) <= value) root++;
  return root;
}

function root(value: number, shift: number, highest: number): number {
  return clamp(integerSquareRoot(Math.max(value, 0) * 2 ** shift), 0, highest);
}

/**
 * `y[e] = min(⌊√(max(x[e], 0)·2^shift)⌋, largest of the type)`, shift 0..20. Cost of a step: one square root.
 * ONNX: Sqrt, the deviation in LayerNormalization.
 */
export const isqrt: Operation<'isqrt'> = {
  validate(instruction, sources) {
    requireSources('isqrt', sources, 1);
    requireInteger('isqrt', 'shift', instruction.attributes.shift, 0, 20);
    requireLength('isqrt', instruction.length, sources[0]!.length);
    requireParameters('isqrt', instruction.parameters, 0);
  },

  execute(instruction, sources, out) {
    const x = sources[0]!;
    for (let e = 0; e < out.length; e++) out[e] = root(x[e]!, instruction.attributes.shift, TYPE_MAXIMUM[instruction.type]);
  },

  step(instruction, _sources, element, access) {
    return root(access.source(0, element), instruction.attributes.shift, TYPE_MAXIMUM[instruction.type]);
  },
};
