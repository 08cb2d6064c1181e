import type { Case } from '../cases.ts';
import type { Feeds } from '../onnx/evaluate/index.ts';
import type { Graph } from '../onnx/graph.ts';
import { refuse } from '../onnx/refuse.ts';
import { type ElementType, elementCount, isFloat, type Tensor, tensor } from '../onnx/tensor.ts';

/** xoshiro128** seeded by splitmix: the same numbers on every machine. */
export function randomSource(seed: number): () => number {
  let state = seed | 0;
  const next32 = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  return () => next32() / 4294967296;
}

function gaussian(random: () => number): number {
  const u = Math.max(random(), 1e-12);
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * random());
}

/** Tensors of one case by input name, checked against the graph. */
export function feedsOf(graph: Graph, one: Case): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const wanted of graph.inputs) {
    const given = one.inputs.find((input) => input.name === wanted.name);
    if (given === undefined) {
      refuse(
        `the calibration case has no value for the input '${wanted.name}'`,
        { input: wanted.name, given: one.inputs.map((i) => i.name).join(', ') },
        'name every input of the model in the case',
      );
    }
    const fits =
      wanted.dims === undefined ||
      (wanted.dims.length === given.dims.length && wanted.dims.every((dim, axis) => dim === undefined || dim === given.dims[axis]));
    if (!fits) {
      refuse(
        `the input '${wanted.name}' has the shape ${given.dims.join('x')}, the model wants ${wanted.dims?.map((d) => d ?? '?').join('x')}`,
        { input: wanted.name },
      );
    }
    feeds.set(wanted.name, tensor(wanted.type ?? (given.type as ElementType), given.dims, given.data));
  }
  return feeds;
}

/** Shapes for a model that comes without any data: dynamic dimensions are 1. */
export function declaredFeeds(graph: Graph, random: () => number): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const input of graph.inputs) {
    const dims = (input.dims ?? []).map((dim) => dim ?? 1);
    const type = input.type ?? 'float32';
    const data = Array.from({ length: elementCount(dims) }, () => (isFloat(type) ? random() : Math.floor(random() * 2)));
    feeds.set(input.name, tensor(type, dims, data));
  }
  return feeds;
}

/** Whether values are columns of different scales, each to be jittered by its own: the largest far beyond the middle one. */
function isTableRow({ dims, data }: Tensor): boolean {
  if (dims.length > 2 || data.length < 2 || data.length > 256) return false;
  const sizes = Array.from(data, Math.abs)
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  return sizes.length > 1 && sizes.at(-1)! > 30 * sizes[sizes.length >> 1]!;
}

/**
 * A neighbour of a real example: values jittered by a tenth of their spread (in a table's row: of themselves) and scaled a little;
 * integers shuffled.
 */
export function neighbour(feeds: Feeds, random: () => number): Map<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, value] of feeds) {
    const { data } = value;
    if (!isFloat(value.type)) {
      const shuffled = Array.from(data);
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
      }
      result.set(name, tensor(value.type, value.dims, shuffled));
      continue;
    }
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    let square = 0;
    for (const v of data) {
      low = Math.min(low, v);
      high = Math.max(high, v);
      square += v * v;
    }
    const spread = Math.sqrt(square / Math.max(1, data.length));
    const gain = 0.8 + 0.4 * random();
    const isTable = isTableRow(value);
    const jittered = Array.from(data, (v) =>
      isTable ? v * (gain + 0.1 * gaussian(random)) : Math.min(high, Math.max(low, v * gain + 0.1 * spread * gaussian(random))),
    );
    result.set(name, tensor(value.type, value.dims, jittered));
  }
  return result;
}

export interface CalibrationSet {
  readonly feeds: readonly Map<string, Tensor>[];
  /** How many of them are the user's own. */
  readonly given: number;
}

const MIN_CASES = 16;
/** Rows from which ranges are taken at least, the work permitting. */
const RANGE_ROWS = 64;

/**
 * Rows beyond those of `calibrationSet` that only widen ranges: the user's others; of few, neighbours.
 * @param most how many
 */
export function* rangeFeeds(
  graph: Graph,
  cases: readonly Case[],
  set: CalibrationSet,
  most: number,
  seed: number,
): Generator<Map<string, Tensor>> {
  const random = randomSource(seed);
  const used = new Set(Array.from({ length: set.given }, (_, i) => Math.floor((i * cases.length) / set.given)));
  const others = cases.filter((_, i) => !used.has(i));
  const count = Math.min(others.length, most);
  for (let i = 0; i < count; i++) yield feedsOf(graph, others[Math.floor((i * others.length) / count)]!);
  const made = set.given < MIN_CASES ? Math.min(most, RANGE_ROWS - set.feeds.length) - count : 0;
  for (let i = 0; i < made; i++) yield set.given === 0 ? declaredFeeds(graph, random) : neighbour(set.feeds[i % set.given]!, random);
}

/**
 * The examples that ranges and weights are fitted to: the user's, thinned evenly to `most`, and where there are fewer
 * than sixteen, neighbours of them.
 */
export function calibrationSet(graph: Graph, cases: readonly Case[], most: number, seed: number): CalibrationSet {
  const random = randomSource(seed);
  const count = Math.min(cases.length, most);
  const feeds = Array.from({ length: count }, (_, i) => feedsOf(graph, cases[Math.floor((i * cases.length) / count)]!));
  const given = feeds.length;
  if (given === 0) feeds.push(declaredFeeds(graph, random));
  const originals = feeds.length;
  const first = feeds[0]!;
  for (const one of feeds) {
    for (const [name, value] of one) {
      if (value.dims.join() !== first.get(name)!.dims.join())
        refuse(
          `calibration cases disagree on the shape of '${name}'`,
          { input: name },
          'give cases of one shape; it becomes the shape of the program',
        );
    }
  }
  while (feeds.length < Math.min(MIN_CASES, most)) {
    const from = feeds[feeds.length % originals]!;
    feeds.push(given === 0 ? declaredFeeds(graph, random) : neighbour(from, random));
  }
  return { feeds, given };
}
