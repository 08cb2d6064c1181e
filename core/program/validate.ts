import { AssayError } from '../errors.ts';
import { validateInstruction } from '../ops/index.ts';
import type { TensorShape } from '../ops/operation.ts';
import type { AnyInstruction, Program } from './types.ts';
import { LIMITS } from './types.ts';

function refuse(why: string, facts: Record<string, number | string> = {}): never {
  throw new AssayError(`Invalid program: ${why}`, { code: 'PROGRAM_INVALID', facts, fix: 'compile the model again with `assay compile`' });
}

/** Types and lengths of what an instruction reads. */
export function sourceShapes(program: Program, instruction: AnyInstruction): TensorShape[] {
  return instruction.sources.map((source) => program.instructions[source]!);
}

export function inputCount(program: Program): number {
  return program.interface.inputs.length;
}

export function outputCount(program: Program): number {
  return program.interface.outputs.length;
}

/** The instructions that write the outputs: the last ones. */
export function outputInstructions(program: Program): readonly AnyInstruction[] {
  return program.instructions.slice(program.instructions.length - outputCount(program));
}

function validateInterface(program: Program): void {
  const { inputs, outputs } = program.interface;
  if (inputs.length < 1 || inputs.length > LIMITS.inputs) refuse('wrong number of inputs', { inputs: inputs.length });
  if (outputs.length < 1 || outputs.length > LIMITS.outputs) refuse('wrong number of outputs', { outputs: outputs.length });
  const ends = [...program.instructions.slice(0, inputs.length), ...outputInstructions(program)];
  [...inputs, ...outputs].forEach((tensor, i) => {
    const instruction = ends[i];
    const length = tensor.dims.reduce((a, b) => a * b, 1);
    if (instruction === undefined || instruction.type !== tensor.type || instruction.length !== length) {
      refuse('an input or output does not match its instruction', { tensor: tensor.name });
    }
    const scales = tensor.scales.length;
    if (scales !== tensor.zeroPoints.length || (scales !== 1 && scales !== tensor.dims[tensor.axis]))
      refuse('scales do not match the shape', { tensor: tensor.name });
    if (!tensor.scales.every((scale) => Number.isFinite(scale) && scale > 0))
      refuse('a scale is not a positive number', { tensor: tensor.name });
    if (!tensor.zeroPoints.every((zero) => Number.isInteger(zero))) refuse('a zero point is not an integer', { tensor: tensor.name });
  });
}

/**
 * Checks everything a program promises: structure, shapes, every weight, shift and bound. Runs in time linear in its size.
 * @throws AssayError PROGRAM_INVALID naming the instruction.
 */
export function validateProgram(program: Program): void {
  const { instructions } = program;
  if (instructions.length > LIMITS.instructions)
    refuse('too many instructions', { instructions: instructions.length, limit: LIMITS.instructions });
  validateInterface(program);
  instructions.forEach((instruction, position) => {
    if ((instruction.kind === 'input') !== position < inputCount(program))
      refuse('inputs come first, and only there', { instruction: position });
    if (!Number.isInteger(instruction.length) || instruction.length < 1 || instruction.length > LIMITS.length)
      refuse('tensor length out of range', { instruction: position });
    if (instruction.sources.some((source) => !Number.isInteger(source) || source < 0 || source >= position)) {
      refuse('an instruction reads a tensor that is not before it', { instruction: position });
    }
    try {
      validateInstruction(instruction, sourceShapes(program, instruction));
    } catch (error) {
      if (error instanceof AssayError)
        throw new AssayError(error.message, {
          code: error.code,
          facts: { instruction: position, ...error.facts },
          cause: error,
          ...(error.fix === undefined ? {} : { fix: error.fix }),
        });
      throw error;
    }
  });
}
