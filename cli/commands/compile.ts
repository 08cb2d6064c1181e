import { Command, InvalidArgumentError } from 'commander';
import { encodeRecords, instructionRoot } from '../../core/program/codec.ts';
import { requireDisputable } from '../../core/program/cost.ts';
import { writeModelDirectory } from '../../runtime/model-directory.ts';
import { endableAtOnce } from '../cleanup.ts';
import { checkFolderTarget, writeFolder } from '../files.ts';
import { inspectProgram } from '../inspection.ts';
import { isModelFolder } from '../model-folder.ts';
import { addCompileOptions, type CompileSettings, compileSource, readSource } from '../model-source.ts';
import { createOutput, type Output } from '../output.ts';
import { accuracyText, adviceFor, costText } from '../report-text.ts';
import { seconds } from '../text.ts';

interface Options extends CompileSettings {
  readonly out: string;
  readonly force: boolean;
  readonly name?: string;
  readonly maxAccuracyDrop?: number;
  readonly json: boolean;
}

export function compileCommand(): Command {
  const command = new Command('compile')
    .description('Turn an ONNX model into an integer program, and say what that costs and loses')
    .argument('<model>', 'ONNX file; its external weights lie beside it')
    .requiredOption('--out <dir>', 'folder for program.assay, carrier.onnx and report.json')
    .option('--force', 'replace the compiled model that is there, keys included', false)
    .option('--name <text>', "name of the program, part of its identity (default: the file's)")
    .option('--max-accuracy-drop <points>', 'refuse when held-out accuracy falls by more percentage points', points);
  return addCompileOptions(command).action((model: string, options: Options) => compile(model, options, createOutput(options.json)));
}

async function compile(file: string, options: Options, output: Output): Promise<void> {
  const target = { isOurs: isModelFolder, force: options.force };
  await checkFolderTarget(options.out, target);
  const started = performance.now();
  const source = await readSource(file, options, output);
  const { program, report } = compileSource(file, source, options, output);
  output.progress('counting constraints');
  const inspection = endableAtOnce(() => inspectProgram(program));
  // A program that can neither be proved nor disputed is of no use to anybody.
  if (!inspection.tiers.zk.available) requireDisputable(program);
  const { name, inputs, outputs } = program.interface;
  const full = {
    name,
    instructionRoot: instructionRoot(encodeRecords(program)),
    inputs: inputs.map(({ name, dims, type }) => ({ name, dims, type })),
    outputs: outputs.map(({ name, dims, type }) => ({ name, dims, type })),
    operators: source.operators,
    ...inspection,
    parameters: source.parameters,
    ...report,
    warnings: adviceFor(source, inspection, report),
  };
  await writeFolder(options.out, target, async (partial) => {
    await writeModelDirectory(partial, program, full);
  });
  for (const warning of full.warnings) process.stderr.write(`warning: ${warning}\n`);
  const took = (performance.now() - started) / 1000;
  const { layers: _, ...brief } = full;
  output.result(
    { event: 'compiled', out: options.out, seconds: took, ...brief },
    `${costText(full)}\n\n${accuracyText(report)}\n\nwrote ${options.out} in ${seconds(took)}; next: assay inspect, run, setup`,
  );
}

function points(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 100)
    throw new InvalidArgumentError('Give percentage points from 0 to 100.');
  return value;
}
