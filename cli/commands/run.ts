import { Command } from 'commander';
import { AssayError } from '../../core/errors.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { readOutput } from '../../core/values.ts';
import { readModelDirectory } from '../../runtime/model-directory.ts';
import { openModel } from '../../runtime/session.ts';
import { answerFacts } from '../answer.ts';
import { programInput } from '../case-input.ts';
import { endableAtOnce } from '../cleanup.ts';
import { readCases } from '../model-source.ts';
import { jsonLine } from '../output.ts';

interface Options {
  readonly input: string;
  readonly reference: boolean;
}

export function runCommand(): Command {
  return new Command('run')
    .description('Run a compiled model: one JSON line a case')
    .argument('<dir>', 'folder written by `assay compile`')
    .requiredOption('--input <file>', 'cases to run, in the form of --calibration')
    .option('--reference', 'run the reference executor instead of onnxruntime: slower, the same bits', false)
    .action(run);
}

type Runner = (inputs: readonly TypedArray[]) => Promise<readonly TypedArray[]>;

async function run(directory: string, options: Options): Promise<void> {
  const { program } = await readModelDirectory(directory);
  const cases = await readCases(options.input, 'The input');
  const inputs = cases.map((one, position) => inCase(position, cases.length, () => programInput(program, one)));
  const clipped = inputs.reduce((sum, input) => sum + [...input.clipped.values()].reduce((a, b) => a + b, 0), 0);
  if (clipped > 0) {
    process.stderr.write(
      `warning: ${clipped} input values lie outside the range seen in calibration and were clipped to it; calibrate with rows like these\n`,
    );
  }
  const { answer, close } = await openRunner(program, options.reference);
  try {
    for (const { tensors } of inputs) process.stdout.write(`${jsonLine(answerFacts(readOutput(program, await answer(tensors))))}\n`);
  } finally {
    await close();
  }
}

async function openRunner(program: Program, reference: boolean): Promise<{ answer: Runner; close: () => Promise<void> }> {
  if (reference) {
    return { answer: async (inputs) => endableAtOnce(() => outputsOf(program, execute(program, inputs))), close: async () => {} };
  }
  const session = await openModel(program);
  return { answer: (inputs) => session.run(inputs), close: () => session.close() };
}

/** Says in which of several cases an error lies. */
function inCase<T>(position: number, total: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof AssayError) || total === 1) throw error;
    throw new AssayError(error.message, {
      code: error.code,
      facts: { case: position, ...error.facts },
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      cause: error,
    });
  }
}
