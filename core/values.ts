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

const BETWEEN = ', ';
const MORE = '…';
const MAX_NAME = 256;

/** Name of a tensor that several inputs of a model are joined in. Where it gets too long only the tensor itself can be named. */
export function joinedName(parts: readonly string[]): string {
  const whole = parts.join(BETWEEN);
  return whole.length <= MAX_NAME ? whole : `${whole.slice(0, MAX_NAME - 1)}${MORE}`;
}

type Given = Pick<CaseTensor, 'name' | 'data'>;

/**
 * The tensor that a case gives for an input of the program: by its name, as the only one of both, or joined from the inputs of the model that
 * the program's input stands for. Undefined where there is none.
 */
export function givenFor<T extends Given>(
  wanted: TensorInterface,
  isOnly: boolean,
  inputs: readonly T[],
): T | (Given & { dims: readonly number[] }) | undefined {
  const named = (name: string): T | undefined => inputs.find((input) => input.name === name);
  const direct = named(wanted.name) ?? (isOnly && inputs.length === 1 ? inputs[0] : undefined);
  if (direct !== undefined) return direct;
  const parts = wanted.name.split(BETWEEN).map(named);
  if (parts.length < 2 || !parts.every((part) => part !== undefined)) return undefined;
  const data = new Float64Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let from = 0;
  for (const part of parts) {
    data.set(part.data, from);
    from += part.data.length;
  }
  return { name: wanted.name, dims: [data.length], data };
}

/**
 * The customer's side of a request: a case's float inputs as the integers of the program's inputs, in its order.
 * @throws AssayError INPUT_VALUES when an input is missing or does not fit
 */
export function prepareInput(program: Program, inputs: readonly Given[]): TypedArray[] {
  return program.interface.inputs.map((wanted) => {
    const given = givenFor(wanted, program.interface.inputs.length === 1, inputs);
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
