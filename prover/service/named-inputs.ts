import { AssayError } from '../../core/errors.ts';
import type { Program } from '../../core/program/types.ts';
import { allocate, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../../core/tensor.ts';
import type { TensorForm } from '../../core/tensor-list.ts';
import { prepareInput } from '../../core/values.ts';
import type { Named } from '../http/service.ts';

/**
 * Inputs by name as the program's tensors: real values are rounded as the model says, integers are taken as they are.
 * @throws AssayError INPUT_SHAPE, INPUT_VALUES, INPUT_RANGE
 */
export function namedTensors(
  program: Program,
  forms: readonly TensorForm[],
  { values, integers }: { readonly values?: Named | undefined; readonly integers?: Named | undefined },
): TypedArray[] {
  const given = values ?? integers ?? {};
  const names = program.interface.inputs.map(({ name }) => name);
  const foreign = Object.keys(given).find((name) => !names.includes(name));
  if (foreign !== undefined) {
    throw new AssayError('The model has no input of that name', {
      code: 'INPUT_SHAPE',
      facts: { input: foreign.slice(0, 80), inputs: names.join(', ').slice(0, 400) },
      fix: 'name the inputs as GET /v1/models does',
    });
  }
  if (values !== undefined) {
    const inputs = Object.entries(values).map(([name, data]) => ({ name, data: Float64Array.from(data) }));
    return prepareInput(program, inputs);
  }
  return forms.map((form, i) => integerTensor(names[i]!, form, given[names[i]!]));
}

function integerTensor(name: string, { type, length }: TensorForm, given: readonly number[] | undefined): TypedArray {
  if (given?.length !== length) {
    throw new AssayError(`Input '${name.slice(0, 80)}' has ${given?.length ?? 'no'} values`, {
      code: 'INPUT_VALUES',
      facts: { expected: length },
      fix: `give ${length} integers, row by row`,
    });
  }
  const [low, high] = [TYPE_MINIMUM[type], TYPE_MAXIMUM[type]];
  const tensor = allocate(type, length);
  given.forEach((value, i) => {
    if (value < low || value > high) {
      throw new AssayError(`Input '${name.slice(0, 80)}' holds ${value}`, {
        code: 'INPUT_RANGE',
        facts: { element: i, low, high },
        fix: `give integers from ${low} to ${high}`,
      });
    }
    tensor[i] = value;
  });
  return tensor;
}
