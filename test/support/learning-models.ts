import type { ExpandedModel } from './expanded-model.ts';
import type { TestAttribute, TestNode } from './onnx.ts';

const LEARNING = 'ai.onnx.ml';
const values = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(seed + 1.7 * i));

function one(
  operator: string,
  outputs: readonly string[],
  attributes: Readonly<Record<string, TestAttribute>>,
  rest: Partial<ExpandedModel> & { learning?: number; dims?: number[]; types?: Record<string, number> } = {},
): ExpandedModel {
  const { learning, dims, types, ...more } = rest;
  const node: TestNode = { operator, domain: LEARNING, inputs: ['x'], outputs, attributes };
  return {
    model: {
      nodes: [node],
      inputs: { x: dims ?? [6, 4] },
      outputs,
      ...(learning === undefined ? {} : { learning }),
      ...(types === undefined ? {} : { types }),
    },
    ...more,
  };
}

/** Two trees over four features, three leaves each. */
const trees = {
  nodes_treeids: [0, 0, 0, 0, 0, 1, 1, 1],
  nodes_nodeids: [0, 1, 2, 3, 4, 0, 1, 2],
  nodes_featureids: [1, 0, 3, 0, 0, 2, 0, 0],
  nodes_modes: {
    strings: ['BRANCH_LEQ', 'LEAF', 'BRANCH_GT', 'LEAF', 'LEAF', 'BRANCH_LT', 'LEAF', 'LEAF'],
  },
  nodes_values: { floats: [0.1, 0, -0.3, 0, 0, 0.25, 0, 0] },
  nodes_truenodeids: [1, 0, 3, 0, 0, 1, 0, 0],
  nodes_falsenodeids: [2, 0, 4, 0, 0, 2, 0, 0],
} as const;

const votes = (prefix: string, ids: readonly number[], weights: readonly number[]): Record<string, TestAttribute> => ({
  [`${prefix}_treeids`]: [0, 0, 0, 1, 1],
  [`${prefix}_nodeids`]: [1, 3, 4, 1, 2],
  [`${prefix}_ids`]: ids,
  [`${prefix}_weights`]: { floats: weights },
});

/** Models of ai.onnx.ml. */
export const LEARNING_MODELS: Readonly<Record<string, ExpandedModel>> = {
  'LinearClassifier of two classes, raw': one('LinearClassifier', ['l', 's'], {
    coefficients: { floats: values(4, 1) },
    intercepts: { floats: [0.1] },
    classlabels_ints: [3, 7],
    post_transform: 'NONE',
  }),
  'LinearClassifier of two classes, logistic': one('LinearClassifier', ['l', 's'], {
    coefficients: { floats: values(4, 1) },
    intercepts: { floats: [0.1] },
    classlabels_ints: [0, 1],
    post_transform: 'LOGISTIC',
  }),
  'LinearClassifier of three classes': one('LinearClassifier', ['l', 's'], {
    coefficients: { floats: values(12, 1) },
    intercepts: { floats: values(3, 2) },
    classlabels_ints: [0, 1, 2],
    post_transform: 'SOFTMAX',
  }),
  'LinearRegressor of two targets': one('LinearRegressor', ['y'], {
    coefficients: { floats: values(8, 1) },
    intercepts: { floats: values(2, 2) },
    targets: 2,
  }),
  'TreeEnsembleRegressor, averaged': one('TreeEnsembleRegressor', ['y'], {
    ...trees,
    ...votes('target', [0, 0, 0, 0, 0], [1, 2, 3, -1, 0.5]),
    n_targets: 1,
    aggregate_function: 'AVERAGE',
    base_values: { floats: [0.25] },
  }),
  'TreeEnsembleRegressor, the smallest': one('TreeEnsembleRegressor', ['y'], {
    ...trees,
    ...votes('target', [0, 0, 0, 0, 0], [1, 2, 3, -1, 1.5]),
    n_targets: 1,
    aggregate_function: 'MIN',
  }),
  'TreeEnsembleClassifier of two classes': one('TreeEnsembleClassifier', ['l', 's'], {
    ...trees,
    ...votes('class', [0, 0, 0, 0, 0], [1, -2, 3, -1.5, 0.5]),
    classlabels_int64s: [0, 1],
    post_transform: 'LOGISTIC',
  }),
  'TreeEnsembleClassifier of three classes': one('TreeEnsembleClassifier', ['l', 's'], {
    ...trees,
    ...votes('class', [0, 1, 2, 2, 1], [1, 0.9, 0.3, 0.4, 0.5]),
    classlabels_int64s: [4, 5, 6],
    post_transform: 'SOFTMAX',
  }),
  Scaler: one('Scaler', ['y'], { offset: { floats: values(4, 1) }, scale: { floats: values(4, 2) } }),
  'Normalizer by L1': one('Normalizer', ['y'], { norm: 'L1' }),
  'Normalizer by L2': one('Normalizer', ['y'], { norm: 'L2' }),
  'Normalizer by the largest': one('Normalizer', ['y'], { norm: 'MAX' }, { ranges: { x: [0.1, 2] } }),
  'SVMRegressor with a radial kernel': one('SVMRegressor', ['y'], {
    kernel_type: 'RBF',
    kernel_params: { floats: [0.4, 0, 3] },
    support_vectors: { floats: values(20, 1) },
    coefficients: { floats: values(5, 2) },
    n_supports: 5,
    rho: { floats: [0.3] },
  }),
  'SVMRegressor with a polynomial kernel': one('SVMRegressor', ['y'], {
    kernel_type: 'POLY',
    kernel_params: { floats: [0.4, 0.2, 3] },
    support_vectors: { floats: values(20, 1) },
    coefficients: { floats: values(5, 2) },
    n_supports: 5,
    rho: { floats: [0.3] },
  }),
  'SVMRegressor that knows one class': one('SVMRegressor', ['y'], {
    kernel_type: 'LINEAR',
    kernel_params: { floats: [0.4, 0, 3] },
    support_vectors: { floats: values(8, 1) },
    coefficients: { floats: values(2, 2) },
    n_supports: 2,
    rho: { floats: [0.05] },
    one_class: 1,
  }),
  'LabelEncoder between numbers': one(
    'LabelEncoder',
    ['y'],
    { keys_int64s: [1, 3, 5], values_int64s: [10, -4, 7], default_int64: 99 },
    { types: { x: 7 }, ranges: { x: [0, 6] }, exact: ['y'] },
  ),
  'OneHotEncoder of whole numbers': one(
    'OneHotEncoder',
    ['y'],
    { cats_int64s: [1, 3, 5], zeros: 1 },
    { types: { x: 7 }, ranges: { x: [0, 6] }, exact: ['y'] },
  ),
  'Imputer of a number that stands for nothing': one(
    'Imputer',
    ['y'],
    { imputed_value_int64s: [7, 8, 9, 10], replaced_value_int64: -1 },
    { types: { x: 7 }, ranges: { x: [-2, 2] }, exact: ['y'] },
  ),
};
