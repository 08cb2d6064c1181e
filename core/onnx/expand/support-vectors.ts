import { type GraphNode, intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, int64, type Tensor, tensor } from '../tensor.ts';
import type { Builder } from './builder.ts';

function floats(node: GraphNode, name: string): readonly number[] {
  return intsAttribute(node, name) ?? [];
}

/** Rows of an input [.., features]. */
function rowsOf(b: Builder): { name: string; rows: number; features: number } {
  const { name, dims } = b.input(0);
  const features = dims[dims.length - 1] ?? refuseNode(b.node, 'the input has no features');
  const rows = elementCount(dims) / features;
  return { name: b.op('Cast', [b.reshape(name, [rows, features])], { to: 1 }), rows, features };
}

/** Values of the kernel between every row and every support vector: [rows, vectors]. */
function kernels(b: Builder, x: string, vectors: Tensor): string {
  const { node } = b;
  const [count, features] = vectors.dims as [number, number];
  const [gamma = 0, offset = 0, degree = 1] = floats(node, 'kernel_params');
  const turned = Float32Array.from({ length: count * features }, (_, e) => vectors.data[(e % count) * features + Math.floor(e / count)]!);
  const products = b.op('MatMul', [x, b.tensor(tensor('float32', [features, count], turned))]);
  const affine = (): string => b.op('Add', [b.op('Mul', [products, b.scalar(gamma)]), b.scalar(offset)]);
  switch (stringAttribute(node, 'kernel_type', 'LINEAR')) {
    case 'LINEAR':
      return products;
    case 'POLY':
      return b.op('Pow', [affine(), b.scalar(degree)]);
    case 'SIGMOID':
      return b.op('Tanh', [affine()]);
    case 'RBF': {
      // |x − v|² = |x|² − 2·x·v + |v|²
      const own = b.op('ReduceSumSquare', [x, b.ints([1])], { keepdims: 1 });
      const norms = Array.from({ length: count }, (_, v) =>
        Array.from({ length: features }, (_, i) => vectors.data[v * features + i]! ** 2).reduce((sum, square) => sum + square, 0),
      );
      const mixed = b.op('Add', [b.op('Mul', [products, b.scalar(-2)]), b.tensor(tensor('float32', [count], norms))]);
      return b.op('Exp', [b.op('Mul', [b.op('Add', [mixed, own]), b.scalar(-gamma)])]);
    }
    default:
      return refuseNode(node, `the kernel '${stringAttribute(node, 'kernel_type', '')}' is not supported`);
  }
}

export function svmRegressor(b: Builder): readonly string[] {
  const { node } = b;
  const { name, features } = rowsOf(b);
  const coefficients = floats(node, 'coefficients');
  const vectors = floats(node, 'support_vectors');
  const count = intAttribute(node, 'n_supports', 0);
  if (count > 0 && vectors.length !== count * features) refuseNode(node, `${vectors.length} values of ${count} support vectors`);
  if (stringAttribute(node, 'post_transform', 'NONE') !== 'NONE') refuseNode(node, 'a post transform is not supported');
  const values = count > 0 ? kernels(b, name, tensor('float32', [count, features], vectors)) : name;
  const weights = b.tensor(tensor('float32', [count > 0 ? count : features, 1], coefficients));
  const score = b.op('Add', [b.op('MatMul', [values, weights]), b.scalar(floats(node, 'rho')[0] ?? 0)]);
  if (intAttribute(node, 'one_class', 0) === 0) return [score];
  const inside = b.op('Cast', [b.op('Greater', [score, b.scalar(0)])], { to: 1 });
  return [b.op('Sub', [b.op('Mul', [inside, b.scalar(2)]), b.scalar(1)])];
}

/** Pairs of classes in the order in which a one-against-one machine lists them. */
function pairsOf(classes: number): (readonly [number, number])[] {
  return Array.from({ length: classes }, (_, i) => Array.from({ length: classes - 1 - i }, (_, k) => [i, i + 1 + k] as const)).flat();
}

/** Weight of every support vector in the decision between every pair: [vectors, pairs]. Vectors lie class by class. */
function pairWeights(b: Builder, perClass: readonly number[], pairs: readonly (readonly [number, number])[]): Tensor {
  const count = perClass.reduce((sum, n) => sum + n, 0);
  const coefficients = floats(b.node, 'coefficients');
  if (coefficients.length !== count * (perClass.length - 1))
    refuseNode(b.node, `${coefficients.length} coefficients of ${count} support vectors`);
  const weights = new Float32Array(count * pairs.length);
  const start = perClass.map((_, c) => perClass.slice(0, c).reduce((sum, n) => sum + n, 0));
  pairs.forEach(([i, j], p) => {
    for (let v = start[i]!; v < start[i]! + perClass[i]!; v++) weights[v * pairs.length + p] = coefficients[count * (j - 1) + v]!;
    for (let v = start[j]!; v < start[j]! + perClass[j]!; v++) weights[v * pairs.length + p] = coefficients[count * i + v]!;
  });
  return tensor('float32', [count, pairs.length], weights);
}

/** The class that wins most duels, the first on ties. `won` is 1 where the first of a pair wins. */
function mostVotes(b: Builder, won: string, classes: number, pairs: readonly (readonly [number, number])[]): string {
  const lost = b.op('Sub', [b.scalar(1), won]);
  const duels = Array.from({ length: classes }, (_, c) =>
    pairs.flatMap(([i, j], p) => (i === c ? [p] : j === c ? [pairs.length + p] : [])),
  );
  const index = b.tensor(tensor('int64', [classes, classes - 1], duels.flat()));
  const votes = b.op('ReduceSum', [b.op('Gather', [b.op('Concat', [won, lost], { axis: 1 }), index], { axis: 1 }), b.ints([2])], {
    keepdims: 0,
  });
  return b.op('ArgMax', [votes], { axis: 1, keepdims: 0 });
}

/** One against one, as libsvm and scikit-learn train it: a duel of every pair, the most duels win. */
export function svmClassifier(b: Builder): readonly string[] {
  const { node } = b;
  const { name, features } = rowsOf(b);
  const perClass = intsAttribute(node, 'vectors_per_class') ?? [];
  const classes = perClass.length;
  if (classes < 2) refuseNode(node, 'only machines with support vectors of two classes or more are supported');
  if (stringAttribute(node, 'post_transform', 'NONE') !== 'NONE') refuseNode(node, 'a post transform is not supported');
  const vectors = floats(node, 'support_vectors');
  const count = perClass.reduce((sum, n) => sum + n, 0);
  if (vectors.length !== count * features) refuseNode(node, `${vectors.length} values of ${count} support vectors`);
  const pairs = pairsOf(classes);
  const rho = floats(node, 'rho');
  if (rho.length !== pairs.length) refuseNode(node, `${rho.length} thresholds of ${pairs.length} pairs of classes`);
  const products = b.op('MatMul', [
    kernels(b, name, tensor('float32', [count, features], vectors)),
    b.tensor(pairWeights(b, perClass, pairs)),
  ]);
  const scores = b.op('Add', [products, b.tensor(tensor('float32', [pairs.length], rho))]);
  const [slopes, offsets] = [floats(node, 'prob_a'), floats(node, 'prob_b')];
  const isProbable = slopes.length > 0 && offsets.length > 0;
  if (isProbable && classes > 2)
    refuseNode(node, 'probabilities of more than two classes are found by iteration', {}, 'export it without probabilities');
  const labels = intsAttribute(node, 'classlabels_ints') ?? Array.from({ length: classes }, (_, i) => i);
  const label = (position: string): string =>
    labels.every((own, i) => own === i) ? position : b.op('Gather', [b.tensor(int64(labels)), position], { axis: 0 });
  // Duels decide the label even where there are probabilities, which may disagree.
  const won = b.op('Cast', [b.op('Greater', [scores, b.scalar(0)])], { to: 1 });
  const chosen = label(mostVotes(b, won, classes, pairs));
  if (!isProbable) return [chosen, classes === 2 ? b.op('Concat', [b.op('Neg', [scores]), scores], { axis: 1 }) : scores];
  const level = b.op('Add', [b.op('Mul', [scores, b.scalar(slopes[0]!)]), b.scalar(offsets[0]!)]);
  return [chosen, b.op('Sigmoid', [b.op('Concat', [b.op('Neg', [level]), level], { axis: 1 })])];
}
