import { type GraphNode, intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, isFloat, type Tensor, tensor } from '../tensor.ts';
import { sigmoid } from './functions.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';
import { type Ensemble, reachLeaf, readEnsemble } from './trees.ts';

/** Rows and features of a [N, C] (or [C]) input. */
function rowsOf(x: Tensor): [number, number] {
  const width = x.dims[x.dims.length - 1] ?? 1;
  return [x.data.length / width, width];
}

/** ai.onnx.ml post transforms, in place on one row of scores. */
export function postTransform(node: GraphNode, transform: string, row: number[]): number[] {
  switch (transform) {
    case 'NONE':
      return row;
    case 'LOGISTIC':
      return row.map(sigmoid);
    case 'SOFTMAX': {
      const top = Math.max(...row);
      const e = row.map((v) => Math.exp(v - top));
      const total = e.reduce((sum, v) => sum + v, 0);
      return e.map((v) => v / total);
    }
    default:
      refuseNode(node, `post transform '${transform}' is not supported`, { transform });
  }
}

function aggregate(ensemble: Ensemble, votes: readonly (readonly [number, number])[]): number[] {
  const start = ensemble.minimum ? Number.POSITIVE_INFINITY : ensemble.maximum ? Number.NEGATIVE_INFINITY : 0;
  const scores = new Array<number>(ensemble.outputs).fill(start);
  for (const [target, weight] of votes) {
    const old = scores[target]!;
    scores[target] = ensemble.minimum ? Math.min(old, weight) : ensemble.maximum ? Math.max(old, weight) : old + weight;
  }
  const divisor = ensemble.average ? ensemble.trees.length : 1;
  return scores.map((score, target) => (Number.isFinite(score) ? score / divisor : 0) + (ensemble.base[target] ?? ensemble.base[0] ?? 0));
}

function scoresOf(node: GraphNode, ensemble: Ensemble, row: ArrayLike<number>): number[] {
  return aggregate(
    ensemble,
    ensemble.trees.flatMap((tree) => tree[reachLeaf(node, tree, row)]!.votes),
  );
}

/** Label and probabilities of a binary ensemble that votes for one class only. */
function binaryScores(node: GraphNode, ensemble: Ensemble, score: number): { row: number[]; positive: boolean } {
  if (ensemble.transform === 'LOGISTIC') {
    const p = sigmoid(score);
    return { row: [1 - p, p], positive: score > 0 };
  }
  return { row: postTransform(node, ensemble.transform, [1 - score, score]), positive: score > 0.5 };
}

const treeClassifier: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const ensemble = readEnsemble(node);
  const [rows, width] = rowsOf(x);
  const labels = allocate('int64', rows);
  const scores: number[] = [];
  for (let r = 0; r < rows; r++) {
    const raw = scoresOf(node, ensemble, x.data.subarray(r * width, (r + 1) * width));
    if (ensemble.binary) {
      const { row, positive } = binaryScores(node, ensemble, raw[0]!);
      scores.push(...row);
      labels[r] = ensemble.labels?.[positive ? 1 : 0] ?? (positive ? 1 : 0);
      continue;
    }
    const best = raw.indexOf(Math.max(...raw));
    labels[r] = ensemble.labels?.[best] ?? best;
    scores.push(...postTransform(node, ensemble.transform, raw));
  }
  return [{ type: 'int64', dims: [rows], data: labels }, tensor('float32', [rows, ensemble.outputs], scores)];
};

const treeRegressor: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const ensemble = readEnsemble(node);
  const [rows, width] = rowsOf(x);
  const values: number[] = [];
  for (let r = 0; r < rows; r++) {
    values.push(...postTransform(node, ensemble.transform, scoresOf(node, ensemble, x.data.subarray(r * width, (r + 1) * width))));
  }
  return [tensor('float32', [rows, ensemble.outputs], values)];
};

/** Coefficients as [targets, features] with intercepts. */
export interface LinearModel {
  readonly coefficients: readonly number[];
  readonly intercepts: readonly number[];
  readonly targets: number;
}

export function linearModel(node: GraphNode, features: number): LinearModel {
  const coefficients = (node.attributes.get('coefficients') as readonly number[] | undefined) ?? [];
  const targets = coefficients.length / features;
  if (!Number.isInteger(targets) || targets < 1) refuseNode(node, `${coefficients.length} coefficients for ${features} features`);
  return { coefficients, intercepts: (node.attributes.get('intercepts') as readonly number[] | undefined) ?? [], targets };
}

function linearScores(model: LinearModel, row: ArrayLike<number>): number[] {
  return Array.from({ length: model.targets }, (_, t) => {
    let sum = model.intercepts[t] ?? 0;
    for (let i = 0; i < row.length; i++) sum += row[i]! * model.coefficients[t * row.length + i]!;
    return sum;
  });
}

/** Labels that are numbers; positions where they are strings. */
export function classLabels(node: GraphNode, count: number): readonly number[] {
  const integers = intsAttribute(node, 'classlabels_ints') ?? intsAttribute(node, 'classlabels_int64s');
  return integers?.length ? integers : Array.from({ length: count }, (_, i) => i);
}

const linearClassifier: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const [rows, width] = rowsOf(x);
  const model = linearModel(node, width);
  const transform = stringAttribute(node, 'post_transform', 'NONE');
  const binary = model.targets === 1;
  const labels = classLabels(node, binary ? 2 : model.targets);
  const chosen = allocate('int64', rows);
  const scores: number[] = [];
  for (let r = 0; r < rows; r++) {
    const raw = linearScores(model, x.data.subarray(r * width, (r + 1) * width));
    const row = postTransform(node, transform, raw);
    const both = binary ? [1 - row[0]!, row[0]!] : row;
    scores.push(...both);
    chosen[r] = binary ? labels[raw[0]! > 0 ? 1 : 0]! : labels[raw.indexOf(Math.max(...raw))]!;
  }
  return [{ type: 'int64', dims: [rows], data: chosen }, tensor('float32', [rows, binary ? 2 : model.targets], scores)];
};

const linearRegressor: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const [rows, width] = rowsOf(x);
  const model = linearModel(node, width);
  const values: number[] = [];
  for (let r = 0; r < rows; r++) values.push(...linearScores(model, x.data.subarray(r * width, (r + 1) * width)));
  return [tensor('float32', [rows, model.targets], values)];
};

const scaler: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const offset = (node.attributes.get('offset') as readonly number[] | undefined) ?? [0];
  const scale = (node.attributes.get('scale') as readonly number[] | undefined) ?? [1];
  const [, width] = rowsOf(x);
  const at = (list: readonly number[], i: number): number => list[list.length === 1 ? 0 : i % width]!;
  return [
    tensor(
      'float32',
      x.dims,
      Array.from(x.data, (v, i) => (v - at(offset, i)) * at(scale, i)),
    ),
  ];
};

const normalizer: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const norm = stringAttribute(node, 'norm', 'MAX');
  const [rows, width] = rowsOf(x);
  const data = allocate('float32', x.data.length);
  for (let r = 0; r < rows; r++) {
    const row = Array.from(x.data.subarray(r * width, (r + 1) * width));
    const divisor =
      norm === 'L1'
        ? row.reduce((s, v) => s + Math.abs(v), 0)
        : norm === 'L2'
          ? Math.sqrt(row.reduce((s, v) => s + v * v, 0))
          : Math.max(...row);
    row.forEach((v, i) => {
      data[r * width + i] = divisor === 0 ? v : v / divisor;
    });
  }
  return [{ type: 'float32', dims: x.dims, data }];
};

const featureExtractor: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const wanted = input(node, inputs, 1).data;
  const [rows, width] = rowsOf(x);
  const values = Array.from(
    { length: rows * wanted.length },
    (_, i) => x.data[Math.floor(i / wanted.length) * width + wanted[i % wanted.length]!] ?? 0,
  );
  return [tensor(x.type, [...(x.dims.length > 1 ? x.dims.slice(0, -1) : [1]), wanted.length], values)];
};

const binarizer: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const threshold = intAttribute(node, 'threshold', 0);
  return [{ type: isFloat(x.type) ? x.type : 'float32', dims: x.dims, data: x.data.map((v) => (v > threshold ? 1 : 0)) }];
};

/** Operators of the ai.onnx.ml domain. ZipMap only names the columns of its input, so it is an identity here. */
export const LEARNING: OperatorTable = {
  TreeEnsembleClassifier: treeClassifier,
  TreeEnsembleRegressor: treeRegressor,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Scaler: scaler,
  Normalizer: normalizer,
  ArrayFeatureExtractor: featureExtractor,
  Binarizer: binarizer,
  ZipMap: (node, inputs) => [input(node, inputs, 0)],
};
