import type { Instruction } from '../program/types.ts';
import { ELEMENT_BYTES, fromBytes } from '../tensor.ts';
import { readInteger } from './linear.ts';
import { clamp, type Operation, requireInteger, requireLength, requireParameters, requireSources } from './operation.ts';

/** Element index into the parameter table for output element `e`, given the value of its index element. */
function entryIndex(a: Instruction<'table'>['attributes'], element: number, value: number): number {
  const j = Math.floor(element / a.width);
  const channel = Math.floor(j / a.channelInner) % a.channels;
  return (channel * a.entries + clamp(value - a.offset, 0, a.entries - 1)) * a.width + (element % a.width);
}

/** Value of parameter element `index` of the instruction's type. */
function readEntry(access: { parameter(offset: number): number }, type: Instruction['type'], index: number): number {
  return type === 'u8' ? access.parameter(index) : readInteger(access, index * ELEMENT_BYTES[type], ELEMENT_BYTES[type]);
}

/**
 * `y[j·width + i] = T[channel(j)][clamp(x[j] − offset, 0, entries − 1)][i]`, `channel(j) = ⌊j / channelInner⌋ mod channels`.
 * Parameters: channels × entries × width values of the output type. An index outside the table takes the nearest entry.
 * Cost of a step: one lookup. ONNX: every unary function, Gather of a constant (embeddings), leaf values of trees.
 */
export const table: Operation<'table'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('table', sources, 1);
    requireInteger('table', 'offset', a.offset, -2147483648, 2147483647);
    for (const name of ['entries', 'width', 'channels', 'channelInner'] as const) requireInteger('table', name, a[name], 1, 1 << 26);
    requireLength('table', instruction.length, sources[0]!.length * a.width);
    requireParameters('table', instruction.parameters, a.channels * a.entries * a.width * ELEMENT_BYTES[instruction.type]);
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const x = sources[0]!;
    const values = fromBytes(instruction.type, instruction.parameters);
    for (let e = 0; e < out.length; e++) out[e] = values[entryIndex(a, e, x[Math.floor(e / a.width)]!)]!;
  },

  step(instruction, _sources, element, access) {
    const a = instruction.attributes;
    const value = access.source(0, Math.floor(element / a.width));
    return readEntry(access, instruction.type, entryIndex(a, element, value));
  },
};
