import { execute, stepElement } from '../../core/execute.ts';
import { validateProgram } from '../../core/program/validate.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { openModel, type SessionOptions } from '../../runtime/session.ts';
import { type ComputedKind, type RandomCase, randomCase } from './instructions.ts';
import { Random } from './random.ts';

/** How often a kind was compared. */
export interface Compared {
  readonly cases: number;
  readonly values: number;
}

function differenceOf(expected: TypedArray, actual: TypedArray): string | undefined {
  if (expected.length !== actual.length) return `lengths ${expected.length} and ${actual.length}`;
  const at = expected.findIndex((value, i) => value !== actual[i]);
  return at < 0 ? undefined : `element ${at}: ${expected[at]} expected, ${actual[at]} found`;
}

/** The case in words, for a failure that somebody must reproduce. */
function describe({ program }: RandomCase): string {
  const { parameters, ...rest } = program.instructions.at(-1)!;
  return JSON.stringify({ ...rest, parameterBytes: parameters.length });
}

const OPTIONS: readonly SessionOptions[] = [
  { threads: 1 },
  { threads: 2 },
  { threads: 1, optimization: 'disabled' },
  { threads: 2, optimization: 'extended' },
];

/**
 * Holds onnxruntime to the executor over random instructions of a kind, with varying threads and optimisation, until `wanted` values agree.
 * @param rounds inputs for each instruction; opening a session costs as much as hundreds of runs
 * @throws Error naming seed, case and element of the first difference
 */
export async function compareCarrier(kind: ComputedKind, seed: number, wanted: number, rounds = 3): Promise<Compared> {
  const r = new Random(seed);
  let [cases, values] = [0, 0];
  for (; values < wanted; cases++) {
    const example = randomCase(kind, r);
    validateProgram(example.program);
    const session = await openModel(example.program, OPTIONS[cases % OPTIONS.length]!);
    for (let repeat = 0; repeat < rounds; repeat++) {
      const inputs =
        repeat === 0
          ? example.inputs
          : example.inputs.map((_, i) => {
              const { type, length } = example.program.instructions[i]!;
              return r.tensor(type, length);
            });
      const expected = execute(example.program, inputs);
      const actual = repeat === 1 ? (await session.trace(inputs)).at(-1)! : (await session.run(inputs))[0]!;
      const difference = differenceOf(expected.at(-1)!, actual);
      if (difference !== undefined) throw new Error(`seed ${seed}, case ${cases}: ${difference} in ${describe(example)}`);
      values += actual.length;
    }
    await session.close();
  }
  return { cases, values };
}

/**
 * Holds the single step of a dispute to the executor, element by element.
 * @throws Error naming seed, case and element of the first difference
 */
export function compareSteps(kind: ComputedKind, seed: number, wanted: number): Compared {
  const r = new Random(seed);
  let [cases, values] = [0, 0];
  for (; values < wanted; cases++) {
    const example = randomCase(kind, r);
    const tensors = execute(example.program, example.inputs);
    const position = tensors.length - 1;
    tensors[position]!.forEach((expected, element) => {
      const actual = stepElement(example.program, position, element, tensors);
      if (actual !== expected)
        throw new Error(`seed ${seed}, case ${cases}, element ${element}: ${expected} expected, ${actual} found in ${describe(example)}`);
      values++;
    });
  }
  return { cases, values };
}
