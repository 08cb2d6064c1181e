import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { readSetupRecord } from '../../circuits/setup/files.ts';
import { encodeRecords, instructionRoot } from '../../core/program/codec.ts';
import type { Program, TensorInterface } from '../../core/program/types.ts';
import { readModelDirectory } from '../../runtime/model-directory.ts';
import { endableAtOnce } from '../cleanup.ts';
import { inspectProgram } from '../inspection.ts';
import { addCompileOptions, type CompileSettings, compileSource, readSource } from '../model-source.ts';
import { createOutput, type Output } from '../output.ts';
import { accuracyText, adviceFor, costText } from '../report-text.ts';

interface Options extends CompileSettings {
  readonly json: boolean;
}

export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('Show what a compiled model holds and costs; or what an ONNX model would, before compiling it')
    .argument('<model>', 'folder written by `assay compile`, or an ONNX file');
  return addCompileOptions(command).action(async (model: string, options: Options) => {
    const output = createOutput(options.json);
    const isFile = await stat(model).then(
      (found) => found.isFile(),
      () => false,
    );
    await (isFile ? preflight(model, options, output) : inspectFolder(model, output));
  });
}

/** The facts of the ONNX model that a report keeps: a program alone does not know them. */
const keptSchema = z.looseObject({
  operators: z.record(z.string().max(200), z.int().min(1)).optional(),
  parameters: z.int().min(0).optional(),
});

async function inspectFolder(directory: string, output: Output): Promise<void> {
  const { program, programBytes, report } = await readModelDirectory(directory);
  const inspection = endableAtOnce(() => inspectProgram(program));
  const kept = keptSchema.safeParse(report);
  const setup = await readSetupRecord(directory);
  const facts = {
    ...identity(program),
    programBytes: programBytes.length,
    operators: kept.data?.operators ?? inspection.instructions,
    ...inspection,
    ...(kept.data?.parameters === undefined ? {} : { parameters: kept.data.parameters }),
    setup:
      setup === undefined
        ? null
        : { development: setup.development, provenance: setup.provenance, keyHash: setup.keyHash, inputForm: setup.inputForm },
  };
  const key =
    setup === undefined
      ? 'none: `assay setup` makes one'
      : setup.development
        ? 'DEVELOPMENT: proves nothing to strangers'
        : `from a ceremony, transcript ${setup.provenance}`;
  output.result(facts, `${interfaceText(program)}\n\n${costText(facts)}\n\nkey made: ${key}`);
}

/** Compiles in memory and keeps nothing: the figures are those of the program that `compile` would write with the same options. */
async function preflight(file: string, options: Options, output: Output): Promise<void> {
  const source = await readSource(file, options, output);
  const { program, report } = compileSource(file, source, options, output);
  output.progress('counting constraints');
  const inspection = endableAtOnce(() => inspectProgram(program));
  const warnings = adviceFor(source, inspection, report);
  const facts = {
    ...identity(program),
    operators: source.operators,
    ...inspection,
    parameters: source.parameters,
    score: report.score,
    warnings,
  };
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  output.result(
    facts,
    `${interfaceText(program)}\n\n${costText(facts)}\n\n${accuracyText(report)}\n\nnothing was written: assay compile does that`,
  );
}

function identity(program: Program): Record<string, unknown> {
  const { name, inputs, outputs } = program.interface;
  return {
    name,
    instructionRoot: instructionRoot(encodeRecords(program)),
    inputs: inputs.map(tensorFacts),
    outputs: outputs.map(tensorFacts),
  };
}

function tensorFacts({ name, dims, type, scales, zeroPoints }: TensorInterface): Record<string, unknown> {
  return { name, dims, type, ...(scales.length === 1 ? { scale: scales[0], zeroPoint: zeroPoints[0] } : { scales, zeroPoints }) };
}

function interfaceText(program: Program): string {
  const line = (role: string, { name, dims, type }: TensorInterface): string => `${role} ${name}: ${type} [${dims.join(', ')}]`;
  const { name, inputs, outputs } = program.interface;
  return [name, ...inputs.map((tensor) => line('  in ', tensor)), ...outputs.map((tensor) => line('  out', tensor))].join('\n');
}
