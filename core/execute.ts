import { AssayError } from './errors.ts';
import { executeInstruction, stepInstruction } from './ops/index.ts';
import type { StepAccess } from './ops/operation.ts';
import type { Program } from './program/types.ts';
import { inputCount, outputCount, sourceShapes } from './program/validate.ts';
import { allocate, elementTypeOf, type TypedArray } from './tensor.ts';

/** @throws AssayError INPUT_SHAPE unless the tensors are exactly what the program's inputs are. */
export function checkInputs(program: Program, inputs: readonly TypedArray[]): void {
  const expected = program.interface.inputs;
  expected.forEach((tensor, i) => {
    const given = inputs[i];
    const length = program.instructions[i]!.length;
    if (given === undefined || given.length !== length || elementTypeOf(given) !== tensor.type) {
      throw new AssayError('An input does not have the shape the model wants', {
        code: 'INPUT_SHAPE',
        facts: { input: tensor.name, type: tensor.type, elements: length, given: given?.length ?? 0 },
        fix: `give ${length} ${tensor.type} values in the order of dims [${tensor.dims.join(', ')}]`,
      });
    }
  });
  if (inputs.length !== expected.length) {
    throw new AssayError('Wrong number of inputs', { code: 'INPUT_SHAPE', facts: { given: inputs.length, expected: expected.length } });
  }
}

/**
 * Runs a valid program in plain typed arrays: the reference every other face is held to.
 * @returns all tensors, inputs first; tensor i is what instruction i writes
 */
export function execute(program: Program, inputs: readonly TypedArray[]): TypedArray[] {
  checkInputs(program, inputs);
  const tensors: TypedArray[] = [...inputs];
  for (const instruction of program.instructions.slice(inputCount(program))) {
    const out = allocate(instruction.type, instruction.length);
    executeInstruction(
      instruction,
      instruction.sources.map((source) => tensors[source]!),
      out,
    );
    tensors.push(out);
  }
  return tensors;
}

/** The last tensors of a run: the program's outputs. */
export function outputsOf(program: Program, tensors: readonly TypedArray[]): TypedArray[] {
  return tensors.slice(tensors.length - outputCount(program));
}

/** Computes one element of one instruction from the tensors of a run: the step that a dispute repeats on chain. */
export function stepElement(program: Program, position: number, element: number, tensors: readonly TypedArray[]): number {
  const instruction = program.instructions[position]!;
  const access: StepAccess = {
    source: (n, index) => tensors[instruction.sources[n]!]![index]!,
    parameter: (offset) => instruction.parameters[offset]!,
  };
  return stepInstruction(instruction, sourceShapes(program, instruction), element, access);
}
