import type { Instruction } from '../program/types.ts';
import { TYPE_MAXIMUM } from '../tensor.ts';
import { type Operation, refuse, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';

function firstBest(a: Instruction<'arg'>['attributes'], element: number, read: (index: number) => number): number {
  const base = Math.floor(element / a.inner) * a.axis * a.inner + (element % a.inner);
  let best = 0;
  let value = read(base);
  for (let i = 1; i < a.axis; i++) {
    const next = read(base + i * a.inner);
    if (a.minimum === 1 ? next < value : next > value) {
      best = i;
      value = next;
    }
  }
  return best;
}

/**
 * Index of the largest (`minimum` = 0) or smallest (1) of `axis` values, the first on ties. Source [outer, axis, inner], output
 * [outer, inner] of a type that holds axis − 1. Cost of a step: `axis` comparisons. ONNX: ArgMax, ArgMin.
 */
export const arg: Operation<'arg'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('arg', sources, 1);
    for (const name of ['outer', 'axis', 'inner'] as const) requireInteger('arg', name, a[name], 1, 1 << 26);
    requireInteger('arg', 'minimum', a.minimum, 0, 1);
    if (a.axis - 1 > TYPE_MAXIMUM[instruction.type]) refuse('arg', 'the output type cannot hold every index', { axis: a.axis });
    if (sources[0]!.length !== a.outer * a.axis * a.inner) refuse('arg', 'wrong length of the source', { length: sources[0]!.length });
    requireLength('arg', instruction.length, a.outer * a.inner);
    requireParameters('arg', instruction.parameters, 0);
  },

  execute(instruction, sources, out) {
    const x = sources[0]!;
    for (let e = 0; e < out.length; e++) out[e] = firstBest(instruction.attributes, e, (index) => x[index]!);
  },

  step(instruction, _sources, element, access) {
    return firstBest(instruction.attributes, element, (index) => access.source(0, index));
  },
};
