import { type GraphNode, intAttribute, intsAttribute, tensorAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, tensor } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';
import { svmClassifier, svmRegressor } from './support-vectors.ts';

function floats(node: GraphNode, name: string): readonly number[] {
  return intsAttribute(node, name) ?? [];
}

/** The columns that an index names, as exporters look up a class by its position; the index may vary. */
function featureExtractor(b: Builder): readonly string[] | undefined {
  const [x, index] = [b.input(0), b.input(1)];
  if (index.constant !== undefined) return undefined;
  const [width, count] = [x.dims.at(-1) ?? 1, elementCount(index.dims)];
  const rows = elementCount(x.dims) / width;
  const picked = b.op('Gather', [b.reshape(x.name, [rows, width]), b.reshape(index.name, [count])], { axis: 1 });
  return [b.reshape(picked, [...(x.dims.length > 1 ? x.dims.slice(0, -1) : [1]), count])];
}

/** Inputs of a program are numbers, so there is nothing to replace unless a number stands for "missing". */
function imputer(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const whole = intsAttribute(node, 'imputed_value_int64s');
  const values = whole?.length ? whole : floats(node, 'imputed_value_floats');
  const missing = intAttribute(node, whole?.length ? 'replaced_value_int64' : 'replaced_value_float', 0);
  if (Number.isNaN(missing)) return [b.op('Identity', [x.name])];
  const at = b.op('Equal', [x.name, b.scalar(missing, x.type)]);
  return [b.op('Where', [at, b.tensor(tensor(x.type, [values.length], values)), x.name])];
}

function featureVectorizer(b: Builder): readonly string[] {
  const parts = b.node.inputs.map((_, i) => {
    const { name, dims } = b.input(i);
    const width = dims[dims.length - 1] ?? 1;
    return b.op('Cast', [b.reshape(name, [elementCount(dims) / width, width])], { to: 1 });
  });
  return [b.op('Concat', parts, { axis: 1 })];
}

/** Numbers of an attribute that newer operator sets write as a tensor. */
function listed(node: GraphNode, names: readonly string[]): readonly number[] | undefined {
  for (const name of names) {
    const list = intsAttribute(node, name);
    if (list?.length) return list;
    const whole = tensorAttribute(node, name);
    if (whole !== undefined) return Array.from(whole.data);
  }
  return undefined;
}

/** A finite map between numbers: a sum over its keys, each of which at most one value meets. */
function labelEncoder(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const keys = listed(node, ['keys_int64s', 'keys_floats', 'keys_tensor']);
  const values = listed(node, ['values_int64s', 'values_floats', 'values_tensor']);
  if (keys === undefined || values === undefined || keys.length !== values.length)
    refuseNode(node, 'only maps from numbers to numbers are supported', {}, 'leave strings outside the model');
  const isWhole = node.attributes.has('values_int64s') || tensorAttribute(node, 'values_tensor')?.type === 'int64';
  const type = isWhole ? 'int64' : 'float32';
  const fallback = isWhole ? intAttribute(node, 'default_int64', -1) : intAttribute(node, 'default_float', 0);
  const other = tensorAttribute(node, 'default_tensor')?.data[0] ?? fallback;
  const row = b.op('Equal', [b.op('Unsqueeze', [x.name, b.ints([-1])]), b.tensor(tensor(x.type, [keys.length], keys))]);
  const weights = values.map((value) => value - other);
  const met = b.op('Mul', [b.op('Cast', [row], { to: isWhole ? 7 : 1 }), b.tensor(tensor(type, [values.length], weights))]);
  return [b.op('Add', [b.op('ReduceSum', [met, b.ints([-1])], { keepdims: 0 }), b.scalar(other, type)])];
}

/** One where the value is the category. */
function oneHotEncoder(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const categories = intsAttribute(node, 'cats_int64s') ?? refuseNode(node, 'only whole numbers as categories are supported');
  const row = b.op('Equal', [b.op('Unsqueeze', [x.name, b.ints([-1])]), b.tensor(tensor(x.type, [categories.length], categories))]);
  return [b.op('Cast', [row], { to: 1 })];
}

/** Comparisons by number, as the ensembles of operator set 5 write them. */
const MODES = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];
const AGGREGATES = ['AVERAGE', 'SUM', 'MIN', 'MAX'];
const TRANSFORMS = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'];

/** The ensemble of operator set 5 keeps leaves apart from branches; as a regressor both are nodes, branches first. */
function treeEnsemble(b: Builder): readonly string[] {
  const { node } = b;
  const list = (name: string): readonly number[] => listed(node, [name]) ?? [];
  const [roots, features, splits, modes] = [list('tree_roots'), list('nodes_featureids'), list('nodes_splits'), list('nodes_modes')];
  const branches = features.length;
  const [trueLeaf, falseLeaf] = [list('nodes_trueleafs'), list('nodes_falseleafs')];
  const [trueId, falseId] = [list('nodes_truenodeids'), list('nodes_falsenodeids')];
  const [targets, weights] = [list('leaf_targetids'), list('leaf_weights')];
  const attributes = {
    tree: [] as number[],
    id: [] as number[],
    feature: [] as number[],
    mode: [] as string[],
    value: [] as number[],
    yes: [] as number[],
    no: [] as number[],
    voteTree: [] as number[],
    voteId: [] as number[],
    target: [] as number[],
    weight: [] as number[],
  };
  const placeOf = (leaf: boolean, id: number): number => (leaf ? branches + id : id);
  roots.forEach((root, t) => {
    // A tree of one leaf has a root whose both ways lead to it.
    const open = [{ leaf: false, id: root }];
    const seen = new Set<number>();
    while (open.length > 0) {
      const { leaf, id } = open.pop()!;
      const place = placeOf(leaf, id);
      if (seen.has(place)) continue;
      seen.add(place);
      const mode = leaf ? 'LEAF' : (MODES[modes[id] ?? -1] ?? refuseNode(node, 'membership in sets is not supported'));
      attributes.tree.push(t);
      attributes.id.push(place);
      attributes.mode.push(mode);
      attributes.feature.push(leaf ? 0 : features[id]!);
      attributes.value.push(leaf ? 0 : splits[id]!);
      attributes.yes.push(leaf ? 0 : placeOf(trueLeaf[id] === 1, trueId[id]!));
      attributes.no.push(leaf ? 0 : placeOf(falseLeaf[id] === 1, falseId[id]!));
      if (leaf) {
        attributes.voteTree.push(t);
        attributes.voteId.push(place);
        attributes.target.push(targets[id] ?? refuseNode(node, `leaf ${id} is missing`));
        attributes.weight.push(weights[id] ?? 0);
      } else open.push({ leaf: trueLeaf[id] === 1, id: trueId[id]! }, { leaf: falseLeaf[id] === 1, id: falseId[id]! });
    }
  });
  const transform = TRANSFORMS[intAttribute(node, 'post_transform', 0)] ?? 'NONE';
  return b.many(
    'TreeEnsembleRegressor',
    [b.input(0).name],
    {
      nodes_treeids: attributes.tree,
      nodes_nodeids: attributes.id,
      nodes_featureids: attributes.feature,
      nodes_modes: attributes.mode,
      nodes_values: attributes.value,
      nodes_truenodeids: attributes.yes,
      nodes_falsenodeids: attributes.no,
      target_treeids: attributes.voteTree,
      target_nodeids: attributes.voteId,
      target_ids: attributes.target,
      target_weights: attributes.weight,
      n_targets: intAttribute(node, 'n_targets', 1),
      aggregate_function: AGGREGATES[intAttribute(node, 'aggregate_function', 1)] ?? 'SUM',
      post_transform: transform,
    },
    1,
    'ai.onnx.ml',
  );
}

export const LEARNING_EXPANSIONS: Readonly<Record<string, Expansion>> = {
  ArrayFeatureExtractor: { expand: featureExtractor },
  FeatureVectorizer: { expand: featureVectorizer },
  Imputer: { expand: imputer },
  LabelEncoder: { expand: labelEncoder },
  OneHotEncoder: { expand: oneHotEncoder },
  SVMClassifier: { expand: svmClassifier },
  SVMRegressor: { expand: svmRegressor },
  TreeEnsemble: { expand: treeEnsemble },
};
