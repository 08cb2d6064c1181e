import type { Case, CaseTensor } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import type { Program, TensorInterface } from '../core/program/types.ts';
import { TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../core/tensor.ts';
import { givenFor, prepareInput } from '../core/values.ts';

/** A case's inputs as the program takes them, and how many values lay outside what it can hold. */
export interface ProgramInput {
  readonly tensors: readonly TypedArray[];
  /** Values that were clipped to the range seen in calibration, by input; inputs without any are left out. */
  readonly clipped: ReadonlyMap<string, number>;
}

/**
 * Checks a case against the program's inputs more strictly than arithmetic needs: another shape of equal size, or an integer outside its
 * type's range, is a mistake of the caller's.
 * @throws AssayError INPUT_SHAPE, INPUT_RANGE, INPUT_VALUES
 */
export function programInput(program: Program, given: Case): ProgramInput {
  const { inputs } = program.interface;
  const clipped = new Map<string, number>();
  for (const wanted of inputs) {
    const tensor = givenFor(wanted, inputs.length === 1, given.inputs);
    if (tensor === undefined) {
      throw new AssayError(`The case has no value for the input '${wanted.name}'`, {
        code: 'INPUT_SHAPE',
        facts: { given: given.inputs.map(({ name }) => name).join(', ') },
        fix: 'name every input of the model; `assay inspect` lists them',
      });
    }
    checkShape(wanted, tensor);
    const outside = countOutside(wanted, tensor);
    if (outside > 0) clipped.set(wanted.name, outside);
  }
  return { tensors: prepareInput(program, given.inputs), clipped };
}

/** Dimensions of one are left out of the comparison: [28, 28] is a fair way to write [1, 1, 28, 28]. */
function checkShape(wanted: TensorInterface, given: Pick<CaseTensor, 'dims' | 'data'>): void {
  const essential = (dims: readonly number[]): string => dims.filter((dim) => dim !== 1).join('x');
  if (essential(wanted.dims) === essential(given.dims)) return;
  throw new AssayError(`The input '${wanted.name}' has the wrong shape`, {
    code: 'INPUT_SHAPE',
    facts: { given: given.dims.join('x'), wanted: wanted.dims.join('x') },
    fix: 'give one value an element in the shape that the model was compiled for; dynamic dimensions were fixed by the first calibration case',
  });
}

function countOutside(wanted: TensorInterface, given: Pick<CaseTensor, 'dims' | 'data'>): number {
  // Half a step beyond the ends still rounds to them.
  const lows = wanted.scales.map((scale, i) => (TYPE_MINIMUM[wanted.type] - wanted.zeroPoints[i]! - 0.5) * scale);
  const highs = wanted.scales.map((scale, i) => (TYPE_MAXIMUM[wanted.type] - wanted.zeroPoints[i]! + 0.5) * scale);
  const inner = wanted.dims.slice(wanted.axis + 1).reduce((product, dim) => product * dim, 1);
  let outside = 0;
  for (let element = 0; element < given.data.length; element++) {
    const value = given.data[element]!;
    const column = Math.floor(element / inner) % wanted.scales.length;
    const [low, high] = [lows[column]!, highs[column]!];
    if (value >= low && value < high) continue;
    if (wanted.scales[column] === 1) {
      throw new AssayError(`The input '${wanted.name}' holds a value outside its range`, {
        code: 'INPUT_RANGE',
        facts: { element, value, low: Math.ceil(low), high: Math.floor(high) },
        fix: 'give integers within the range of the model input',
      });
    }
    outside++;
  }
  return outside;
}
