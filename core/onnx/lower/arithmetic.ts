import { broadcastDims } from '../evaluate/broadcast.ts';
import { evaluateNode } from '../evaluate/index.ts';
import { scalarFunction } from '../evaluate/unary.ts';
import type { GraphNode } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, type Tensor, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine, expanded, frame, framed, mapped, multiplied, pair, unary, unaryWith, weightedSum } from './elementwise.ts';
import { constantBounds, lowerMovement } from './movement.ts';
import { channelPattern, channelRows, isConstant, type Value, type View } from './view.ts';

type Lower = (context: Lowering, node: GraphNode) => void;

const negate = (x: number): number => -x;

function addition(signB: 1 | -1): Lower {
  return (context, node) => {
    const [a, b] = [context.input(node, 0), context.input(node, 1)];
    if (isConstant(b)) context.set(node, 0, affine(context, context.asView(a), 1, signB === 1 ? b.constant : mapped(b.constant, negate)));
    else if (isConstant(a)) context.set(node, 0, affine(context, b.view, signB, a.constant));
    else context.set(node, 0, weightedSum(context, node, a.view, b.view, 1, signB));
  };
}

const multiplication: Lower = (context, node) => {
  const [a, b] = [context.input(node, 0), context.input(node, 1)];
  if (isConstant(b)) context.set(node, 0, affine(context, context.asView(a), b.constant, 0));
  else if (isConstant(a)) context.set(node, 0, affine(context, b.view, a.constant, 0));
  else if (a.view === b.view)
    context.set(
      node,
      0,
      unary(context, a.view, 'Square', (x) => x * x),
    );
  else context.set(node, 0, multiplied(context, node, a.view, b.view));
};

/** The numerator leads a quotient, so the operands may not change places. */
function quotient(context: Lowering, node: GraphNode, a: View, b: View): Value {
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined) refuseNode(node, 'shapes do not broadcast');
  const p = pair(context, node, expanded(context, a, dims), b);
  if (p.exchanged) {
    const inverted = unary(context, b, 'Reciprocal', (x) => 1 / x);
    return multiplied(context, node, a, context.asView(inverted));
  }
  const made = context.add({ kind: 'divide', length: context.length(p.first), sources: [p.first, p.second], innerB: p.innerB });
  return framed(context, made, p.frame);
}

const division: Lower = (context, node) => {
  // Integers truncate; two that vary were written otherwise before.
  if (context.integerValued.has(node.outputs[0]!)) {
    withConstant(context, node);
    return;
  }
  const [a, b] = [context.input(node, 0), context.input(node, 1)];
  if (isConstant(b)) {
    if (b.constant.data.some((x) => x === 0)) refuseNode(node, 'a constant divisor is zero');
    context.set(
      node,
      0,
      affine(
        context,
        context.asView(a),
        mapped(b.constant, (x) => 1 / x),
        0,
      ),
    );
    return;
  }
  if (isConstant(a)) {
    const inverted = unary(context, b.view, 'Reciprocal', (x) => 1 / x);
    context.set(node, 0, affine(context, context.asView(inverted), a.constant, 0));
    return;
  }
  context.set(node, 0, quotient(context, node, a.view, b.view));
};

const power: Lower = (context, node) => {
  const [base, exponent] = [context.input(node, 0), context.input(node, 1)];
  if (isConstant(exponent)) {
    const only = exponent.constant.data.length === 1 ? exponent.constant.data[0]! : undefined;
    const x = context.asView(base);
    if (only === 1) context.set(node, 0, base);
    else if (only !== undefined && elementCount(exponent.constant.dims) === 1 && exponent.constant.dims.length <= x.dims.length) {
      context.set(
        node,
        0,
        unary(context, x, only === 2 ? 'Square' : `Pow${only}`, (v) => v ** only),
      );
    } else
      context.set(
        node,
        0,
        unaryWith(context, node, x, exponent.constant, (v, e) => v ** e),
      );
    return;
  }
  if (!isConstant(base)) refuseNode(node, 'a varying base with a varying exponent is not supported');
  context.set(
    node,
    0,
    unaryWith(context, node, exponent.view, base.constant, (e, b) => b ** e),
  );
};

/** A function of one value that varies and one that does not, as the float reference computes it: a table. Integers stay integers. */
const withConstant: Lower = (context, node) => {
  const [a, b] = [context.input(node, 0), context.input(node, 1)];
  const of = (position: number, value: number): Tensor => tensor(context.types.get(node.inputs[position]!) ?? 'float32', [], [value]);
  const both = (x: number, y: number): number => evaluateNode(node, [of(0, x), of(1, y)])[0]!.data[0]!;
  const name = context.integerValued.has(node.outputs[0]!) ? 'Truncate' : node.operator;
  if (isConstant(b)) context.set(node, 0, unaryWith(context, node, context.asView(a), b.constant, both, name));
  else if (isConstant(a))
    context.set(
      node,
      0,
      unaryWith(context, node, b.view, a.constant, (x, c) => both(c, x), name),
    );
  else refuseNode(node, 'of two operands that vary this operator is not supported');
};

function clip(low: number, high: number): Lower {
  return (context, node) => context.set(node, 0, affine(context, context.view(node, 0), 1, 0, { low, high }));
}

/** `select(A − B > 0, A, B)` or the other way round; against a scalar constant it is a clip. */
function extremum(minimum: boolean): Lower {
  return (context, node) => {
    let value = context.input(node, 0);
    for (let i = 1; i < node.inputs.length; i++) value = extremumOf(context, node, value, context.input(node, i), minimum);
    context.set(node, 0, value);
  };
}

function extremumOf(context: Lowering, node: GraphNode, a: Value, b: Value, minimum: boolean): Value {
  if (isConstant(a) || isConstant(b)) {
    const constant = isConstant(b) ? b.constant : (a as { constant: Tensor }).constant;
    const x = isConstant(b) ? context.asView(a) : context.asView(b);
    if (constant.data.length === 1) {
      const bound = constant.data[0]!;
      return affine(
        context,
        expanded(context, x, broadcastDims(x.dims, constant.dims) ?? x.dims),
        1,
        0,
        minimum ? { low: Number.NEGATIVE_INFINITY, high: bound } : { low: bound, high: Number.POSITIVE_INFINITY },
      );
    }
    return unaryWith(context, node, x, constant, minimum ? Math.min : Math.max);
  }
  const dims = broadcastDims(a.view.dims, b.view.dims);
  if (dims === undefined) refuseNode(node, 'shapes do not broadcast');
  const wide = [expanded(context, a.view, dims), expanded(context, b.view, dims)].map((view) => context.materialize(view)) as [
    number,
    number,
  ];
  const condition = context.add({
    kind: 'compare',
    length: context.length(wide[0]),
    sources: minimum ? [wide[1], wide[0]] : wide,
    relation: 'greater',
    innerB: 1,
    constants: new Float64Array(0),
    channelInner: 1,
  });
  return context.whole(context.add({ kind: 'select', length: context.length(wide[0]), sources: [condition, ...wide] }), dims);
}

type Relation = 'greater' | 'greaterOrEqual' | 'equal';

/** `a relation b` as 0 or 1. */
export function compared(context: Lowering, node: GraphNode, a: Value, b: Value, relation: Relation): Value {
  if (isConstant(b) && !isConstant(a)) return comparedToConstant(context, node, a.view, b.constant, relation);
  if (isConstant(a) && !isConstant(b)) {
    // c > x is not (x ≥ c); c ≥ x is not (x > c).
    if (relation === 'equal') return comparedToConstant(context, node, b.view, a.constant, relation);
    const opposite = comparedToConstant(context, node, b.view, a.constant, relation === 'greater' ? 'greaterOrEqual' : 'greater');
    return affine(context, context.asView(opposite), -1, 1);
  }
  const [left, right] = [context.asView(a), context.asView(b)];
  const p = pair(context, node, left, right);
  if (p.exchanged && relation !== 'equal') {
    const dims = broadcastDims(left.dims, right.dims)!;
    return compared(context, node, context.whole(context.materialize(expanded(context, left, dims)), dims), b, relation);
  }
  const made = context.add({
    kind: 'compare',
    length: context.length(p.first),
    sources: [p.first, p.second],
    relation,
    innerB: p.innerB,
    constants: new Float64Array(0),
    channelInner: 1,
  });
  return framed(context, made, p.frame);
}

function comparedToConstant(context: Lowering, node: GraphNode, view: View, constant: Tensor, relation: Relation): Value {
  const dims = broadcastDims(view.dims, constant.dims);
  if (dims === undefined) refuseNode(node, 'shapes do not broadcast');
  const at = frame(context, expanded(context, view, dims));
  const count = elementCount(dims);
  const thresholds = new Float64Array(count);
  const spread = expanded(context, context.asView({ constant }), dims).index!;
  for (let e = 0; e < count; e++) thresholds[at.index === undefined ? e : at.index[e]!] = constant.data[spread[e]!]!;
  const pattern = channelPattern([thresholds]);
  const made = context.add({
    kind: 'compare',
    length: count,
    sources: [at.base],
    relation,
    innerB: 1,
    constants: channelRows(thresholds, pattern),
    channelInner: pattern.inner,
  });
  return framed(context, made, at);
}

function comparison(relation: Relation, swap: boolean): Lower {
  return (context, node) => {
    const [a, b] = [context.input(node, 0), context.input(node, 1)];
    context.set(node, 0, swap ? compared(context, node, b, a, relation) : compared(context, node, a, b, relation));
  };
}

const not: Lower = (context, node) => context.set(node, 0, affine(context, context.view(node, 0), -1, 1));

const and: Lower = (context, node) => multiplication(context, node);

const or: Lower = (context, node) => {
  const [a, b] = [context.input(node, 0), context.input(node, 1)];
  if (isConstant(b)) context.set(node, 0, affine(context, context.asView(a), 1, b.constant, { low: 0, high: 1 }));
  else if (isConstant(a)) context.set(node, 0, affine(context, b.view, 1, a.constant, { low: 0, high: 1 }));
  else {
    const sum = weightedSum(context, node, a.view, b.view, 1, 1);
    context.set(node, 0, affine(context, context.asView(sum), 1, 0, { low: 0, high: 1 }));
  }
};

const where: Lower = (context, node) => {
  if (isConstant(context.input(node, 0))) {
    lowerMovement(context, node);
    return;
  }
  const condition = context.view(node, 0);
  const parts = [context.view(node, 1), context.view(node, 2)];
  const dims = parts.reduce<readonly number[]>(
    (current, part) => broadcastDims(current, part.dims) ?? refuseNode(node, 'shapes do not broadcast'),
    condition.dims,
  );
  const sources = [condition, ...parts].map((view) => context.materialize(expanded(context, view, dims)));
  context.set(node, 0, context.whole(context.add({ kind: 'select', length: elementCount(dims), sources }), dims));
};

/** Casting to a whole type truncates; to a boolean asks for "not zero". */
const cast: Lower = (context, node) => {
  const to = node.attributes.get('to');
  const x = context.view(node, 0);
  const source = x.sources.length === 1 ? context.nodes[x.sources[0]!] : undefined;
  const whole =
    source !== undefined &&
    (source.kind === 'compare' ||
      source.kind === 'arg' ||
      source.kind === 'tree' ||
      (source.kind === 'input' && source.integer) ||
      (source.kind === 'lookup' && source.integer));
  const integers = [2, 3, 4, 5, 6, 7, 12, 13];
  if (to === 9 && !(source?.kind === 'compare'))
    context.set(
      node,
      0,
      unary(context, x, 'NonZero', (v) => (v === 0 ? 0 : 1)),
    );
  else if (integers.includes(to as number) && !whole && context.integerValued.has(node.inputs[0]!) === false) {
    context.set(node, 0, unary(context, x, 'Truncate', Math.trunc));
  } else context.set(node, 0, { view: x });
};

const prelu: Lower = (context, node) => {
  const slope = context.constant(node, 1);
  context.set(
    node,
    0,
    unaryWith(context, node, context.view(node, 0), slope, (x, s) => (x < 0 ? x * s : x)),
  );
};

const total: Lower = (context, node) => {
  let value = context.input(node, 0);
  for (let i = 1; i < node.inputs.length; i++) {
    const next = context.input(node, i);
    if (isConstant(next)) value = affine(context, context.asView(value), 1, next.constant);
    else if (isConstant(value)) value = affine(context, next.view, 1, value.constant);
    else value = weightedSum(context, node, value.view, next.view, 1, 1);
  }
  if (node.operator === 'Mean') value = affine(context, context.asView(value), 1 / node.inputs.length, 0);
  context.set(node, 0, value);
};

export const ARITHMETIC: Readonly<Record<string, Lower>> = {
  Add: addition(1),
  Sub: addition(-1),
  Mul: multiplication,
  Div: division,
  Pow: power,
  Mod: withConstant,
  BitShift: withConstant,
  BitwiseAnd: withConstant,
  BitwiseOr: withConstant,
  BitwiseXor: withConstant,
  Sum: total,
  Mean: total,
  Min: extremum(true),
  Max: extremum(false),
  Neg: (context, node) => context.set(node, 0, affine(context, context.view(node, 0), -1, 0)),
  Relu: clip(0, Number.POSITIVE_INFINITY),
  Clip: (context, node) => {
    const [low, high] = constantBounds(context, node);
    context.set(node, 0, affine(context, context.view(node, 0), 1, 0, { low, high }));
  },
  Greater: comparison('greater', false),
  GreaterOrEqual: comparison('greaterOrEqual', false),
  Less: comparison('greater', true),
  LessOrEqual: comparison('greaterOrEqual', true),
  Equal: comparison('equal', false),
  Not: not,
  And: and,
  Or: or,
  Where: where,
  Cast: cast,
  PRelu: prelu,
};

/** Any other function of one value: a table. */
export function lowerScalar(context: Lowering, node: GraphNode): boolean {
  const f = scalarFunction(node);
  if (f === undefined) return false;
  context.set(node, 0, unary(context, context.view(node, 0), node.operator, f));
  return true;
}
