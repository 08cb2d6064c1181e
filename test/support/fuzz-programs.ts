import { AssayError } from '../../core/errors.ts';
import { stepElement } from '../../core/execute.ts';
import { decodeProgram, encodeProgram } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { inputCount } from '../../core/program/validate.ts';
import { allKinds } from './all-kinds.ts';
import { COMPUTED_KINDS, randomCase } from './instructions.ts';
import { mutateBytes, mutateProgram } from './mutate.ts';
import { Random } from './random.ts';

export interface FuzzResult {
  readonly refused: number;
  readonly accepted: number;
  /** How often each error code was the answer. */
  readonly codes: Readonly<Record<string, number>>;
}

/** Reads an accepted program's tensors as pseudo-random values, so that no tensor has to exist. */
const anyTensor = (program: Program, position: number): number => {
  const { type } = program.instructions[position]!;
  const value = Math.imul(position + 1, 0x9e3779b1);
  return type === 'u8' ? value & 255 : type === 'i16' ? (value << 16) >> 16 : value;
};

/** One element of every instruction: an accepted program is total whatever its tensors hold. */
function stepEverywhere(program: Program, r: Random): void {
  const tensors = program.instructions.map((_, position) => {
    const value = anyTensor(program, position);
    return new Proxy([], { get: () => value }) as unknown as Uint8Array;
  });
  for (let position = inputCount(program); position < program.instructions.length; position++) {
    const { attributes, length } = program.instructions[position]!;
    const { kernelHeight = 1, kernelWidth = 1 } = attributes as { kernelHeight?: number; kernelWidth?: number };
    if (kernelHeight * kernelWidth > 1e6) continue;
    const value = stepElement(program, position, r.integer(0, length - 1), tensors);
    if (!Number.isInteger(value)) throw new Error(`instruction ${position} computes ${value}`);
  }
}

/**
 * Decodes damaged program files. Each must be refused with an AssayError or be a valid program, whose canonical bytes are then
 * exactly the file and whose every instruction computes an integer.
 * @throws anything else that happened, with the seed and the round
 */
export function fuzzPrograms(seed: number, rounds: number, extra: readonly Uint8Array[] = []): FuzzResult {
  const r = new Random(seed);
  const programs = [allKinds(r), ...COMPUTED_KINDS.flatMap((kind) => [randomCase(kind, r).program, randomCase(kind, r).program])];
  const files = [...programs.map(encodeProgram), ...extra];
  const codes: Record<string, number> = {};
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    try {
      const file = r.chance(0.5) ? mutateBytes(r, r.pick(files)) : mutateProgram(r, r.pick(programs));
      if (file === undefined) continue;
      const program = decodeProgram(file);
      accepted++;
      stepEverywhere(program, r);
      if (Buffer.compare(encodeProgram(program), file) !== 0) throw new Error('one program has two files');
    } catch (error) {
      if (!(error instanceof AssayError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    }
  }
  return { refused: Object.values(codes).reduce((a, b) => a + b, 0), accepted, codes };
}
