import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Case, parseCases } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import type { Graph } from '../core/onnx/graph.ts';
import { parseModel } from '../core/onnx/parse.ts';
import { type Compiled, type CompileProgress, compileModel } from '../core/quantize/compile.ts';
import type { WeightLimit } from '../core/quantize/quantizer.ts';
import { endableAtOnce } from './cleanup.ts';
import { readExternalData } from './external-data.ts';
import { CASES_LIMIT, MODEL_LIMIT, readInputFile, readInputText } from './files.ts';
import { type ModelFacts, modelFacts, withFile } from './model-folder.ts';
import type { Output } from './output.ts';
import { type Range, randomCases } from './random-calibration.ts';

/** Options that decide what program a model becomes: shared by `compile` and the preflight of `inspect`. */
export interface CompileSettings {
  readonly calibration?: string;
  readonly weights?: '7' | '8';
  readonly cheapProof: boolean;
  readonly wide: boolean;
  readonly logits: boolean;
  readonly seed: number;
  readonly rows: number;
  readonly range?: ReadonlyMap<string, Range>;
  readonly shape?: ReadonlyMap<string, readonly number[]>;
}

/** An ONNX model as read, with the rows that it is quantized for. */
export interface ModelSource extends ModelFacts {
  readonly onnx: Uint8Array;
  readonly externalData: ReadonlyMap<string, Uint8Array>;
  readonly calibration: readonly Case[];
  /** Whether the rows are noise for want of real ones. */
  readonly noise: boolean;
}

export function addCompileOptions(command: Command): Command {
  return command
    .option('--calibration <file>', 'rows of real inputs, as docs/compiling.md says; without it, noise stands in')
    .addOption(
      new Option('--weights <bits>', 'bits of a weight (default: 7, or more only where these are measured to lose too much)').choices([
        '7',
        '8',
      ]),
    )
    .addOption(
      new Option('--cheap-proof', 'weights of 6 bits: a constraint an activation less, and a little accuracy')
        .default(false)
        .conflicts('weights'),
    )
    .option('--wide', '16-bit values throughout (default: only where 8 bits lose too much)', false)
    .option('--logits', 'leave out a Softmax at the end: the order of answers stays, the proof gets cheaper', false)
    .option('--seed <n>', 'seed of everything random', natural, 1)
    .option('--rows <n>', 'without calibration: rows of noise', natural, 64)
    .option('--range <[input=]low:high>', 'without calibration: range of an input; repeatable', collectRange)
    .option('--shape <[input=]1,2,3>', 'without calibration: dimensions of an input; repeatable', collectShape);
}

export async function readSource(file: string, settings: CompileSettings, output: Output): Promise<ModelSource> {
  const onnx = await readInputFile(file, { what: 'The model', limit: MODEL_LIMIT, fix: 'give an .onnx file' });
  const externalData = await readExternalData(file, onnx);
  output.progress(`reading ${path.basename(file)}`);
  const graph = endableAtOnce(() => withFile(file, () => parseModel(onnx, externalData)));
  const facts = modelFacts(graph);
  if (settings.calibration !== undefined) {
    const calibration = await readCases(settings.calibration, 'The calibration data');
    withFile(settings.calibration, () => checkRows(graph, calibration));
    return { ...facts, onnx, externalData, calibration, noise: false };
  }
  const { rows: count, seed, range: ranges = new Map(), shape: shapes = new Map() } = settings;
  return { ...facts, onnx, externalData, calibration: randomCases(graph, { count, seed, ranges, shapes }), noise: true };
}

/** Every row has every input, in its shape. @throws AssayError INPUT_SHAPE naming the row */
function checkRows(graph: Graph, calibration: readonly Case[]): void {
  for (const [row, { inputs }] of calibration.entries()) {
    for (const wanted of graph.inputs) {
      const given = inputs.find(({ name }) => name === wanted.name);
      const { dims } = wanted;
      const fits =
        dims === undefined ||
        (dims.length === given?.dims.length && dims.every((dim, axis) => (dim ?? given.dims[axis]) === given.dims[axis]));
      if (given !== undefined && fits) continue;
      throw new AssayError(
        given === undefined
          ? `A row has no value for the input '${wanted.name}'`
          : `A row has another shape than the input '${wanted.name}'`,
        {
          code: 'INPUT_SHAPE',
          facts: {
            row,
            given: given === undefined ? inputs.map(({ name }) => name).join(', ') : given.dims.join('x'),
            model: dims?.map((dim) => dim ?? '?').join('x') ?? 'any',
          },
          fix: 'give every row the inputs of the model, each in its shape',
        },
      );
    }
  }
}

export async function readCases(file: string, what: string): Promise<Case[]> {
  const text = await readInputText(file, { what, limit: CASES_LIMIT });
  return withFile(file, () => parseCases(text));
}

/** Runs the compiler with progress on standard error. Ctrl-C ends it at once: nothing has been written by then. */
export function compileSource(
  file: string,
  source: ModelSource,
  settings: CompileSettings & { readonly name?: string; readonly maxAccuracyDrop?: number },
  output: Output,
): Compiled {
  const { name, maxAccuracyDrop } = settings;
  return endableAtOnce(() =>
    withFile(file, () =>
      compileModel({
        onnx: source.onnx,
        externalData: source.externalData,
        calibration: source.calibration,
        options: {
          name: name ?? defaultName(file),
          mode: settings.wide ? 'wide' : 'auto',
          ...weightLimitOf(settings),
          logits: settings.logits,
          seed: settings.seed,
          onProgress: progressPrinter(output),
          ...(maxAccuracyDrop === undefined ? {} : { maxAccuracyDrop }),
        },
      }),
    ),
  );
}

/** Left open, the compiler measures which weights keep enough. */
function weightLimitOf({ cheapProof, weights }: CompileSettings): { readonly weightLimit?: WeightLimit } {
  if (cheapProof) return { weightLimit: 32 };
  return weights === undefined ? {} : { weightLimit: weights === '8' ? 127 : 64 };
}

const STAGES: Readonly<Record<CompileProgress['stage'], string>> = {
  import: 'importing',
  calibrate: 'running the float model on calibration rows',
  quantize: 'quantizing',
  score: 'comparing float and integer answers',
};
const PROGRESS_MILLISECONDS = 2_000;

/** A line when a stage begins, then one every two seconds with how far it is. */
function progressPrinter(output: Output): (progress: CompileProgress) => void {
  let stage: string | undefined;
  let printed = 0;
  return (progress) => {
    const now = performance.now();
    if (stage === progress.stage && now - printed < PROGRESS_MILLISECONDS) return;
    const share = stage === progress.stage ? ` ${Math.round((100 * progress.done) / Math.max(1, progress.total))} %` : '';
    stage = progress.stage;
    printed = now;
    output.progress(`${STAGES[progress.stage]}${share}`);
  };
}

/** `model.onnx` says nothing: its folder does. */
function defaultName(file: string): string {
  const name = path.basename(file).replace(/\.onnx$/i, '');
  const folder = path.basename(path.dirname(path.resolve(file)));
  return (name.toLowerCase() === 'model' && folder !== '' ? folder : name).slice(0, 200);
}

function natural(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return value;
}

/** `input=value` or `value`, which then holds for every input. Names may hold colons and equals signs, values never do. */
function splitName(text: string): { name: string; value: string } {
  const at = text.lastIndexOf('=');
  return { name: at < 0 ? '' : text.slice(0, at), value: text.slice(at + 1) };
}

function collectRange(text: string, before: ReadonlyMap<string, Range> = new Map()): Map<string, Range> {
  const { name, value } = splitName(text);
  const [low, high, ...rest] = value.split(':').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (low === undefined || high === undefined || rest.length > 0 || !Number.isFinite(low) || !Number.isFinite(high) || low > high)
    throw new InvalidArgumentError('Give LOW:HIGH or INPUT=LOW:HIGH, as in image=0:255.');
  return new Map([...before, [name, { low, high }]]);
}

function collectShape(text: string, before: ReadonlyMap<string, readonly number[]> = new Map()): Map<string, readonly number[]> {
  const { name, value } = splitName(text);
  const dims = value.split(',').map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : 0));
  if (dims.some((dim) => dim < 1) || dims.length > 8 || dims.reduce((product, dim) => product * dim, 1) > 1 << 26)
    throw new InvalidArgumentError('Give dimensions from 1 on, as in image=1,3,32,32.');
  return new Map([...before, [name, dims]]);
}
