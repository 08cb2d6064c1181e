import { BOOL, type ExpandedModel, FLOAT, float, INT64, values } from './expanded-model.ts';
import type { TestAttribute } from './onnx.ts';

const LEARNING = 'ai.onnx.ml';

/** One tree: whether column 0 passes 1, then 2; column 1 passes 0. */
function stump(mode: string, thresholds: readonly number[]): Record<string, TestAttribute> {
  return {
    nodes_treeids: [0, 0, 0, 0, 0, 0, 0],
    nodes_nodeids: [0, 1, 2, 3, 4, 5, 6],
    nodes_featureids: [0, 1, 0, 0, 0, 0, 0],
    nodes_modes: { strings: [mode, mode, mode, 'LEAF', 'LEAF', 'LEAF', 'LEAF'] },
    nodes_values: { floats: [...thresholds, 0, 0, 0, 0] },
    nodes_truenodeids: [1, 3, 5, 0, 0, 0, 0],
    nodes_falsenodeids: [2, 4, 6, 0, 0, 0, 0],
    target_treeids: [0, 0, 0, 0],
    target_nodeids: [3, 4, 5, 6],
    target_ids: [0, 0, 0, 0],
    target_weights: { floats: [1, 2, 3, 4] },
    n_targets: 1,
  };
}

/** Whole numbers reach an ensemble, and so thresholds that they meet or that lie between them. */
const onThresholds = (mode: string, thresholds: readonly number[]): ExpandedModel => ({
  model: {
    nodes: [
      { operator: 'Cast', inputs: ['x'], outputs: ['f'], attributes: { to: FLOAT } },
      {
        operator: 'TreeEnsembleRegressor',
        domain: LEARNING,
        inputs: ['f'],
        outputs: ['y'],
        attributes: stump(mode, thresholds),
      },
    ],
    inputs: { x: [16, 2] },
    types: { x: INT64 },
    outputs: ['y'],
  },
  ranges: { x: [-2, 4] },
  tolerance: 0.001,
});

/** Values that lie on the thresholds of an ensemble: x is rounded to halves first. */
const onHalves = (mode: string): ExpandedModel => {
  const { model, ...rest } = onThresholds(mode, [0.5, 0, 1.5]);
  return {
    ...rest,
    model: {
      ...model,
      nodes: [
        { operator: 'Round', inputs: ['x'], outputs: ['r'] },
        { operator: 'Mul', inputs: ['r', 'half'], outputs: ['h'] },
        { ...model.nodes[1]!, inputs: ['h'] },
      ],
      types: {},
      constants: [{ name: 'half', dims: [], values: [0.5] }],
    },
    ranges: { x: [-2, 4] },
  };
};

const machine = (perClass: readonly number[], rest: Record<string, TestAttribute>): ExpandedModel => {
  const count = perClass.reduce((sum, n) => sum + n, 0);
  const pairs = (perClass.length * (perClass.length - 1)) / 2;
  const attributes = {
    vectors_per_class: [...perClass],
    kernel_params: { floats: [0.6, 0.1, 2] },
    support_vectors: { floats: values(3 * count, 1) },
    coefficients: { floats: values(count * (perClass.length - 1), 2) },
    rho: { floats: values(pairs, 3, 0.1) },
    classlabels_ints: perClass.map((_, i) => i),
    post_transform: 'NONE',
    ...rest,
  };
  return {
    model: {
      nodes: [{ operator: 'SVMClassifier', domain: LEARNING, inputs: ['x'], outputs: ['label', 'scores'], attributes }],
      inputs: { x: [12, 3] },
      outputs: ['label', 'scores'],
      learning: 1,
    },
    exact: ['label'],
  };
};

/** Forms that exporters of other libraries really write. */
export const EXPORTED_MODELS: Readonly<Record<string, ExpandedModel>> = {
  'a tree whose thresholds lie between whole numbers': onThresholds('BRANCH_LEQ', [1.5, 0.5, 2.5]),
  'a tree of whole numbers that meet its thresholds, below them to the left': onThresholds('BRANCH_LT', [1, 0, 2]),
  'a tree of whole numbers, strict thresholds between them': onThresholds('BRANCH_LT', [1.5, 0.5, 2.5]),
  'a tree whose thresholds are values that occur, XGBoost': onHalves('BRANCH_LT'),
  'a tree whose thresholds are values that occur, from them on': onHalves('BRANCH_GTE'),
  'whole numbers against what lies between them': {
    model: {
      nodes: [
        { operator: 'Cast', inputs: ['x'], outputs: ['f'], attributes: { to: FLOAT } },
        { operator: 'Greater', inputs: ['f', 'c'], outputs: ['more'] },
        { operator: 'GreaterOrEqual', inputs: ['f', 'c'], outputs: ['least'] },
        { operator: 'Less', inputs: ['f', 'c'], outputs: ['less'] },
        { operator: 'Equal', inputs: ['f', 'c'], outputs: ['same'] },
      ],
      inputs: { x: [5, 6] },
      types: { x: INT64 },
      outputs: ['more', 'least', 'less', 'same'],
      constants: [{ name: 'c', dims: [6], values: [2.5, 1, 0.1, -1.5, -1.9, 0] }],
    },
    ranges: { x: [-3, 3] },
    exact: ['more', 'least', 'less', 'same'],
  },
  'the label at the place of the largest score': {
    model: {
      nodes: [
        { operator: 'MatMul', inputs: ['x', 'w'], outputs: ['s'] },
        { operator: 'ArgMax', inputs: ['s'], outputs: ['at'], attributes: { axis: 1 } },
        { operator: 'ArrayFeatureExtractor', domain: LEARNING, inputs: ['labels', 'at'], outputs: ['own'] },
        { operator: 'Reshape', inputs: ['own', 'flat'], outputs: ['label'] },
      ],
      inputs: { x: [9, 3] },
      outputs: ['label'],
      constants: [
        { name: 'w', dims: [3, 4], values: values(12, 2) },
        { name: 'labels', dims: [4], values: [12, 3, 40, -5], type: INT64 },
        { name: 'flat', dims: [1], values: [-1], type: INT64 },
      ],
    },
    exact: ['label'],
  },
  'columns that an index of the model picks': {
    model: {
      nodes: [
        { operator: 'ArgMax', inputs: ['x'], outputs: ['at'], attributes: { axis: 1, keepdims: 0 } },
        { operator: 'ArrayFeatureExtractor', domain: LEARNING, inputs: ['x', 'at'], outputs: ['y'] },
      ],
      inputs: { x: [3, 4] },
      outputs: ['y'],
    },
  },
  'SVMClassifier of two classes': machine([4, 3], { kernel_type: 'RBF' }),
  // onnxruntime finds probabilities by libsvm's iteration, which ends a little early: nearly even ones come out even.
  'SVMClassifier of two classes with probabilities': {
    ...machine([4, 3], { kernel_type: 'RBF', prob_a: { floats: [-1.7] }, prob_b: { floats: [0.2] } }),
    float: 0.005,
  },
  'SVMClassifier of four classes': machine([2, 3, 2, 3], { kernel_type: 'LINEAR' }),
  'SVMClassifier of three classes, polynomials, labels of its own': machine([3, 2, 4], {
    kernel_type: 'POLY',
    classlabels_ints: [7, 3, 5],
  }),
  'LogSoftmax far below what an exponential shows': {
    model: {
      nodes: [
        { operator: 'Mul', inputs: ['x', 'wide'], outputs: ['s'] },
        { operator: 'LogSoftmax', inputs: ['s'], outputs: ['y'], attributes: { axis: 1 } },
      ],
      inputs: { x: [4, 6] },
      outputs: ['y'],
      constants: [{ name: 'wide', dims: [], values: [40] }],
    },
    tolerance: 0.003,
  },
  'Loop that ends by a counter it carries': {
    model: {
      nodes: [
        {
          operator: 'Loop',
          inputs: ['', 'go', 'zero', 'x'],
          outputs: ['steps', 'last'],
          attributes: {
            body: {
              graph: {
                nodes: [
                  { operator: 'Add', inputs: ['t', 'one'], outputs: ['t2'] },
                  { operator: 'Less', inputs: ['t2', 'four'], outputs: ['on'] },
                  { operator: 'MatMul', inputs: ['h', 'w'], outputs: ['p'] },
                  { operator: 'Tanh', inputs: ['p'], outputs: ['h2'] },
                ],
                inputs: { i: INT64, c: BOOL, t: INT64, h: FLOAT },
                outputs: ['on', 't2', 'h2'],
              },
            },
          },
        },
        { operator: 'LeakyRelu', inputs: ['last'], outputs: ['y'], attributes: { alpha: float(0.1) } },
      ],
      inputs: { x: [2, 3] },
      outputs: ['y'],
      constants: [
        { name: 'go', dims: [], values: [1], type: BOOL },
        { name: 'zero', dims: [], values: [0], type: INT64 },
        { name: 'one', dims: [], values: [1], type: INT64 },
        { name: 'four', dims: [], values: [4], type: INT64 },
        { name: 'w', dims: [3, 3], values: values(9, 2) },
      ],
    },
  },
};
