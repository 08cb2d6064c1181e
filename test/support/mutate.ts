import { encodeProgram, encodeRecords } from '../../core/program/codec.ts';
import { type AnyInstruction, ATTRIBUTES, type Program } from '../../core/program/types.ts';
import type { Random } from './random.ts';

const EXTREMES = [0, 1, 2, 255, 256, 32767, 32768, 65535, 65536, 2 ** 26, 2 ** 26 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** Damages bytes: flips, extremes over a 32-bit field, cuts, repeats, additions. */
export function mutateBytes(r: Random, file: Uint8Array): Uint8Array {
  let bytes = Uint8Array.from(file);
  for (let edits = r.integer(1, 4); edits > 0; edits--) {
    const at = r.chance(0.6) ? r.integer(0, Math.min(bytes.length - 1, 2000)) : r.integer(0, bytes.length - 1);
    const style = r.integer(0, 5);
    if (style <= 1) bytes[at] = bytes[at]! ^ (1 << r.integer(0, 7));
    else if (style === 2) bytes[at] = r.integer(0, 255);
    else if (style === 3 && at + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(at, r.pick(EXTREMES));
    else if (style === 4) bytes = bytes.slice(0, Math.max(1, at));
    else {
      const part = bytes.slice(at, at + r.integer(1, 300));
      const longer = new Uint8Array(bytes.length + part.length);
      longer.set(bytes.subarray(0, at));
      longer.set(part, at);
      longer.set(bytes.subarray(at), at + part.length);
      bytes = longer;
    }
  }
  return bytes;
}

function mutateInstruction(r: Random, instruction: AnyInstruction): AnyInstruction {
  const style = r.integer(0, 5);
  const value = (): number => (r.chance(0.5) ? r.pick(EXTREMES) | 0 : r.integer(-5, 300));
  if (style === 0 && instruction.parameters.length > 0) {
    const parameters = mutateBytes(r, instruction.parameters);
    return { ...instruction, parameters };
  }
  if (style === 1) return { ...instruction, length: Math.abs(value()) };
  if (style === 2) return { ...instruction, type: r.pick(['u8', 'i16', 'i32'] as const) };
  if (style === 3) return { ...instruction, sources: instruction.sources.map(() => r.integer(0, 5)) };
  const names: readonly string[] = ATTRIBUTES[instruction.kind];
  if (names.length === 0) return { ...instruction, sources: [...instruction.sources, 0] };
  // The name is one of the kind's own attributes, so the union member stays the right one.
  return { ...instruction, attributes: { ...instruction.attributes, [r.pick(names)]: value() } } as AnyInstruction;
}

/**
 * Damages the meaning and keeps the bytes consistent (roots, lengths), so that the damage reaches the validators. Undefined
 * when the damaged program cannot even be written.
 */
export function mutateProgram(r: Random, program: Program): Uint8Array | undefined {
  const instructions = [...program.instructions];
  for (let edits = r.integer(1, 2); edits > 0; edits--) {
    const at = r.integer(0, instructions.length - 1);
    instructions[at] = mutateInstruction(r, instructions[at]!);
  }
  const damaged = { ...program, instructions };
  if (instructions.some((instruction) => instruction.sources.some((source) => source >= instructions.length))) return undefined;
  if (instructions.some((instruction) => instruction.sources.length > 8)) return undefined;
  encodeRecords(damaged);
  return encodeProgram(damaged);
}
