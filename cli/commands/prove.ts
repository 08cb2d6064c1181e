import { stat } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { prove as proveAnswer } from '../../circuits/prove.ts';
import { missingSetup, readSetupRecord } from '../../circuits/setup/files.ts';
import type { Case } from '../../core/cases.ts';
import { AssayError } from '../../core/errors.ts';
import { readOutput } from '../../core/values.ts';
import { SCALAR_FIELD } from '../../core/zk-encoding.ts';
import { readModelDirectory } from '../../runtime/model-directory.ts';
import { cancellable } from '../abort.ts';
import { answerFacts, answerText } from '../answer.ts';
import { programInput } from '../case-input.ts';
import { writeWhole } from '../files.ts';
import { readCases } from '../model-source.ts';
import { createOutput, type Output } from '../output.ts';
import { seconds } from '../text.ts';
import { phasePrinter } from './setup.ts';

interface Options {
  readonly input: string;
  readonly out: string;
  readonly case: number;
  readonly context: bigint;
  readonly memory?: number;
  readonly json: boolean;
}

export function proveCommand(): Command {
  return new Command('prove')
    .description("Prove a model's answer to one input")
    .argument('<dir>', 'folder with a setup')
    .requiredOption('--input <file>', 'the input, in the form of --calibration')
    .requiredOption('--out <file>', 'file for the proof; public signals go beside it, as NAME.public.json')
    .option('--case <n>', 'which case of the file, from 0 on', caseNumber, 0)
    .addOption(
      new Option('--context <value>', 'first public signal: whose request this answers; decimal or 0x hex')
        .argParser(parseContext)
        .default(0n, '0'),
    )
    .option('--memory <mib>', 'give up when proving takes more memory', caseNumber)
    .action((directory: string, options: Options) => prove(directory, options, createOutput(options.json)));
}

async function prove(directory: string, options: Options, output: Output): Promise<void> {
  await requireFilePlace(options.out);
  const { program } = await readModelDirectory(directory);
  if ((await readSetupRecord(directory)) === undefined) throw missingSetup(directory);
  const { tensors, clipped } = programInput(program, chooseCase(await readCases(options.input, 'The input'), options.case, output));
  for (const [name, values] of clipped)
    process.stderr.write(`warning: ${values} values of '${name}' lie outside the range seen in calibration and were clipped to it\n`);
  const started = performance.now();
  const onProgress = phasePrinter(output);
  const pool = options.memory === undefined ? {} : { memoryMegabytes: options.memory };
  const proved = await cancellable((signal) =>
    proveAnswer({ directory, inputs: tensors, context: options.context, signal, onProgress }, pool),
  );
  const took = (performance.now() - started) / 1000;
  // The signals first: a proof without them says nothing.
  await writeWhole(publicFile(options.out), `${JSON.stringify(proved.publicSignals, null, 1)}\n`);
  await writeWhole(options.out, `${JSON.stringify(proved.proof, null, 1)}\n`);
  const outputs = readOutput(program, proved.outputs);
  output.result(
    {
      event: 'proved',
      proof: options.out,
      public: publicFile(options.out),
      seconds: took,
      publicSignals: proved.publicSignals,
      ...answerFacts(outputs),
    },
    `${answerText(outputs)}\nwrote ${options.out} and ${publicFile(options.out)} in ${seconds(took)}; next: assay verify ${options.out} --model ${directory}`,
  );
}

/** `proof.json` → `proof.public.json`. */
export function publicFile(proof: string): string {
  return proof.replace(/(\.json)?$/i, '.public.json');
}

export function chooseCase(cases: readonly Case[], wanted: number, output: Output): Case {
  const chosen = cases[wanted];
  if (chosen === undefined) {
    throw new AssayError('The input has no such case', {
      code: 'USAGE',
      facts: { case: wanted, cases: cases.length },
      fix: `give --case 0 to ${cases.length - 1}`,
    });
  }
  if (cases.length > 1) output.progress(`case ${wanted} of ${cases.length} in the file`);
  return chosen;
}

/** Before the work, not after it. */
async function requireFilePlace(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  throw new AssayError('The proof cannot be written there', {
    code: 'FILE_UNUSABLE',
    facts: { file, reason: found.isDirectory() ? 'a folder' : 'not a regular file' },
    fix: 'name a file, as in --out proof.json',
  });
}

export function caseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

export function parseContext(text: string): bigint {
  if (!/^(0x[0-9a-f]{1,64}|\d{1,78})$/i.test(text) || BigInt(text) >= SCALAR_FIELD)
    throw new InvalidArgumentError('Give a number below the scalar field of BN254, decimal or 0x hex.');
  return BigInt(text);
}
