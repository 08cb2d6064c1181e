import type { Case } from '../cases.ts';
import { evaluateNet, type Values } from '../onnx/lower/evaluate.ts';
import { lowerGraph } from '../onnx/lower/index.ts';
import type { Net, NetNode } from '../onnx/lower/net.ts';
import { parseModel } from '../onnx/parse.ts';
import { refuse } from '../onnx/refuse.ts';
import { LIMITS, type Program, type TensorInterface } from '../program/types.ts';
import { validateProgram } from '../program/validate.ts';
import { calibrationSet, feedsOf, neighbour, randomSource, rangeFeeds } from './calibration.ts';
import { classify } from './classes.ts';
import { Emitter } from './emitter.ts';
import { compensatedFan } from './linear.ts';
import { quantizeNode } from './nodes.ts';
import { interfaceOf, joinedNote, placeOutputs } from './outputs.ts';
import type { Mode } from './quantization.ts';
import type { Quantizer, WeightLimit } from './quantizer.ts';
import { Ranges } from './ranges.ts';
import { type CompileReport, layerReports, lossesOf, type ScoreReport } from './report.ts';
import { badness, checkDrop, inputValues, type Scored, score, tooCoarse } from './score.ts';

export interface CompileOptions {
  /** Human name of the program; part of its identity. */
  readonly name?: string;
  /** `narrow`: 8-bit activations; `wide`: 16-bit; `auto` (default): narrow unless it loses too much. */
  readonly mode?: Mode | 'auto';
  /** Largest weight of a narrow layer; 64 unless given. */
  readonly weightLimit?: WeightLimit;
  /** Leave out a Softmax that computes an output: the program then answers logits. */
  readonly logits?: boolean;
  /** Refuse when integer top-1 (without labels: agreement; for numbers that are no votes: the error in the range) loses more points. */
  readonly maxAccuracyDrop?: number;
  readonly seed?: number;
  readonly onProgress?: (progress: CompileProgress) => void;
}

export interface CompileProgress {
  readonly stage: 'import' | 'calibrate' | 'quantize' | 'score';
  readonly done: number;
  readonly total: number;
}

export interface CompileRequest {
  readonly onnx: Uint8Array;
  readonly externalData?: ReadonlyMap<string, Uint8Array>;
  /** Examples of real inputs; labels, where given, are used for scoring held-out cases only. */
  readonly calibration: readonly Case[];
  readonly options?: CompileOptions;
}

export interface Compiled {
  readonly program: Program;
  readonly report: CompileReport;
}

/** Values held at once during calibration, float and integer. */
const VALUE_BUDGET = 24e6;
const MAX_CALIBRATION = 256;
/** Multiply-adds of one pass over all calibration cases, which bounds the time. */
const WORK_BUDGET = 6e8;
/** The same for rows from which only ranges are taken. */
const RANGE_WORK = 3e8;
/** Below this many multiply-adds 16 bits cost little: they come next where 8 lose too much. */
const SMALL_WORK = 20_000;
const MAX_SCORED = 200;
const MIN_FOR_HOLDOUT = 20;

/** Replaces outputs that a Softmax computes by its input. */
function withoutSoftmax(net: Net): Net {
  const notes = [...net.notes];
  const outputs = net.outputs.map((output) => {
    const node = net.nodes[output.node]!;
    if (node.kind !== 'softmax') return output;
    notes.push(`output '${output.name}' is given before its Softmax (logits), as asked`);
    return { ...output, node: node.sources[0]! };
  });
  const needed = new Set(outputs.map((output) => output.node));
  for (let id = net.nodes.length - 1; id >= 0; id--) if (needed.has(id)) for (const source of net.nodes[id]!.sources) needed.add(source);
  const renamed = new Map<number, number>();
  const nodes = net.nodes.flatMap((node, id) => {
    if (!needed.has(id) && node.kind !== 'input') return [];
    renamed.set(id, renamed.size);
    return [{ ...node, sources: node.sources.map((source) => renamed.get(source)!) }];
  });
  return { nodes, outputs: outputs.map((output) => ({ ...output, node: renamed.get(output.node)! })), notes };
}

function multiplyAdds(node: NetNode): number {
  if (node.kind === 'linear') return (node.length / node.outChannels) * node.weights.length;
  return node.kind === 'matmul' ? node.length * node.inner : node.length;
}

interface Attempt {
  readonly program: Program;
  readonly quantizer: Quantizer;
  readonly mode: Mode;
  readonly weightLimit: WeightLimit;
  readonly score: ScoreReport;
}

function quantize(
  net: Net,
  runs: readonly (readonly Values[])[],
  seen: Ranges,
  mode: Mode,
  weightLimit: WeightLimit,
  name: string,
  given: number,
  progress: (done: number) => void,
): Pick<Attempt, 'program' | 'quantizer'> {
  const ranges = seen.all();
  const { classes, classOf, mixed } = classify(net, ranges, mode);
  const headroom = 1 + 0.2 / Math.sqrt(Math.max(1, given));
  const quantizer: Quantizer = {
    net,
    runs,
    live: seen.live,
    ranges,
    classes,
    classOf,
    mixed,
    emitter: new Emitter(runs.length),
    options: { mode, weightLimit, headroom, compensatedFan: compensatedFan(net) },
    tensors: [],
    converted: new Map(),
  };
  const inputs: TensorInterface[] = [];
  net.nodes.forEach((node, id) => {
    quantizer.emitter.label = node.label;
    const tensor = quantizeNode(quantizer, id, node);
    quantizer.tensors[id] = tensor;
    if (node.kind === 'input') inputs.push(interfaceOf(node.name, node.dims, tensor));
    progress(id + 1);
  });
  const outputs = placeOutputs(quantizer);
  const program: Program = { instructions: quantizer.emitter.instructions, interface: { name, inputs, outputs } };
  return { program, quantizer };
}

/** Cases that fit ranges and weights, and cases that only score: disjoint. */
function divide(cases: readonly Case[]): { fitted: Case[]; held: Case[] } {
  if (cases.length < MIN_FOR_HOLDOUT) return { fitted: [...cases], held: [] };
  return { fitted: cases.filter((_, i) => i % 5 !== 4), held: cases.filter((_, i) => i % 5 === 4).slice(0, MAX_SCORED) };
}

/** The first attempt that keeps enough, from the cheapest on; else the one that keeps most. */
function bestAttempt(options: CompileOptions, work: number, tryMode: (mode: Mode, weightLimit: WeightLimit) => Attempt): Attempt {
  const given = options.weightLimit ?? 64;
  if (options.mode !== undefined && options.mode !== 'auto') return checkLength(tryMode(options.mode, given));
  let best = checkLength(tryMode('narrow', given));
  // Six bits are asked for to make proofs cheap; 16-bit values would undo it.
  const others: (readonly [Mode, WeightLimit])[] = given === 32 ? [] : [['wide', given]];
  if (options.weightLimit === undefined && work > SMALL_WORK) others.unshift(['narrow', 127]);
  for (const [mode, limit] of others) {
    if (!tooCoarse(best.score)) break;
    const next = tryMode(mode, limit);
    if (next.program.instructions.length <= LIMITS.instructions && badness(next.score) < badness(best.score)) best = next;
  }
  return best;
}

function checkLength(made: Attempt): Attempt {
  const { length } = made.program.instructions;
  if (length > LIMITS.instructions) {
    refuse(
      `the program needs ${length} instructions, more than ${LIMITS.instructions}`,
      { instructions: length },
      'use a smaller model or fewer time steps',
    );
  }
  return made;
}

/**
 * Compiles an ONNX model to an integer program. Pure and deterministic: the same bytes and cases give the same program everywhere.
 * Costs about a second for small networks, under a minute for MobileNetV1.
 * @throws AssayError MODEL_REFUSED (what cannot be compiled and why), ACCURACY_LOST
 */
export function compileModel(request: CompileRequest): Compiled {
  const options = request.options ?? {};
  const report = options.onProgress ?? (() => undefined);
  report({ stage: 'import', done: 0, total: 1 });
  const graph = parseModel(request.onnx, request.externalData);
  const seed = options.seed ?? 1;
  const { fitted, held } = divide(request.calibration);
  const probe = calibrationSet(graph, fitted, 1, seed).feeds[0]!;
  const lowered = lowerGraph(graph, probe);
  const net = options.logits === true ? withoutSoftmax(lowered) : lowered;
  const size = net.nodes.reduce((sum, node) => sum + node.length, 0);
  const work = net.nodes.reduce((sum, node) => sum + multiplyAdds(node), 0);
  const most = Math.max(2, Math.min(MAX_CALIBRATION, Math.floor(VALUE_BUDGET / size), Math.max(4, Math.floor(WORK_BUDGET / work))));
  const set = calibrationSet(graph, fitted, most, seed);
  const runs = set.feeds.map((feeds, i) => {
    report({ stage: 'calibrate', done: i, total: set.feeds.length });
    return evaluateNet(net, inputValues(net, feeds));
  });
  const seen = new Ranges(net);
  for (const values of runs) seen.see(values, true);
  for (const feeds of rangeFeeds(graph, fitted, set, Math.floor(RANGE_WORK / work), seed + 2000))
    seen.see(evaluateNet(net, inputValues(net, feeds)), false);
  const random = randomSource(seed + 1000);
  const scored: Scored[] =
    held.length > 0
      ? held.map((one) => ({ feeds: feedsOf(graph, one), label: one.label }))
      : Array.from({ length: Math.min(8, Math.max(2, most)) }, (_, i) => ({
          feeds: neighbour(set.feeds[i % Math.max(1, set.given)]!, random),
          label: undefined,
        }));
  const from = held.length > 0 ? 'held out' : 'neighbours of the calibration cases';
  const tryMode = (mode: Mode, weightLimit: WeightLimit): Attempt => {
    const { program, quantizer } = quantize(net, runs, seen, mode, weightLimit, options.name ?? 'model', set.given, (done) =>
      report({ stage: 'quantize', done, total: net.nodes.length }),
    );
    report({ stage: 'score', done: 0, total: scored.length });
    return { program, quantizer, mode, weightLimit, score: score(net, program, runs, scored, from) };
  };
  const best = bestAttempt(options, work, tryMode);
  validateProgram(best.program);
  checkDrop(best.score, options.maxAccuracyDrop);
  const layers = layerReports(best.quantizer);
  return {
    program: best.program,
    report: {
      mode: best.mode,
      weightLimit: best.weightLimit,
      calibrationCases: set.given,
      syntheticCases: set.feeds.length - set.given,
      layers,
      score: best.score,
      losses: lossesOf(net, layers),
      warnings: warningsOf(set.given, set.feeds.length),
      notes: [...net.notes, ...joinedNote(net)],
    },
  };
}

function warningsOf(given: number, total: number): string[] {
  if (given === 0)
    return ['no calibration data: ranges come from random inputs and may be far from those of real ones; accuracy is not known'];
  return given < total
    ? [`only ${given} calibration case(s): ${total - given} neighbours of them were made up; more cases give better ranges`]
    : [];
}
