import { stepEvidenceOf } from '../../core/dispute/step-evidence.ts';
import { execute } from '../../core/execute.ts';
import { encodeRecord } from '../../core/program/record.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { buildTrace, type Trace } from '../../core/trace.ts';
import type { RandomCase } from './instructions.ts';
import type { StepCall } from './step-chain.ts';

/** A run of a one-instruction program, and the honest call for an element of it. */
export interface StepCase {
  readonly position: number;
  readonly own: Trace;
  callFor(element: number): StepCall & { readonly value: number };
}

export function stepCase({ program, inputs }: RandomCase): StepCase {
  const position = program.instructions.length - 1;
  const instruction = program.instructions[position]!;
  const own = buildTrace(execute(program, inputs));
  const record = encodeRecord(instruction, sourceShapes(program, instruction));
  const sourceRoots = instruction.sources.map((source) => own.roots[source]!);
  return {
    position,
    own,
    callFor: (element) => ({ record, element, sourceRoots, ...stepEvidenceOf(program, position, element, own) }),
  };
}
