import type { Case, CaseTensor } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import type { Graph, GraphValue } from '../core/onnx/graph.ts';
import { integerRange, isFloat } from '../core/onnx/tensor.ts';

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface RandomRows {
  readonly count: number;
  readonly seed: number;
  /** Declared range of an input by its name; '' holds for all others. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** Declared shape of an input by its name; '' holds for all others. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

const FLOAT_RANGE: Range = { low: -1, high: 1 };

/**
 * Rows of uniform noise within the declared ranges: what stands in for calibration data where there is none.
 * Deterministic in the seed. @throws AssayError SHAPE_UNKNOWN, RANGE_UNKNOWN, USAGE
 */
export function randomCases(graph: Graph, rows: RandomRows): Case[] {
  for (const name of [...rows.ranges.keys(), ...rows.shapes.keys()]) {
    if (name !== '' && !graph.inputs.some((input) => input.name === name)) {
      throw new AssayError(`The model has no input '${name}'`, {
        code: 'USAGE',
        facts: { inputs: graph.inputs.map((input) => input.name).join(', ') },
        fix: 'name one of its inputs in --range and --shape',
      });
    }
  }
  const next = generator(rows.seed);
  return Array.from({ length: rows.count }, () => ({
    inputs: graph.inputs.map((input) => randomTensor(graph, input, rows, next)),
    outputs: [],
  }));
}

function randomTensor(graph: Graph, input: GraphValue, rows: RandomRows, next: () => number): CaseTensor {
  const type = input.type ?? 'float32';
  const dims = shapeOf(input, rows.shapes.get(input.name) ?? rows.shapes.get(''));
  const { low, high } = rows.ranges.get(input.name) ?? rows.ranges.get('') ?? defaultRange(graph, input);
  const length = dims.reduce((product, dim) => product * dim, 1);
  if (isFloat(type)) {
    const data = type === 'float64' ? new Float64Array(length) : new Float32Array(length);
    return { name: input.name, type, dims, data: data.map(() => low + (high - low) * next()) };
  }
  const data = Float64Array.from({ length }, () => Math.floor(low + (high - low + 1) * next()));
  return { name: input.name, type, dims, data };
}

/** Declared dimensions; a dynamic first one is a batch of one row. */
function shapeOf(input: GraphValue, declared: readonly number[] | undefined): readonly number[] {
  if (declared !== undefined) {
    const fits =
      input.dims === undefined ||
      (input.dims.length === declared.length && input.dims.every((dim, i) => dim === undefined || dim === declared[i]));
    if (fits) return declared;
    throw new AssayError(`The shape given for the input '${input.name}' is not the model's`, {
      code: 'USAGE',
      facts: { given: declared.join('x'), model: spell(input.dims ?? []) },
      fix: 'correct --shape; only dimensions shown as ? are free',
    });
  }
  const dims = input.dims?.map((dim, axis) => dim ?? (axis === 0 ? 1 : undefined));
  if (dims === undefined || dims.includes(undefined)) {
    throw new AssayError(`The shape of the input '${input.name}' is not fixed by the model`, {
      code: 'SHAPE_UNKNOWN',
      facts: { input: input.name, dims: spell(input.dims ?? []) },
      fix: `give calibration data, or --shape ${input.name}=1,… with all its dimensions`,
    });
  }
  return dims as number[];
}

function spell(dims: readonly (number | undefined)[]): string {
  return dims.map((dim) => dim ?? '?').join('x');
}

/** What the model itself says about an input's values: a table that it indexes, or the range of a narrow integer type. */
function defaultRange(graph: Graph, input: GraphValue): Range {
  const type = input.type ?? 'float32';
  if (isFloat(type)) return FLOAT_RANGE;
  if (type === 'bool') return { low: 0, high: 1 };
  for (const node of graph.nodes) {
    const table = graph.constants.get(node.inputs[0] ?? '');
    if (node.operator !== 'Gather' || node.inputs[1] !== input.name || table === undefined) continue;
    const axis = node.attributes.get('axis');
    const entries = table.dims.at(typeof axis === 'number' ? axis : 0);
    if (entries !== undefined && entries > 0) return { low: 0, high: entries - 1 };
  }
  const range = integerRange(type);
  if (range !== undefined && range[1] <= 65_535) return { low: range[0], high: range[1] };
  throw new AssayError(`Nothing says which values the input '${input.name}' takes`, {
    code: 'RANGE_UNKNOWN',
    facts: { input: input.name, type },
    fix: `give calibration data, or --range ${input.name}=LOW:HIGH`,
  });
}

/** mulberry32: uniform in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
