import { execute } from '../../core/execute.ts';
import { executeInstruction } from '../../core/ops/index.ts';
import { encodeMap } from '../../core/ops/map.ts';
import type { AnyInstruction, Program } from '../../core/program/types.ts';
import { inputCount } from '../../core/program/validate.ts';
import { allocate, type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray, tensorRoot } from '../../core/tensor.ts';
import { allKinds } from './all-kinds.ts';
import { programOf } from './instructions.ts';
import type { Random } from './random.ts';

export interface DisputeCase {
  readonly program: Program;
  readonly inputs: readonly TypedArray[];
}

function wide(r: Random): Program {
  const length = r.pick([600, 5_000, 20_000]);
  const spread: AnyInstruction = {
    kind: 'map',
    type: 'u8',
    length,
    sources: [0],
    attributes: {},
    parameters: encodeMap(
      Uint32Array.from({ length }, () => r.integer(0, 299)),
      new Uint8Array(),
    ),
  };
  const root: AnyInstruction = {
    kind: 'isqrt',
    type: 'i16',
    length,
    sources: [1],
    attributes: { shift: r.integer(0, 12) },
    parameters: new Uint8Array(),
  };
  const select: AnyInstruction = {
    kind: 'select',
    type: 'i16',
    length,
    sources: [1, 2, 2],
    attributes: { threshold: 100 },
    parameters: new Uint8Array(),
  };
  return programOf([{ type: 'u8', length: 300 }], [spread, root, select]);
}

/** A program of every kind, or one with tensors of up to two levels, and an input for it. */
export function disputeCase(r: Random): DisputeCase {
  const program = r.chance(0.5) ? allKinds(r) : wide(r);
  const inputs = program.instructions.slice(0, inputCount(program)).map(({ type, length }) => r.tensor(type, length));
  return { program, inputs };
}

function recompute(program: Program, tensors: TypedArray[], position: number): void {
  for (const [next, instruction] of program.instructions.entries()) {
    if (next <= position) continue;
    const out = allocate(instruction.type, instruction.length);
    const sources = instruction.sources.map((source) => tensors[source]!);
    executeInstruction(instruction, sources, out);
    tensors[next] = out;
  }
}

/** A run with one element raised by one (or lowered at the top), and all that follows from it; the output's first element too. */
export function spoiledFrom(program: Program, right: readonly TypedArray[], position: number, element: number): TypedArray[] {
  const tensors: TypedArray[] = right.map((tensor) => tensor.slice());
  const spoil = (tensor: number, at: number): void => {
    const value = tensors[tensor]![at]!;
    tensors[tensor]![at] = value === TYPE_MAXIMUM[program.instructions[tensor]!.type] ? value - 1 : value + 1;
  };
  spoil(position, element);
  recompute(program, tensors, position);
  const last = tensors.length - 1;
  if (tensorRoot(tensors[last]!) === tensorRoot(right[last]!)) spoil(last, 0);
  return tensors;
}

/** Another value of the type. */
function otherValue(r: Random, type: ElementType, value: number): number {
  const other = r.chance(0.5) ? r.integer(TYPE_MINIMUM[type], TYPE_MAXIMUM[type]) : value + 1;
  if (other !== value && other <= TYPE_MAXIMUM[type]) return other;
  return value > TYPE_MINIMUM[type] ? value - 1 : value + 1;
}

/**
 * A run that is wrong in one element of one instruction and computes the rest from it. Where that does not reach the output, one
 * element of the output is wrong too, so that the claim is.
 */
export function faultyRun(r: Random, { program, inputs }: DisputeCase): { position: number; element: number; tensors: TypedArray[] } {
  const position = r.integer(inputCount(program), program.instructions.length - 1);
  const element = r.pick([0, r.integer(0, 2 ** 26), 2 ** 26]) % program.instructions[position]!.length;
  const right = execute(program, inputs);
  const tensors: TypedArray[] = right.map((tensor) => tensor.slice());
  const spoil = (tensor: number, at: number): void => {
    tensors[tensor]![at] = otherValue(r, program.instructions[tensor]!.type, tensors[tensor]![at]!);
  };
  spoil(position, element);
  recompute(program, tensors, position);
  const last = tensors.length - 1;
  if (tensorRoot(tensors[last]!) === tensorRoot(right[last]!)) spoil(last, 0);
  return { position, element, tensors };
}
