import type { CaseTensor } from './cases.ts';
import { AssayError } from './errors.ts';
import type { Program, TensorInterface } from './program/types.ts';
import { allocate, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from './tensor.ts';

/** Scale and zero point of one element: one for all, or by its position along `axis`. */
function at(tensor: TensorInterface, element: number): { scale: number; zero: number } {
  if (tensor.scales.length === 1) return { scale: tensor.scales[0]!, zero: tensor.zeroPoints[0]! };
  let inner = 1;
  for (let axis = tensor.axis + 1; axis < tensor.dims.length; axis++) inner *= tensor.dims[axis]!;
  const position = Math.floor(element / inner) % tensor.scales.length;
  return { scale: tensor.scales[position]!, zero: tensor.zeroPoints[position]! };
}

/**
 * Real values to the integers of an input: `clamp(round half up(value / scale) + zero)`. One division and one rounding in
 * doubles, so every machine makes the same integers.
 * @throws AssayError INPUT_VALUES when the count is wrong or a value is not finite
 */
export function quantizeTensor(tensor: TensorInterface, values: ArrayLike<number>): TypedArray {
  const length = tensor.dims.reduce((product, dim) => product * dim, 1);
  if (values.length !== length) {
    throw new AssayError(`Input '${tensor.name}' has ${values.length} values`, {
      code: 'INPUT_VALUES',
      facts: { input: tensor.name, values: values.length, expected: length },
      fix: `give ${length} values, the shape [${tensor.dims.join(', ')}] in row-major order`,
    });
  }
  const out = allocate(tensor.type, length);
  const [low, high] = [TYPE_MINIMUM[tensor.type], TYPE_MAXIMUM[tensor.type]];
  for (let e = 0; e < length; e++) {
    const value = values[e]!;
    if (!Number.isFinite(value)) {
      throw new AssayError(`Input '${tensor.name}' holds ${value}`, {
        code: 'INPUT_VALUES',
        facts: { input: tensor.name, element: e },
        fix: 'give finite numbers',
      });
    }
    const { scale, zero } = at(tensor, e);
    out[e] = Math.min(high, Math.max(low, Math.floor(value / scale + 0.5) + zero));
  }
  return out;
}

/** Integers to real values: `(integer − zero)·scale`. */
export function dequantizeTensor(tensor: TensorInterface, integers: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: integers.length }, (_, e) => {
    const { scale, zero } = at(tensor, e);
    return (integers[e]! - zero) * scale;
  });
}

/**
 * The customer's side of a request: a case's float inputs as the integers of the program's inputs, in its order.
 * @throws AssayError INPUT_VALUES when an input is missing or does not fit
 */
export function prepareInput(program: Program, inputs: readonly Pick<CaseTensor, 'name' | 'data'>[]): TypedArray[] {
  return program.interface.inputs.map((wanted) => {
    const given =
      inputs.find((input) => input.name === wanted.name) ??
      (program.interface.inputs.length === 1 && inputs.length === 1 ? inputs[0] : undefined);
    if (given === undefined) {
      throw new AssayError(`No value for the input '${wanted.name}'`, {
        code: 'INPUT_VALUES',
        facts: { input: wanted.name },
        fix: 'name every input of the model',
      });
    }
    return quantizeTensor(wanted, given.data);
  });
}

export interface OutputValues {
  readonly name: string;
  readonly dims: readonly number[];
  readonly integers: TypedArray;
  readonly values: Float64Array;
}

/** The program's integer outputs as people read them. */
export function readOutput(program: Program, outputs: readonly TypedArray[]): OutputValues[] {
  return program.interface.outputs.map((tensor, i) => {
    const integers = outputs[i];
    if (integers === undefined)
      throw new AssayError(`No tensor for the output '${tensor.name}'`, { code: 'INPUT_VALUES', facts: { output: tensor.name } });
    return { name: tensor.name, dims: tensor.dims, integers, values: dequantizeTensor(tensor, integers) };
  });
}

/** Position of the largest value along the last axis, the first on ties. */
export function argmaxLast(dims: readonly number[], values: ArrayLike<number>): number[] {
  const width = dims[dims.length - 1] ?? 1;
  return Array.from({ length: values.length / width }, (_, row) => {
    let best = 0;
    for (let i = 1; i < width; i++) if (values[row * width + i]! > values[row * width + best]!) best = i;
    return best;
  });
}
