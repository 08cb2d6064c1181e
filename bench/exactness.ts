import { execute } from '../core/execute.ts';
import { worstStep } from '../core/program/cost.ts';
import type { Program } from '../core/program/types.ts';
import { inputCount } from '../core/program/validate.ts';
import { firstDifference } from '../core/trace.ts';
import { readModelDirectory } from '../runtime/model-directory.ts';
import { openModel } from '../runtime/session.ts';
import { Random } from '../test/support/random.ts';

export interface ModelExactness {
  readonly instructions: number;
  readonly values: number;
  /** The first tensor and element in which onnxruntime and the executor differ. */
  readonly difference?: { readonly instruction: number; readonly kind: string; readonly element: number };
}

/** Holds every tensor of a model's runs on onnxruntime to the executor, over random inputs with extremes. */
export async function modelExactness(program: Program, rounds: number, seed = 1): Promise<ModelExactness> {
  const r = new Random(seed);
  const session = await openModel(program, { traceOnly: true });
  let values = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const inputs = program.instructions.slice(0, inputCount(program)).map(({ type, length }) => r.tensor(type, length));
      const expected = execute(program, inputs);
      const actual = await session.trace(inputs);
      for (const [instruction, tensor] of expected.entries()) {
        const element = firstDifference(tensor, actual[instruction]!);
        const { kind } = program.instructions[instruction]!;
        if (element !== undefined) return { instructions: expected.length, values, difference: { instruction, kind, element } };
        values += tensor.length;
      }
    }
  } finally {
    await session.close();
  }
  return { instructions: program.instructions.length, values };
}

// `tsx bench/exactness.ts DIR…`: compiled models.
if (process.argv[1] === import.meta.filename) {
  for (const directory of process.argv.slice(2)) {
    const { program } = await readModelDirectory(directory);
    const result = await modelExactness(program, 3);
    const { bytes, gas } = worstStep(program);
    console.log(
      JSON.stringify({
        directory,
        ...result,
        differing: result.difference === undefined ? 0 : 'some',
        worstStepBytes: bytes,
        worstStepGas: gas,
      }),
    );
  }
}
