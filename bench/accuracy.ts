import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { type Case, parseCases } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import { execute } from '../core/execute.ts';
import { evaluateGraph } from '../core/onnx/evaluate/index.ts';
import { parseModel } from '../core/onnx/parse.ts';
import { encodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { feedsOf } from '../core/quantize/calibration.ts';
import { type Compiled, compileModel } from '../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../core/values.ts';
import { caseOf, type DataSet, readLabelled } from './labelled.ts';

/**
 * Compiles every model of a case folder and writes what integer programs keep of the float models' answers.
 *     npx tsx bench/accuracy.ts --cases ../shared/cases --out docs/accuracy.md
 * Rows that calibrate never score.
 */
const modelSchema = z.object({
  name: z.string(),
  file: z.string(),
  cases: z.string(),
  bytes: z.number(),
  accuracy: z
    .object({
      dataset: z.string(),
      float_top1: z.number(),
      preprocess: z.object({ prep: z.enum(['raw255', 'unit', 'norm', 'none']), layout: z.enum(['hwc', 'chw']).optional() }),
    })
    .optional(),
});
const manifestSchema = z.object({ models: z.array(modelSchema) });
type Model = z.infer<typeof modelSchema>;

interface Row {
  readonly model: string;
  readonly mode: string;
  readonly seconds: number;
  readonly instructions: number;
  readonly kilobytes: number;
  /** Labelled models. */
  readonly top1?: {
    readonly float: number;
    readonly integer: number;
    readonly agreement: number;
    readonly rows: number;
    readonly set: string;
  };
  /** Others: root-mean-square error over the range of the float outputs. */
  readonly error?: { readonly relative: number; readonly rows: number; readonly from: string };
  readonly decibels?: number;
  readonly refused?: string;
}

const CALIBRATION_ROWS = 100;

function best(values: ArrayLike<number>): number {
  if (values.length === 1) return Math.round(values[0]!);
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[at]!) at = i;
  return at;
}

function run(program: Program, one: Case): ArrayLike<number>[] {
  const tensors = execute(program, prepareInput(program, one.inputs));
  return readOutput(program, tensors.slice(tensors.length - program.interface.outputs.length)).map((output) => output.values);
}

/** Float answers for every row of the data set as onnxruntime gave them, where it did. */
function floatAnswers(folder: string, model: Model, rows: number): number[] | undefined {
  const raw: unknown = JSON.parse(readFileSync(join(folder, 'models', model.name, 'float_predictions.json'), 'utf8'));
  const lists = Array.isArray(raw) ? [raw] : Object.values(raw as object);
  return lists.find((list): list is number[] => Array.isArray(list) && list.length === rows);
}

/** Every tenth (or so) row calibrates, all others score. */
function labelledRow(folder: string, model: Model, limit: number): Row {
  const { accuracy } = model;
  const cases = parseCases(readFileSync(join(folder, model.cases), 'utf8'));
  const input = cases[0]!.inputs[0]!;
  // The larger CIFAR set has enough rows for both purposes.
  const set = (accuracy!.dataset === 'cifar10_lossless' ? 'cifar10' : accuracy!.dataset) as DataSet;
  const { rows, labels } = readLabelled(folder, set, accuracy!.preprocess);
  const all = rows.map((row, i) => caseOf(input.name, input.dims, row, labels[i]!));
  const step = Math.max(3, Math.floor(all.length / CALIBRATION_ROWS));
  const calibration = all.filter((_, i) => i % step === 0);
  const scored = all.flatMap((one, i) => (i % step === 0 ? [] : [{ one, i }])).slice(0, limit);
  const started = performance.now();
  const compiled = compileModel({ onnx: readFileSync(join(folder, model.file)), calibration, options: { name: model.name } });
  const seconds = (performance.now() - started) / 1000;
  const onnx = readFileSync(join(folder, model.file));
  const known = floatAnswers(folder, model, all.length);
  const graph = parseModel(onnx);
  const float = (one: Case, i: number): number => known?.[i] ?? best([...evaluateGraph(graph, feedsOf(graph, one)).values()][0]!.data);
  let integerRight = 0;
  let floatRight = 0;
  let same = 0;
  for (const { one, i } of scored) {
    const answer = best(run(compiled.program, one)[0]!);
    if (answer === one.label) integerRight++;
    const wanted = float(one, i);
    if (wanted === one.label) floatRight++;
    if (wanted === answer) same++;
  }
  const share = (count: number): number => count / scored.length;
  const top1 = { float: share(floatRight), integer: share(integerRight), agreement: share(same), rows: scored.length, set };
  return { ...facts(model, compiled, seconds), top1 };
}

function facts(model: Model, { program, report }: Compiled, seconds: number): Omit<Row, 'top1' | 'error'> {
  const weights = report.mode === 'narrow' && report.weightLimit === 127 ? 'narrow, 8-bit weights' : report.mode;
  return {
    model: model.name,
    mode: weights,
    seconds,
    instructions: program.instructions.length,
    kilobytes: encodeProgram(program).length / 1024,
    decibels: report.score.outputs[0]!.decibels,
  };
}

/** The first case scores and the others calibrate; a single case calibrates and its neighbours score. */
function plainRow(folder: string, model: Model): Row {
  const cases = parseCases(readFileSync(join(folder, model.cases), 'utf8'));
  const [first, ...others] = cases;
  const started = performance.now();
  const compiled = compileModel({
    onnx: readFileSync(join(folder, model.file)),
    calibration: others.length > 0 ? others : cases,
    options: { name: model.name },
  });
  const seconds = (performance.now() - started) / 1000;
  const base = facts(model, compiled, seconds);
  if (others.length === 0) {
    const relative = Math.max(...compiled.report.score.outputs.map((output) => output.relativeError));
    return { ...base, error: { relative, rows: compiled.report.score.cases, from: 'neighbours of the one case' } };
  }
  let noise = 0;
  let count = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  // Outputs beyond the sixth are joined: one after the other they are the same list.
  const answers = run(compiled.program, first!).flatMap((values) => Array.from(values));
  for (const v of first!.outputs.flatMap(({ data }) => Array.from(data))) {
    noise += (answers[count]! - v) ** 2;
    count++;
  }
  for (const one of cases)
    for (const output of one.outputs)
      for (const v of output.data) {
        low = Math.min(low, v);
        high = Math.max(high, v);
      }
  return {
    ...base,
    error: { relative: Math.sqrt(noise / Math.max(1, count)) / (high - low || Math.abs(high) || 1), rows: 1, from: 'a case left out' },
  };
}

function measure(folder: string, model: Model, limit: number): Row {
  try {
    return model.accuracy === undefined ? plainRow(folder, model) : labelledRow(folder, model, limit);
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    return { model: model.name, mode: '–', seconds: 0, instructions: 0, kilobytes: 0, refused: error.message };
  }
}

const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;

function line(row: Row): string {
  if (row.refused !== undefined) return `| ${row.model} | refused | | | | ${row.refused} |`;
  const result =
    row.top1 !== undefined
      ? `top-1 ${percent(row.top1.integer)} (float ${percent(row.top1.float)}), agreement ${percent(row.top1.agreement)} on ${row.top1.rows} rows of ${row.top1.set}`
      : `error ${percent(row.error!.relative, 3)} of the range, ${row.decibels!.toFixed(0)} dB; ${row.error!.rows} × ${row.error!.from}`;
  return `| ${row.model} | ${row.mode} | ${row.instructions} | ${row.kilobytes.toFixed(0)} | ${row.seconds.toFixed(1)} | ${result} |`;
}

function page(rows: readonly Row[]): string {
  const compiled = rows.filter((row) => row.refused === undefined).length;
  return `# Accuracy

What integer programs keep of the answers of models that others trained, measured by \`npx tsx bench/accuracy.ts\`; rows that calibrate never score.
${compiled} of ${rows.length} models compile. *narrow*: 8-bit activations and 7-bit weights; *8-bit weights* and *wide* (16 bits, 32 where values are added up) where the
compiler measured that narrow loses too much: an expected agreement below 98 %, judged by the float model's margins and the errors on rows kept out
of calibration, or an error above 1.5 % of an output's range (0.75 % where it is one number). Where one case is all there is, its neighbours span
a small range: a large error of that range with many decibels (one number out of a sum or an LSTM) is still a small one of the value. Of more than
six outputs the sixth and later ones are one tensor (age-cnn has nine): a model's identity packs six output types into one word, so six it stays.

Times are of one run on a shared two-core machine, calibration and scoring inside the compiler included. Over all models the process that compiled and
scored them took at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory.

| model | mode | instructions | KiB | seconds | result |
|---|---|---|---|---|---|
${rows.map(line).join('\n')}
`;
}

const program = new Command()
  .requiredOption('--cases <folder>', 'folder with manifest.json, models and data')
  .option('--out <file>', 'Markdown file to write')
  .option('--only <text>', 'models whose name contains this')
  .option('--limit <n>', 'scored rows a labelled model', (text) => Number(text), 5000)
  .parse();
const options = program.opts<{ cases: string; out?: string; only?: string; limit: number }>();
const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(options.cases, 'manifest.json'), 'utf8')));
const chosen = manifest.models.filter(({ name }) => options.only === undefined || name.includes(options.only));
const done = new Map<string, Row>();
// Small models first; the page grows as they finish and keeps the manifest's order.
for (const model of [...chosen].sort((a, b) => a.bytes - b.bytes)) {
  const row = measure(options.cases, model, options.limit);
  done.set(model.name, row);
  console.log(line(row));
  const rows = chosen.flatMap(({ name }) => done.get(name) ?? []);
  if (options.out !== undefined) writeFileSync(options.out, page(rows));
}
