import { stepInstruction } from '../ops/index.ts';
import type { Program } from '../program/types.ts';
import { sourceShapes } from '../program/validate.ts';
import { ELEMENT_BYTES, type TypedArray } from '../tensor.ts';
import { CHUNK_BYTES } from '../tree.ts';

/** What one step reads: 512-byte leaves, ascending, each once. */
export interface StepReads {
  /** The element as computed from these tensors. */
  readonly value: number;
  /** For each source in order, the leaves of its tensor. */
  readonly sources: readonly (readonly number[])[];
  readonly parameters: readonly number[];
}

function ascending(leaves: ReadonlySet<number>): number[] {
  return [...leaves].sort((a, b) => a - b);
}

/**
 * Runs one step and notes every byte it asks for: what a dispute has to open, by the semantics themselves and not by a second
 * description of them.
 * @param tensors of a run in which all sources of the instruction are as posted
 */
export function stepReads(program: Program, position: number, element: number, tensors: readonly TypedArray[]): StepReads {
  const instruction = program.instructions[position]!;
  const shapes = sourceShapes(program, instruction);
  const sources = shapes.map(() => new Set<number>());
  const parameters = new Set<number>();
  const value = stepInstruction(instruction, shapes, element, {
    source(n, index) {
      sources[n]!.add(Math.floor((index * ELEMENT_BYTES[shapes[n]!.type]) / CHUNK_BYTES));
      return tensors[instruction.sources[n]!]![index]!;
    },
    parameter(offset) {
      parameters.add(Math.floor(offset / CHUNK_BYTES));
      return instruction.parameters[offset]!;
    },
  });
  return { value, sources: sources.map(ascending), parameters: ascending(parameters) };
}
