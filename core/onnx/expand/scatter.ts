import { type GraphNode, intAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, stridesOf, type Tensor, tensor } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';

const OPERATORS: Readonly<Record<string, string>> = { add: 'Add', mul: 'Mul', max: 'Max', min: 'Min' };

/** Rows of updates in rounds, so that no round meets one place twice. */
function rounds(places: readonly string[]): number[][] {
  const seen = new Map<string, number>();
  const result: number[][] = [];
  places.forEach((place, row) => {
    const round = seen.get(place) ?? 0;
    seen.set(place, round + 1);
    result[round] ??= [];
    result[round].push(row);
  });
  return result;
}

/** Updates that combine with what is there: taken out, combined, put back, round by round. */
function combine(b: Builder, data: string, indices: Tensor, updates: string, mode: string): string {
  const operator = OPERATORS[mode] ?? refuseNode(b.node, `reduction '${mode}' is not supported`);
  const depth = indices.dims[indices.dims.length - 1]!;
  const count = indices.data.length / depth;
  const row = (at: number): number[] => Array.from(indices.data.subarray(at * depth, (at + 1) * depth));
  const places = Array.from({ length: count }, (_, at) => row(at).join());
  let result = data;
  for (const rows of rounds(places)) {
    const own = b.tensor(
      tensor(
        'int64',
        [rows.length, depth],
        rows.flatMap((at) => row(at)),
      ),
    );
    const added = rows.length === count ? updates : b.op('Gather', [updates, b.ints(rows)], { axis: 0 });
    const there = b.op('GatherND', [result, own]);
    result = b.op('ScatterND', [result, own, b.op(operator, [there, added])]);
  }
  return result;
}

function scatterNd(b: Builder): readonly string[] {
  const mode = stringAttribute(b.node, 'reduction', 'none');
  const x = b.input(0);
  const indices = b.value(1);
  const depth = indices.dims[indices.dims.length - 1]!;
  const positive = indices.data.map((value, i) => (value < 0 ? value + x.dims[i % depth]! : value));
  const flat = b.reshape(b.input(2).name, [indices.data.length / depth, ...x.dims.slice(depth)]);
  return [combine(b, x.name, { ...indices, data: positive }, flat, mode)];
}

/** Every update says its place along one axis: written with all coordinates it is a ScatterND. */
function scatterElements(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const indices = b.value(1);
  const axis = normalizeAxis(intAttribute(node, 'axis', 0), x.dims.length);
  const strides = stridesOf(indices.dims);
  const count = elementCount(indices.dims);
  const places: number[] = [];
  for (let e = 0; e < count; e++)
    for (let at = 0; at < x.dims.length; at++) {
      const along = indices.data[e]!;
      places.push(at === axis ? (along < 0 ? along + x.dims[axis]! : along) : Math.floor(e / strides[at]!) % indices.dims[at]!);
    }
  const where = tensor('int64', [count, x.dims.length], places);
  const updates = b.reshape(b.input(2).name, [count]);
  const mode = stringAttribute(node, 'reduction', 'none');
  if (mode !== 'none') return [combine(b, x.name, where, updates, mode)];
  return [b.op('ScatterND', [x.name, b.tensor(where), updates])];
}

const reduces = (node: GraphNode): boolean => stringAttribute(node, 'reduction', 'none') !== 'none';

export const SCATTER: Readonly<Record<string, Expansion>> = {
  Scatter: { expand: scatterElements },
  ScatterElements: { expand: scatterElements },
  ScatterND: { expand: scatterNd, when: reduces },
};
