import { type GraphNode, intAttribute, intsAttribute, stringAttribute, stringsAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, type Tensor } from '../tensor.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';
import { scalarFunction } from './unary.ts';

const GATES: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };
const DEFAULT_ACTIVATIONS: Readonly<Record<string, readonly string[]>> = {
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  RNN: ['Tanh'],
};

/** A recurrent node at its fixed shapes. Gate order as in ONNX: LSTM i o f c, GRU z r h. */
export interface RecurrentPlan {
  readonly steps: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
  readonly gates: number;
  readonly directions: readonly ('forward' | 'reverse')[];
  /** Activations of every direction in the order of the file: gates, candidate, and for LSTM the cell. */
  readonly functions: readonly (readonly Scalar[])[];
  readonly batchFirst: boolean;
  readonly linearBeforeReset: boolean;
}

type Scalar = (x: number) => number;

/** Activations that take one or two parameters, with their defaults. */
const PARAMETERS: Readonly<Record<string, readonly number[]>> = {
  Affine: [1, 0],
  Elu: [1],
  HardSigmoid: [0.2, 0.5],
  LeakyRelu: [0.01],
  ScaledTanh: [1, 1],
  ThresholdedRelu: [1],
};

function activationFunction(node: GraphNode, name: string, alpha: number, beta: number): Scalar {
  switch (name) {
    case 'Affine':
      return (x) => alpha * x + beta;
    case 'ScaledTanh':
      return (x) => alpha * Math.tanh(beta * x);
    default: {
      const attributes = new Map([
        ['alpha', alpha],
        ['beta', beta],
      ]);
      return (
        scalarFunction({ ...node, operator: name, domain: '', attributes }) ?? refuseNode(node, `activation '${name}' is not supported`)
      );
    }
  }
}

/** Parameters are listed for those activations only that take them; `clip` bounds what enters gates and candidate, not the cell. */
function activationFunctions(node: GraphNode, names: readonly string[]): Scalar[] {
  const [alphas, betas] = ['activation_alpha', 'activation_beta'].map((name) => intsAttribute(node, name) ?? []) as [number[], number[]];
  const clip = node.attributes.has('clip') ? intAttribute(node, 'clip', 0) : Number.POSITIVE_INFINITY;
  let [alphaAt, betaAt] = [0, 0];
  return names.map((name, i) => {
    const defaults = PARAMETERS[name] ?? [];
    const alpha = defaults.length > 0 ? (alphas[alphaAt++] ?? defaults[0]!) : 0;
    const beta = defaults.length > 1 ? (betas[betaAt++] ?? defaults[1]!) : 0;
    const f = activationFunction(node, name, alpha, beta);
    const isCell = node.operator === 'LSTM' && i % 3 === 2;
    return clip === Number.POSITIVE_INFINITY || isCell ? f : (x) => f(Math.min(clip, Math.max(-clip, x)));
  });
}

export function recurrentPlan(node: GraphNode, xDims: readonly number[]): RecurrentPlan {
  const direction = stringAttribute(node, 'direction', 'forward');
  const directions =
    direction === 'bidirectional' ? (['forward', 'reverse'] as const) : ([direction === 'reverse' ? 'reverse' : 'forward'] as const);
  const batchFirst = intAttribute(node, 'layout', 0) === 1;
  if (intAttribute(node, 'input_forget', 0) !== 0) refuseNode(node, 'coupled input and forget gates are not supported');
  if (xDims.length !== 3) refuseNode(node, `an input of rank ${xDims.length}`);
  const defaults = DEFAULT_ACTIVATIONS[node.operator] ?? [];
  const activations = stringsAttribute(node, 'activations') ?? directions.flatMap(() => defaults);
  const functions = activationFunctions(node, activations);
  const each = activations.length / directions.length;
  return {
    steps: batchFirst ? xDims[1]! : xDims[0]!,
    batch: batchFirst ? xDims[0]! : xDims[1]!,
    features: xDims[2]!,
    hidden: intAttribute(node, 'hidden_size', 0),
    gates: GATES[node.operator] ?? 0,
    directions,
    functions: directions.map((_, d) => functions.slice(d * each, (d + 1) * each)),
    batchFirst,
    linearBeforeReset: intAttribute(node, 'linear_before_reset', 0) === 1,
  };
}

/** `W·x` of one gate row: weights [.., rows, width] from `row`. */
function rowProduct(weights: Tensor, row: number, x: ArrayLike<number>, from: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += weights.data[row * width + i]! * x[from + i]!;
  return sum;
}

interface Cell {
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** Unrolls one direction; `emit` receives the hidden state after every step. */
function unroll(
  node: GraphNode,
  plan: RecurrentPlan,
  direction: number,
  inputs: readonly (Tensor | undefined)[],
  emit: (step: number, batch: number, h: Float64Array) => void,
): Cell[] {
  const [x, w, r] = [input(node, inputs, 0), input(node, inputs, 1), input(node, inputs, 2)];
  const { hidden, gates, features } = plan;
  const f = plan.functions[direction]!;
  const bias = (gate: number, unit: number, recurrent: boolean): number =>
    inputs[3] === undefined ? 0 : inputs[3].data[direction * 2 * gates * hidden + (recurrent ? gates * hidden : 0) + gate * hidden + unit]!;
  const base = direction * gates * hidden;
  const peephole = (gate: number, unit: number): number => inputs[7]?.data[direction * 3 * hidden + gate * hidden + unit] ?? 0;
  const cells: Cell[] = [];
  for (let b = 0; b < plan.batch; b++) {
    const start = (state: Tensor | undefined): Float64Array => {
      const values = new Float64Array(hidden);
      const from = plan.batchFirst ? (b * plan.directions.length + direction) * hidden : (direction * plan.batch + b) * hidden;
      if (state !== undefined) for (let u = 0; u < hidden; u++) values[u] = state.data[from + u]!;
      return values;
    };
    let h = start(inputs[5]);
    let c = start(inputs[6]);
    for (let s = 0; s < plan.steps; s++) {
      const t = plan.directions[direction] === 'reverse' ? plan.steps - 1 - s : s;
      const from = (plan.batchFirst ? b * plan.steps + t : t * plan.batch + b) * features;
      const fromX = (gate: number, u: number) => rowProduct(w, base + gate * hidden + u, x.data, from, features) + bias(gate, u, false);
      const fromH = (gate: number, u: number, state: Float64Array = h) =>
        rowProduct(r, base + gate * hidden + u, state, 0, hidden) + bias(gate, u, true);
      const next = new Float64Array(hidden);
      if (node.operator === 'RNN') for (let u = 0; u < hidden; u++) next[u] = f[0]!(fromX(0, u) + fromH(0, u));
      else if (node.operator === 'LSTM') {
        const memory = new Float64Array(hidden);
        for (let u = 0; u < hidden; u++) {
          const i = f[0]!(fromX(0, u) + fromH(0, u) + peephole(0, u) * c[u]!);
          const forget = f[0]!(fromX(2, u) + fromH(2, u) + peephole(2, u) * c[u]!);
          memory[u] = forget * c[u]! + i * f[1]!(fromX(3, u) + fromH(3, u));
          next[u] = f[0]!(fromX(1, u) + fromH(1, u) + peephole(1, u) * memory[u]!) * f[2]!(memory[u]!);
        }
        c = memory;
      } else {
        const reset = new Float64Array(hidden);
        for (let u = 0; u < hidden; u++) reset[u] = f[0]!(fromX(1, u) + fromH(1, u));
        const gated = h.map((v, u) => v * reset[u]!);
        for (let u = 0; u < hidden; u++) {
          const z = f[0]!(fromX(0, u) + fromH(0, u));
          const candidate = f[1]!(fromX(2, u) + (plan.linearBeforeReset ? reset[u]! * fromH(2, u) : fromH(2, u, gated)));
          next[u] = (1 - z) * candidate + z * h[u]!;
        }
      }
      h = next;
      emit(t, b, h);
    }
    cells.push({ h, c });
  }
  return cells;
}

/** Weights [directions, gates·hidden, features] and [directions, gates·hidden, hidden]. */
function checkWeights(node: GraphNode, plan: RecurrentPlan, w: Tensor, r: Tensor): void {
  const rows = plan.directions.length * plan.gates * plan.hidden;
  if (w.data.length !== rows * plan.features || r.data.length !== rows * plan.hidden || !(plan.hidden > 0))
    refuseNode(node, `weights ${w.dims.join('x')} and ${r.dims.join('x')} do not fit ${plan.features} features and ${plan.hidden} units`);
}

const recurrent: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const plan = recurrentPlan(node, x.dims);
  const { steps, batch, hidden } = plan;
  checkWeights(node, plan, input(node, inputs, 1), input(node, inputs, 2));
  const d = plan.directions.length;
  if (inputs[4]?.data.some((length) => length !== steps)) refuseNode(node, 'sequences of different lengths are not supported');
  const y = allocate(x.type, steps * d * batch * hidden);
  const last = allocate(x.type, d * batch * hidden);
  const memory = allocate(x.type, d * batch * hidden);
  for (let direction = 0; direction < d; direction++) {
    const cells = unroll(node, plan, direction, inputs, (t, b, h) => {
      y.set(h, (plan.batchFirst ? (b * steps + t) * d + direction : (t * d + direction) * batch + b) * hidden);
    });
    cells.forEach((cell, b) => {
      const to = (plan.batchFirst ? b * d + direction : direction * batch + b) * hidden;
      last.set(cell.h, to);
      memory.set(cell.c, to);
    });
  }
  const stateDims = plan.batchFirst ? [batch, d, hidden] : [d, batch, hidden];
  const outputs: Tensor[] = [
    { type: x.type, dims: plan.batchFirst ? [batch, steps, d, hidden] : [steps, d, batch, hidden], data: y },
    { type: x.type, dims: stateDims, data: last },
  ];
  return node.operator === 'LSTM' ? [...outputs, { type: x.type, dims: stateDims, data: memory }] : outputs;
};

export const RECURRENT: OperatorTable = { LSTM: recurrent, GRU: recurrent, RNN: recurrent };
