import { sigmoid } from '../evaluate/functions.ts';
import { classLabels, linearModel } from '../evaluate/learning.ts';
import { type Ensemble, readEnsemble, type TreeNode } from '../evaluate/trees.ts';
import { type GraphNode, intAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, type Tensor, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine, unary } from './elementwise.ts';
import { dense } from './linear.ts';
import { folding, type TreeBranch, UNBOUNDED } from './net.ts';
import { softmaxRows } from './reduction.ts';
import type { Value, View } from './view.ts';

type Lower = (context: Lowering, node: GraphNode) => void;

function branch(node: GraphNode, from: TreeNode, position: number): TreeBranch {
  if (from.mode === 'LEAF') return { feature: 0, threshold: 0, strict: false, left: position, right: position, leaf: true };
  const { feature, value: threshold, whenTrue, whenFalse } = from;
  switch (from.mode) {
    case 'BRANCH_LEQ':
      return { feature, threshold, strict: false, left: whenTrue, right: whenFalse, leaf: false };
    case 'BRANCH_GT':
      return { feature, threshold, strict: false, left: whenFalse, right: whenTrue, leaf: false };
    case 'BRANCH_LT':
      return { feature, threshold, strict: true, left: whenTrue, right: whenFalse, leaf: false };
    case 'BRANCH_GTE':
      return { feature, threshold, strict: true, left: whenFalse, right: whenTrue, leaf: false };
    default:
      refuseNode(node, `node mode '${from.mode}' is not supported`, { mode: from.mode });
  }
}

function depthOf(node: GraphNode, tree: readonly TreeBranch[]): number {
  const depths = new Map<number, number>([[0, 0]]);
  const stack = [0];
  let deepest = 0;
  while (stack.length > 0) {
    const at = stack.pop()!;
    const depth = depths.get(at)!;
    deepest = Math.max(deepest, depth);
    if (depth > 64) refuseNode(node, 'a tree is deeper than 64 or has a cycle');
    if (tree[at]!.leaf) continue;
    for (const child of [tree[at]!.left, tree[at]!.right]) {
      depths.set(child, depth + 1);
      stack.push(child);
    }
  }
  return deepest;
}

/** Votes of all trees added up: [rows, outputs]. */
function scores(context: Lowering, node: GraphNode, ensemble: Ensemble, x: View): Value {
  const features = x.dims[x.dims.length - 1] ?? 1;
  const rows = elementCount(x.dims) / features;
  const trees = ensemble.trees.map((tree) => tree.map((from, position) => branch(node, from, position)));
  for (const { feature, threshold } of trees.flat())
    if (!(feature >= 0 && feature < features) || Number.isNaN(threshold))
      refuseNode(node, `a branch compares feature ${feature} of ${features} with ${threshold}`, { feature, features });
  const depth = Math.max(...trees.map((tree) => depthOf(node, tree)));
  const leaves = context.add({
    kind: 'tree',
    length: rows * trees.length,
    sources: [context.materialize(x)],
    rows,
    features,
    trees,
    depth,
  });
  const entries = Math.max(...trees.map((tree) => tree.length));
  const width = ensemble.binary ? 1 : ensemble.outputs;
  const table = new Float64Array(trees.length * entries * width);
  ensemble.trees.forEach((tree, t) => {
    tree.forEach(({ votes }, position) => {
      for (const [target, weight] of votes) table[(t * entries + position) * width + target]! += weight;
    });
  });
  const votes = context.add({
    kind: 'lookup',
    length: rows * trees.length * width,
    sources: [leaves],
    table,
    entries,
    width,
    offset: 0,
    channels: trees.length,
    integer: false,
  });
  const folds = { length: rows * width, sources: [votes], window: folding(rows, trees.length, width) };
  const extreme = ensemble.minimum || ensemble.maximum;
  if (extreme && ensemble.trees.some((tree) => tree.some((leaf) => leaf.mode === 'LEAF' && leaf.votes.length !== width)))
    refuseNode(node, 'the smallest or largest vote needs one from every leaf for every target');
  const sum = extreme
    ? context.add({ kind: 'max', ...folds, minimum: ensemble.minimum })
    : context.add({ kind: 'sum', ...folds, scale: ensemble.average ? 1 / trees.length : 1, bounds: UNBOUNDED });
  const base = Array.from({ length: width }, (_, i) => ensemble.base[i] ?? ensemble.base[0] ?? 0);
  const whole = context.whole(sum, [rows, width]);
  return base.every((b) => b === 0) ? whole : affine(context, context.asView(whole), 1, tensor('float64', [width], base));
}

function transformed(context: Lowering, node: GraphNode, value: Value, transform: string): Value {
  const view = context.asView(value);
  if (transform === 'NONE') return value;
  if (transform === 'LOGISTIC') return unary(context, view, 'Sigmoid', sigmoid);
  if (transform === 'SOFTMAX') return softmaxRows(context, view, view.dims.length - 1, false, view.dims);
  refuseNode(node, `post transform '${transform}' is not supported`, { transform });
}

/** Class of the largest score, as the model's integer label; string labels come out as positions. */
function labelOf(context: Lowering, value: Value, labels: readonly number[]): Value {
  const view = context.asView(value);
  const [rows, classes] = view.dims as [number, number];
  const chosen = context.add({
    kind: 'arg',
    length: rows,
    sources: [context.materialize(view)],
    outer: rows,
    axis: classes,
    inner: 1,
    minimum: false,
  });
  if (labels.every((label, i) => label === i)) return context.whole(chosen, [rows]);
  const named = context.add({
    kind: 'lookup',
    length: rows,
    sources: [chosen],
    table: Float64Array.from(labels),
    entries: labels.length,
    width: 1,
    offset: 0,
    channels: 1,
    integer: true,
  });
  return context.whole(named, [rows]);
}

/** `[1 − p, p]` as a view of two tensors. */
function bothClasses(context: Lowering, positive: Value): Value {
  const view = context.asView(positive);
  const rows = elementCount(view.dims);
  const p = context.materialize(view);
  const q = context.materialize(context.asView(affine(context, view, -1, 1)));
  const index = Int32Array.from({ length: 2 * rows }, (_, e) => (e % 2 === 0 ? rows : 0) + Math.floor(e / 2));
  return { view: { dims: [rows, 2], sources: [p, q], index, constants: [] } };
}

/** Label of a two-class model from one score and its threshold. */
function binaryLabel(context: Lowering, score: Value, threshold: number, labels: readonly number[]): Value {
  const view = context.asView(score);
  const rows = elementCount(view.dims);
  const made = context.add({
    kind: 'compare',
    length: rows,
    sources: [context.materialize(view)],
    relation: 'greater',
    innerB: 1,
    constants: Float64Array.of(threshold),
    channelInner: 1,
  });
  const flag = context.whole(made, [rows]);
  const [low, high] = [labels[0] ?? 0, labels[1] ?? 1];
  return low === 0 && high === 1 ? flag : affine(context, context.asView(flag), high - low, low);
}

const treeClassifier: Lower = (context, node) => {
  const ensemble = readEnsemble(node);
  const raw = scores(context, node, ensemble, context.view(node, 0));
  const labels = ensemble.labels ?? Array.from({ length: ensemble.outputs }, (_, i) => i);
  if (ensemble.binary) {
    const logistic = ensemble.transform === 'LOGISTIC';
    context.set(node, 0, binaryLabel(context, raw, logistic ? 0 : 0.5, labels));
    const positive = logistic ? unary(context, context.asView(raw), 'Sigmoid', sigmoid) : raw;
    const both = bothClasses(context, positive);
    context.set(node, 1, logistic ? both : transformed(context, node, both, ensemble.transform));
    return;
  }
  context.set(node, 0, labelOf(context, raw, labels));
  context.set(node, 1, transformed(context, node, raw, ensemble.transform));
};

const treeRegressor: Lower = (context, node) => {
  const ensemble = readEnsemble(node);
  context.set(node, 0, transformed(context, node, scores(context, node, ensemble, context.view(node, 0)), ensemble.transform));
};

function linearScores(context: Lowering, node: GraphNode): { value: Value; targets: number } {
  const x = context.view(node, 0);
  const features = x.dims[x.dims.length - 1] ?? 1;
  const rows = elementCount(x.dims) / features;
  const model = linearModel(node, features);
  const bias = Float64Array.from({ length: model.targets }, (_, t) => model.intercepts[t] ?? 0);
  const value = dense(context, x, rows, features, model.targets, Float64Array.from(model.coefficients), bias, [rows, model.targets]);
  return { value, targets: model.targets };
}

const linearClassifier: Lower = (context, node) => {
  const { value, targets } = linearScores(context, node);
  const transform = stringAttribute(node, 'post_transform', 'NONE');
  const labels = classLabels(node, Math.max(2, targets));
  if (targets === 1) {
    context.set(node, 0, binaryLabel(context, value, 0, labels));
    context.set(node, 1, bothClasses(context, transformed(context, node, value, transform)));
    return;
  }
  context.set(node, 0, labelOf(context, value, labels));
  context.set(node, 1, transformed(context, node, value, transform));
};

const scaler: Lower = (context, node) => {
  const x = context.view(node, 0);
  const offset = (node.attributes.get('offset') as readonly number[] | undefined) ?? [0];
  const scale = (node.attributes.get('scale') as readonly number[] | undefined) ?? [1];
  const width = Math.max(offset.length, scale.length);
  const at = (list: readonly number[], i: number): number => list[list.length === 1 ? 0 : i]!;
  const scales: Tensor = tensor(
    'float64',
    [width],
    Array.from({ length: width }, (_, i) => at(scale, i)),
  );
  const biases: Tensor = tensor(
    'float64',
    [width],
    Array.from({ length: width }, (_, i) => -at(offset, i) * at(scale, i)),
  );
  context.set(node, 0, affine(context, x, scales, biases));
};

/** Divides every row by its L1, L2 or largest value. */
const normalizer: Lower = (context, node) => {
  const x = context.view(node, 0);
  const width = x.dims[x.dims.length - 1] ?? 1;
  const rows = elementCount(x.dims) / width;
  const norm = stringAttribute(node, 'norm', 'MAX');
  const source = context.materialize(x);
  const parts =
    norm === 'MAX'
      ? source
      : context.add({
          kind: 'unary',
          length: rows * width,
          sources: [source],
          name: norm === 'L1' ? 'Abs' : 'Square',
          functions: [norm === 'L1' ? Math.abs : (v) => v * v],
          channelInner: 1,
        });
  const total =
    norm === 'MAX'
      ? context.add({ kind: 'max', length: rows, sources: [parts], window: folding(rows, width, 1), minimum: false })
      : context.add({ kind: 'sum', length: rows, sources: [parts], window: folding(rows, width, 1), scale: 1, bounds: UNBOUNDED });
  const divisor =
    norm === 'L2'
      ? context.add({
          kind: 'unary',
          length: rows,
          sources: [total],
          name: 'Sqrt',
          functions: [(v) => Math.sqrt(Math.max(0, v))],
          channelInner: 1,
        })
      : total;
  context.set(
    node,
    0,
    context.whole(context.add({ kind: 'divide', length: rows * width, sources: [source, divisor], innerB: width }), x.dims),
  );
};

const binarizer: Lower = (context, node) => {
  const x = context.view(node, 0);
  const made = context.add({
    kind: 'compare',
    length: elementCount(x.dims),
    sources: [context.materialize(x)],
    relation: 'greater',
    innerB: 1,
    constants: Float64Array.of(intAttribute(node, 'threshold', 0)),
    channelInner: 1,
  });
  context.set(node, 0, context.whole(made, x.dims));
};

const featureExtractor: Lower = (context, node) => {
  const x = context.view(node, 0);
  const wanted = context.constant(node, 1).data;
  const width = x.dims[x.dims.length - 1] ?? 1;
  const own = context.indexOf(x);
  const rows = own.length / width;
  const index = Int32Array.from(
    { length: rows * wanted.length },
    (_, e) => own[Math.floor(e / wanted.length) * width + wanted[e % wanted.length]!]!,
  );
  context.set(node, 0, { view: { ...x, dims: [...(x.dims.length > 1 ? x.dims.slice(0, -1) : [1]), wanted.length], index } });
};

/** ai.onnx.ml. ZipMap only names the columns of its input. */
export const LEARNING_LOWERINGS: Readonly<Record<string, Lower>> = {
  TreeEnsembleClassifier: treeClassifier,
  TreeEnsembleRegressor: treeRegressor,
  LinearClassifier: linearClassifier,
  LinearRegressor: (context, node) => context.set(node, 0, linearScores(context, node).value),
  Scaler: scaler,
  Normalizer: normalizer,
  Binarizer: binarizer,
  ArrayFeatureExtractor: featureExtractor,
  ZipMap: (context, node) => context.set(node, 0, context.input(node, 0)),
};
