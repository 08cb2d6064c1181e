import type { Instruction } from '../program/types.ts';
import { clamp, type Operation, refuse, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';

/** Positions of output element `e` in (outer, count, width) coordinates. */
function positions(a: Instruction<'gather'>['attributes'], element: number): { outer: number; index: number; width: number } {
  const j = Math.floor(element / a.width);
  const outer = Math.floor(j / a.count);
  return { outer, index: a.perOuter === 1 ? j : j % a.count, width: element % a.width };
}

function dataIndex(a: Instruction<'gather'>['attributes'], outer: number, value: number, width: number): number {
  return (outer * a.axis + clamp(value - a.offset, 0, a.axis - 1)) * a.width + width;
}

/**
 * `y[o, j, i] = data[o, clamp(index[j] − offset, 0, axis − 1), i]`, or `index[o, j]` with perOuter = 1.
 * Data is [outer, axis, width] and has the output's type; the index tensor has any type. An index out of range takes the nearest.
 * Cost of a step: two reads. ONNX: Gather, GatherElements, GatherND by data.
 */
export const gather: Operation<'gather'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('gather', sources, 2);
    const [data, index] = [sources[0]!, sources[1]!];
    if (data.type !== instruction.type) refuse('gather', 'the type must be that of the data');
    for (const name of ['outer', 'axis', 'width', 'count'] as const) requireInteger('gather', name, a[name], 1, 1 << 26);
    requireInteger('gather', 'perOuter', a.perOuter, 0, 1);
    requireInteger('gather', 'offset', a.offset, -2147483648, 2147483647);
    if (data.length !== a.outer * a.axis * a.width) refuse('gather', 'wrong length of the data', { length: data.length });
    if (index.length !== (a.perOuter === 1 ? a.outer : 1) * a.count)
      refuse('gather', 'wrong length of the index', { length: index.length });
    requireLength('gather', instruction.length, a.outer * a.count * a.width);
    requireParameters('gather', instruction.parameters, 0);
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const [data, index] = [sources[0]!, sources[1]!];
    for (let e = 0; e < out.length; e++) {
      const p = positions(a, e);
      out[e] = data[dataIndex(a, p.outer, index[p.index]!, p.width)]!;
    }
  },

  step(instruction, _sources, element, access) {
    const a = instruction.attributes;
    const p = positions(a, element);
    return access.source(0, dataIndex(a, p.outer, access.source(1, p.index), p.width));
  },
};
