import { type RecurrentPlan, recurrentPlan } from '../evaluate/recurrent.ts';
import type { GraphNode } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { folding, pointwise, UNBOUNDED } from './net.ts';
import type { Value, View } from './view.ts';

type Scalar = (x: number) => number;

/** ONNX gate numbers in the order in which a step's tensor holds its blocks. */
const BLOCKS: Readonly<Record<string, readonly number[]>> = { LSTM: [2, 0, 1, 3], RNN: [0] };

interface Unrolled {
  readonly context: Lowering;
  readonly node: GraphNode;
  readonly plan: RecurrentPlan;
  readonly x: View;
  readonly w: Tensor;
  readonly r: Tensor;
  readonly bias: Tensor | undefined;
}

/** A state of [batch][direction][hidden] values, as elements of some tensor or constants. */
interface State {
  readonly view: View;
  /** Address of (batch, direction, unit). */
  at(batch: number, direction: number, unit: number): number;
}

/** The state before the first step: zeros, or what the model gives. */
function initialState(u: Unrolled, position: number): State {
  const { batch, hidden, directions, batchFirst } = u.plan;
  const given = u.context.optional(u.node, position);
  const d = directions.length;
  if (given === undefined) return { view: { dims: [1], sources: [], index: Int32Array.of(0), constants: [0] }, at: () => 0 };
  const view = u.context.asView(given);
  return { view, at: (b, direction, unit) => (batchFirst ? (b * d + direction) * hidden + unit : (direction * batch + b) * hidden + unit) };
}

/** Joins elements picked from several views into one tensor; a pick is [view, element of that view] or a constant zero. */
function gatherPicks(context: Lowering, views: readonly View[], picks: readonly (readonly [number, number] | undefined)[]): number {
  const sources: number[] = [];
  const starts = new Map<number, number>();
  let total = 0;
  for (const view of views)
    for (const source of view.sources)
      if (!starts.has(source)) {
        starts.set(source, total);
        sources.push(source);
        total += context.length(source);
      }
  const constants = [0];
  const indices = views.map((view) => context.indexOf(view));
  const ends = views.map((view) => context.sourceLength(view));
  const address = (view: number, element: number): number => {
    let rest = indices[view]![element]!;
    if (rest >= ends[view]!) {
      constants.push(views[view]!.constants[rest - ends[view]!]!);
      return total + constants.length - 1;
    }
    for (const source of views[view]!.sources) {
      if (rest < context.length(source)) return starts.get(source)! + rest;
      rest -= context.length(source);
    }
    return total;
  };
  const index = Int32Array.from(picks, (pick) => (pick === undefined ? total : address(pick[0], pick[1])));
  return context.materialize({ dims: [index.length], sources, index, constants });
}

/** Element of x for (step, batch, feature). */
function inputElement(plan: RecurrentPlan, t: number, b: number, feature: number): number {
  return (plan.batchFirst ? b * plan.steps + t : t * plan.batch + b) * plan.features + feature;
}

/** Time that direction d works on at step s. */
function timeOf(plan: RecurrentPlan, direction: number, step: number): number {
  return plan.directions[direction] === 'reverse' ? plan.steps - 1 - step : step;
}

/** The vector [x_t ‖ h] of every direction side by side, for every batch row. */
function stepInput(u: Unrolled, step: number, h: State): number {
  const { plan } = u;
  const picks: (readonly [number, number])[] = [];
  for (let b = 0; b < plan.batch; b++)
    for (let d = 0; d < plan.directions.length; d++) {
      const t = timeOf(plan, d, step);
      for (let i = 0; i < plan.features; i++) picks.push([0, inputElement(plan, t, b, i)]);
      for (let i = 0; i < plan.hidden; i++) picks.push([1, h.at(b, d, i)]);
    }
  return gatherPicks(u.context, [u.x, h.view], picks);
}

/**
 * One gate layer over [x ‖ h]: blocks × directions × hidden outputs in that order. Directions do not see each other:
 * the weights between them are zero.
 */
function gateLayer(u: Unrolled, source: number, blocks: readonly { gate: number; fromX: boolean; fromH: boolean }[]): number {
  const { hidden, features, gates, batch, directions } = u.plan;
  const d = directions.length;
  const width = features + hidden;
  const fan = d * width;
  const outputs = blocks.length * d * hidden;
  const weights = new Float64Array(outputs * fan);
  const bias = new Float64Array(outputs);
  blocks.forEach(({ gate, fromX, fromH }, k) => {
    for (let direction = 0; direction < d; direction++)
      for (let unit = 0; unit < hidden; unit++) {
        const row = (k * d + direction) * hidden + unit;
        const from = direction * gates * hidden + gate * hidden + unit;
        if (fromX) for (let i = 0; i < features; i++) weights[row * fan + direction * width + i] = u.w.data[from * features + i]!;
        if (fromH) for (let i = 0; i < hidden; i++) weights[row * fan + direction * width + features + i] = u.r.data[from * hidden + i]!;
        const at = direction * 2 * gates * hidden + gate * hidden + unit;
        if (u.bias !== undefined) bias[row] = (fromX ? u.bias.data[at]! : 0) + (fromH ? u.bias.data[at + gates * hidden]! : 0);
      }
  });
  return u.context.add({
    kind: 'linear',
    length: batch * outputs,
    sources: [source],
    window: pointwise(batch, fan),
    outChannels: outputs,
    groups: 1,
    weights,
    bias,
    bounds: UNBOUNDED,
  });
}

function functionsPerBlock(u: Unrolled, pick: (f: readonly Scalar[], block: number) => Scalar, blocks: number): Scalar[] {
  const list: Scalar[] = [];
  for (let k = 0; k < blocks; k++) for (let d = 0; d < u.plan.directions.length; d++) list.push(pick(u.plan.functions[d]!, k));
  return list;
}

function activate(u: Unrolled, source: number, functions: readonly Scalar[]): number {
  const same = u.plan.functions.flat().length <= 1 && functions.every((f) => f === functions[0]);
  return u.context.add({
    kind: 'unary',
    length: u.context.length(source),
    sources: [source],
    name: 'Gates',
    functions: same ? [functions[0]!] : functions,
    channelInner: u.plan.hidden,
  });
}

/** State held in block `block` of a [batch][blocks][direction][hidden] tensor. */
function blockState(u: Unrolled, tensor: number, block: number, blocks: number): State {
  const { hidden, directions } = u.plan;
  const d = directions.length;
  const length = u.context.length(tensor);
  return {
    view: { dims: [length], sources: [tensor], index: undefined, constants: [] },
    at: (b, direction, unit) => ((b * blocks + block) * d + direction) * hidden + unit,
  };
}

/** A tensor of one value per unit, repeated for every block so that it can meet a gate tensor. */
function repeated(u: Unrolled, state: State, blocks: number, only?: number): number {
  const { batch, hidden, directions } = u.plan;
  const picks: (readonly [number, number] | undefined)[] = [];
  for (let b = 0; b < batch; b++)
    for (let k = 0; k < blocks; k++)
      for (let d = 0; d < directions.length; d++)
        for (let i = 0; i < hidden; i++) picks.push(only === undefined || only === k ? [0, state.at(b, d, i)] : undefined);
  return gatherPicks(u.context, [state.view], picks);
}

function times(u: Unrolled, a: number, b: number, innerB = 1): number {
  return u.context.add({ kind: 'multiply', length: u.context.length(a), sources: [a, b], innerB, scale: 1, bounds: UNBOUNDED });
}

/**
 * LSTM step in eight instructions: gather [x ‖ h], gates, tables, gather [c, g, 0, 0] against the gates' [f, i, o, g],
 * product, sum of the first two blocks (the new cell), its tanh, product with the gates (block 2 is the new h).
 */
function lstmStep(u: Unrolled, step: number, h: State, c: State): { h: State; c: State } {
  const { batch, hidden, directions } = u.plan;
  const { context } = u;
  const units = directions.length * hidden;
  const layer = gateLayer(
    u,
    stepInput(u, step, h),
    BLOCKS.LSTM!.map((gate) => ({ gate, fromX: true, fromH: true })),
  );
  const gates = activate(
    u,
    layer,
    functionsPerBlock(u, (f, block) => (block === 3 ? f[1]! : f[0]!), 4),
  );
  const candidate = blockState(u, gates, 3, 4);
  const picks: (readonly [number, number] | undefined)[] = [];
  for (let b = 0; b < batch; b++)
    for (let k = 0; k < 4; k++)
      for (let d = 0; d < directions.length; d++)
        for (let i = 0; i < hidden; i++) picks.push(k === 0 ? [0, c.at(b, d, i)] : k === 1 ? [1, candidate.at(b, d, i)] : undefined);
  const products = times(u, gates, gatherPicks(context, [c.view, candidate.view], picks));
  const cell = context.add({
    kind: 'sum',
    length: batch * units,
    sources: [products],
    window: { ...folding(batch, 4, units), kernelHeight: 2 },
    scale: 1,
    bounds: UNBOUNDED,
  });
  const squashed = activate(
    u,
    cell,
    functionsPerBlock(u, (f) => f[2]!, 1),
  );
  const spread = batch === 1 ? squashed : repeated(u, blockState(u, squashed, 0, 1), 4);
  return { h: blockState(u, times(u, gates, spread), 2, 4), c: blockState(u, cell, 0, 1) };
}

function rnnStep(u: Unrolled, step: number, h: State): State {
  const layer = gateLayer(u, stepInput(u, step, h), [{ gate: 0, fromX: true, fromH: true }]);
  return blockState(
    u,
    activate(
      u,
      layer,
      functionsPerBlock(u, (f) => f[0]!, 1),
    ),
    0,
    1,
  );
}

function slice(u: Unrolled, state: State): number {
  const { batch, hidden, directions } = u.plan;
  const picks: (readonly [number, number])[] = [];
  for (let b = 0; b < batch; b++)
    for (let d = 0; d < directions.length; d++) for (let i = 0; i < hidden; i++) picks.push([0, state.at(b, d, i)]);
  return gatherPicks(u.context, [state.view], picks);
}

function combine(u: Unrolled, a: number, b: number, factorA: number, factorB: number): number {
  return u.context.add({
    kind: 'rescale',
    length: u.context.length(a),
    sources: [a, b],
    channelInner: 1,
    a: Float64Array.of(factorA),
    b: Float64Array.of(factorB),
    bias: Float64Array.of(0),
    innerB: 1,
    bounds: UNBOUNDED,
  });
}

/** GRU step: h' = n + z·(h − n), n = f(Wx + r·(Rh + b)) or f(Wx + R(r·h) + b). */
function gruStep(u: Unrolled, step: number, h: State): State {
  const both = { fromX: true, fromH: true };
  const inputVector = stepInput(u, step, h);
  const layer = gateLayer(u, inputVector, [
    { gate: 0, ...both },
    { gate: 1, ...both },
  ]);
  const gates = activate(
    u,
    layer,
    functionsPerBlock(u, (f) => f[0]!, 2),
  );
  const update = slice(u, blockState(u, gates, 0, 2));
  const reset = slice(u, blockState(u, gates, 1, 2));
  const old = slice(u, h);
  let candidate: number;
  if (u.plan.linearBeforeReset) {
    const fromX = gateLayer(u, inputVector, [{ gate: 2, fromX: true, fromH: false }]);
    const fromH = gateLayer(u, inputVector, [{ gate: 2, fromX: false, fromH: true }]);
    candidate = combine(u, fromX, times(u, reset, fromH), 1, 1);
  } else {
    const gated = times(u, reset, old);
    candidate = gateLayer(u, stepInput(u, step, blockState(u, gated, 0, 1)), [{ gate: 2, ...both }]);
  }
  const next = activate(
    u,
    candidate,
    functionsPerBlock(u, (f) => f[1]!, 1),
  );
  return blockState(u, combine(u, next, times(u, update, combine(u, old, next, 1, -1)), 1, 1), 0, 1);
}

/** A view over the states of all steps in the layout of an ONNX output. */
function collect(context: Lowering, dims: readonly number[], picks: readonly (readonly [State, number, number, number])[]): Value {
  const sources: number[] = [];
  const starts = new Map<number, number>();
  let total = 0;
  for (const [state] of picks) {
    const source = state.view.sources[0]!;
    if (starts.has(source)) continue;
    starts.set(source, total);
    sources.push(source);
    total += context.length(source);
  }
  const index = Int32Array.from(picks, ([state, b, d, unit]) => starts.get(state.view.sources[0]!)! + state.at(b, d, unit));
  if (elementCount(dims) !== index.length) throw new RangeError('the states do not fill the output');
  return { view: { dims, sources, index, constants: [] } };
}

/** Unrolls LSTM, GRU and RNN over their fixed number of steps. */
export function lowerRecurrent(context: Lowering, node: GraphNode): void {
  const x = context.view(node, 0);
  const plan = recurrentPlan(node, x.dims);
  if (context.optionalConstant(node, 4)?.data.some((length) => length !== plan.steps))
    refuseNode(node, 'sequences of different lengths are not supported');
  if (context.optional(node, 7) !== undefined) refuseNode(node, 'peepholes are not supported');
  const u: Unrolled = {
    context,
    node,
    plan,
    x,
    w: context.constant(node, 1),
    r: context.constant(node, 2),
    bias: context.optionalConstant(node, 3),
  };
  let h = initialState(u, 5);
  let c = initialState(u, 6);
  const history: State[] = [];
  for (let step = 0; step < plan.steps; step++) {
    if (node.operator === 'LSTM') ({ h, c } = lstmStep(u, step, h, c));
    else h = node.operator === 'GRU' ? gruStep(u, step, h) : rnnStep(u, step, h);
    history.push(h);
  }
  const { steps, batch, hidden, batchFirst } = plan;
  const d = plan.directions.length;
  const sequence: (readonly [State, number, number, number])[] = [];
  const last = (state: State): (readonly [State, number, number, number])[] => {
    const picks: (readonly [State, number, number, number])[] = [];
    for (let i = 0; i < (batchFirst ? batch : d); i++)
      for (let j = 0; j < (batchFirst ? d : batch); j++)
        for (let k = 0; k < hidden; k++) picks.push(batchFirst ? [state, i, j, k] : [state, j, i, k]);
    return picks;
  };
  const stateAt = (t: number, direction: number): State => history[plan.directions[direction] === 'reverse' ? steps - 1 - t : t]!;
  if (batchFirst)
    for (let b = 0; b < batch; b++)
      for (let t = 0; t < steps; t++) for (let k = 0; k < d; k++) for (let i = 0; i < hidden; i++) sequence.push([stateAt(t, k), b, k, i]);
  else
    for (let t = 0; t < steps; t++)
      for (let k = 0; k < d; k++) for (let b = 0; b < batch; b++) for (let i = 0; i < hidden; i++) sequence.push([stateAt(t, k), b, k, i]);
  const stateDims = batchFirst ? [batch, d, hidden] : [d, batch, hidden];
  context.set(node, 0, collect(context, batchFirst ? [batch, steps, d, hidden] : [steps, d, batch, hidden], sequence));
  context.set(node, 1, collect(context, stateDims, last(h)));
  if (node.operator === 'LSTM') context.set(node, 2, collect(context, stateDims, last(c)));
}
