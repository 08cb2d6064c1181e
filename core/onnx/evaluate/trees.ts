import { type GraphNode, stringAttribute, stringsAttribute, tensorAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';

export interface TreeNode {
  readonly feature: number;
  /** 'BRANCH_LEQ' and its kin, or 'LEAF'. */
  readonly mode: string;
  readonly value: number;
  /** Positions within the tree. */
  readonly whenTrue: number;
  readonly whenFalse: number;
  /** [target or class, weight] pairs of a leaf. */
  readonly votes: readonly (readonly [number, number])[];
}

/** An ai.onnx.ml tree ensemble in one shape, whichever operator it came from. */
export interface Ensemble {
  readonly trees: readonly (readonly TreeNode[])[];
  readonly outputs: number;
  readonly base: readonly number[];
  readonly transform: string;
  readonly average: boolean;
  readonly minimum: boolean;
  readonly maximum: boolean;
  /** Integer class labels of a classifier; undefined for string labels (positions are used) and regressors. */
  readonly labels: readonly number[] | undefined;
  readonly binary: boolean;
}

/** Classes or targets of one ensemble. */
const MOST_OUTPUTS = 65_536;

function numbers(node: GraphNode, name: string): readonly number[] {
  const direct = node.attributes.get(name);
  if (Array.isArray(direct)) return direct as number[];
  const asTensor = tensorAttribute(node, `${name}_as_tensor`) ?? tensorAttribute(node, name);
  return asTensor === undefined ? [] : Array.from(asTensor.data);
}

/** Reads TreeEnsembleClassifier or TreeEnsembleRegressor; checks that every reference stays inside its tree. */
export function readEnsemble(node: GraphNode): Ensemble {
  const classifier = node.operator === 'TreeEnsembleClassifier';
  const prefix = classifier ? 'class' : 'target';
  const treeIds = numbers(node, 'nodes_treeids');
  const nodeIds = numbers(node, 'nodes_nodeids');
  const features = numbers(node, 'nodes_featureids');
  const values = numbers(node, 'nodes_values');
  const whenTrue = numbers(node, 'nodes_truenodeids');
  const whenFalse = numbers(node, 'nodes_falsenodeids');
  const modes = stringsAttribute(node, 'nodes_modes') ?? [];
  const count = treeIds.length;
  if (count === 0 || [nodeIds, features, values, whenTrue, whenFalse, modes].some((list) => list.length !== count)) {
    refuseNode(node, 'the node lists of the ensemble have different lengths');
  }
  const position = new Map<string, number>();
  const trees = new Map<number, TreeNode[]>();
  for (let i = 0; i < count; i++) {
    const tree = trees.get(treeIds[i]!) ?? [];
    trees.set(treeIds[i]!, tree);
    position.set(`${treeIds[i]}:${nodeIds[i]}`, tree.length);
    tree.push({ feature: features[i]!, mode: modes[i]!, value: values[i]!, whenTrue: 0, whenFalse: 0, votes: [] });
  }
  const find = (tree: number, id: number): number =>
    position.get(`${tree}:${id}`) ?? refuseNode(node, `tree ${tree} refers to a missing node ${id}`);
  for (let i = 0; i < count; i++) {
    const tree = trees.get(treeIds[i]!)!;
    const at = find(treeIds[i]!, nodeIds[i]!);
    if (tree[at]!.mode === 'LEAF') continue;
    tree[at] = { ...tree[at]!, whenTrue: find(treeIds[i]!, whenTrue[i]!), whenFalse: find(treeIds[i]!, whenFalse[i]!) };
  }
  const voteTrees = numbers(node, `${prefix}_treeids`);
  const voteNodes = numbers(node, `${prefix}_nodeids`);
  const voteIds = numbers(node, `${prefix}_ids`);
  const weights = numbers(node, `${prefix}_weights`);
  let highest = 0;
  for (let i = 0; i < voteTrees.length; i++) {
    const tree = trees.get(voteTrees[i]!) ?? refuseNode(node, `a leaf of the missing tree ${voteTrees[i]}`);
    const at = find(voteTrees[i]!, voteNodes[i]!);
    tree[at] = { ...tree[at]!, votes: [...tree[at]!.votes, [voteIds[i]!, weights[i]!] as const] };
    highest = Math.max(highest, voteIds[i]!);
  }
  const labels = node.attributes.get('classlabels_int64s') as readonly number[] | undefined;
  const stringLabels = stringsAttribute(node, 'classlabels_strings');
  const classes = classifier ? labels?.length || stringLabels?.length || highest + 1 : Number(node.attributes.get('n_targets') ?? 1);
  if (!(classes >= 1 && classes <= MOST_OUTPUTS && highest < classes))
    refuseNode(node, `votes for output ${highest} of ${classes}, of which there may be ${MOST_OUTPUTS}`);
  const aggregate = stringAttribute(node, 'aggregate_function', 'SUM');
  return {
    trees: [...trees.values()],
    outputs: classes,
    base: numbers(node, 'base_values'),
    transform: stringAttribute(node, 'post_transform', 'NONE'),
    average: aggregate === 'AVERAGE',
    minimum: aggregate === 'MIN',
    maximum: aggregate === 'MAX',
    labels: labels?.length ? labels : undefined,
    binary: classifier && classes === 2 && highest === 0,
  };
}

const BRANCHES: Readonly<Record<string, (x: number, value: number) => boolean>> = {
  BRANCH_LEQ: (x, value) => x <= value,
  BRANCH_LT: (x, value) => x < value,
  BRANCH_GTE: (x, value) => x >= value,
  BRANCH_GT: (x, value) => x > value,
  BRANCH_EQ: (x, value) => x === value,
  BRANCH_NEQ: (x, value) => x !== value,
};

/** The leaf that a row of features reaches. */
export function reachLeaf(node: GraphNode, tree: readonly TreeNode[], row: ArrayLike<number>): number {
  let at = 0;
  for (let steps = 0; tree[at]!.mode !== 'LEAF'; steps++) {
    if (steps > tree.length) refuseNode(node, 'a tree has a cycle');
    const here = tree[at]!;
    const branch = BRANCHES[here.mode] ?? refuseNode(node, `node mode '${here.mode}' is not supported`);
    at = branch(row[here.feature]!, here.value) ? here.whenTrue : here.whenFalse;
  }
  return at;
}
