import { type GraphNode, intAttribute, stringAttribute } from '../graph.ts';
import { gelu, sigmoid, UNARY } from './functions.ts';

const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

type Scalar = (x: number) => number;

/** Unary operators whose shape is set by attributes. */
const PARAMETRIC: Readonly<Record<string, (node: GraphNode) => Scalar>> = {
  LeakyRelu: (node) => {
    const alpha = intAttribute(node, 'alpha', 0.01);
    return (x) => (x < 0 ? alpha * x : x);
  },
  Elu: (node) => {
    const alpha = intAttribute(node, 'alpha', 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  },
  Celu: (node) => {
    const alpha = intAttribute(node, 'alpha', 1);
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  },
  Selu: (node) => {
    const alpha = intAttribute(node, 'alpha', SELU_ALPHA);
    const gamma = intAttribute(node, 'gamma', SELU_GAMMA);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  },
  HardSigmoid: (node) => {
    const alpha = intAttribute(node, 'alpha', 0.2);
    const beta = intAttribute(node, 'beta', 0.5);
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  },
  HardSwish: () => (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  Swish: (node) => {
    const alpha = intAttribute(node, 'alpha', 1);
    return (x) => x * sigmoid(alpha * x);
  },
  ThresholdedRelu: (node) => {
    const alpha = intAttribute(node, 'alpha', 1);
    return (x) => (x > alpha ? x : 0);
  },
  Shrink: (node) => {
    const bias = intAttribute(node, 'bias', 0);
    const lambda = intAttribute(node, 'lambd', 0.5);
    return (x) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0);
  },
  Gelu: (node) => {
    const approximate = stringAttribute(node, 'approximate', 'none') === 'tanh';
    return (x) => gelu(x, approximate);
  },
  FastGelu: () => (x) => gelu(x, true),
  IsNaN: () => (x) => (Number.isNaN(x) ? 1 : 0),
};

/** The scalar function of an operator that works value by value on one input, or undefined. Clip is not here: its bounds may be inputs. */
export function scalarFunction(node: GraphNode): Scalar | undefined {
  if (node.operator === 'IsNaN' || node.operator === 'FastGelu' || node.domain === '' || node.domain === 'com.microsoft') {
    return PARAMETRIC[node.operator]?.(node) ?? UNARY[node.operator];
  }
  return undefined;
}

/** Names of all operators that `scalarFunction` knows. */
export function scalarOperators(): string[] {
  return [...Object.keys(PARAMETRIC), ...Object.keys(UNARY)];
}
