import type { Instruction } from '../program/types.ts';
import { allocate, ELEMENT_BYTES, fromBytes, type TypedArray, toBytes } from '../tensor.ts';
import { readInteger } from './linear.ts';
import { type Operation, refuse, requireSources, type TensorShape } from './operation.ts';

/** Parameters of a map: one u32 index an output element, then the constants (values of the instruction's type). */
export function encodeMap(indices: Uint32Array, constants: TypedArray): Uint8Array {
  const bytes = new Uint8Array(indices.length * 4 + constants.byteLength);
  bytes.set(new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength));
  bytes.set(toBytes(constants), indices.length * 4);
  return bytes;
}

export function decodeMap(instruction: Instruction<'map'>): { indices: Uint32Array; constants: TypedArray } {
  const copy = new Uint8Array(instruction.parameters);
  return {
    indices: new Uint32Array(copy.buffer, 0, instruction.length),
    constants: fromBytes(instruction.type, copy.subarray(instruction.length * 4)),
  };
}

/** Where an index points: a source and an element of it, or (source = −1) a constant. */
export function locate(sources: readonly TensorShape[], index: number): { source: number; element: number } {
  let rest = index;
  for (let s = 0; s < sources.length; s++) {
    if (rest < sources[s]!.length) return { source: s, element: rest };
    rest -= sources[s]!.length;
  }
  return { source: -1, element: rest };
}

/**
 * `y[e] = (sources joined, then constants)[index[e]]`, the indices being constants of the program. Same type everywhere.
 * Cost of a step: one lookup and one read; in a circuit nothing at all. ONNX: Reshape, Transpose, Slice, Pad, Concat, Split, Tile,
 * Expand, constant Gather, nearest Resize, constants; any chain of them is one map.
 */
export const map: Operation<'map'> = {
  validate(instruction, sources) {
    requireSources('map', sources, 0, 8);
    if (sources.some((source) => source.type !== instruction.type)) refuse('map', 'all sources must have the type of the output');
    const rest = instruction.parameters.length - 4 * instruction.length;
    if (rest < 0 || rest % ELEMENT_BYTES[instruction.type] !== 0) refuse('map', 'wrong number of parameter bytes', { rest });
    const total = sources.reduce((n, source) => n + source.length, rest / ELEMENT_BYTES[instruction.type]);
    const { indices } = decodeMap(instruction);
    for (let e = 0; e < indices.length; e++) if (indices[e]! >= total) refuse('map', 'an index is out of range', { element: e, total });
  },

  execute(instruction, sources, out) {
    const { indices, constants } = decodeMap(instruction);
    const joined = allocate(
      instruction.type,
      sources.reduce((n, s) => n + s.length, constants.length),
    );
    let position = 0;
    for (const part of [...sources, constants]) {
      joined.set(part, position);
      position += part.length;
    }
    for (let e = 0; e < out.length; e++) out[e] = joined[indices[e]!]!;
  },

  step(instruction, sources, element, access) {
    const index = readInteger(access, 4 * element, 4) >>> 0;
    const place = locate(sources, index);
    if (place.source >= 0) return access.source(place.source, place.element);
    const bytes = ELEMENT_BYTES[instruction.type];
    const offset = 4 * instruction.length + place.element * bytes;
    return instruction.type === 'u8' ? access.parameter(offset) : readInteger(access, offset, bytes);
  },
};
