import { type GraphNode, intAttribute } from '../graph.ts';
import { elementType } from '../parse-tensor.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, type ElementType, elementCount, integerRange, isFloat, type Tensor } from '../tensor.ts';
import { broadcastDims, broadcastIndex } from './broadcast.ts';
import { UNARY } from './functions.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';

type Binary = (a: number, b: number) => number;

function truncatedDivision(a: number, b: number): number {
  return b === 0 ? 0 : Math.trunc(a / b);
}

/** Applies `f` to two broadcast tensors. */
export function applyBinary(node: GraphNode, a: Tensor, b: Tensor, f: Binary, type: ElementType = a.type): Tensor {
  const dims = broadcastDims(a.dims, b.dims);
  if (dims === undefined) refuseNode(node, `shapes ${a.dims.join('x')} and ${b.dims.join('x')} do not broadcast`);
  const count = elementCount(dims);
  const data = allocate(type, count);
  const left = a.data.length === 1 ? undefined : broadcastIndex(a.dims, dims);
  const right = b.data.length === 1 ? undefined : broadcastIndex(b.dims, dims);
  const leftStep = a.data.length === 1 ? 0 : 1;
  const rightStep = b.data.length === 1 ? 0 : 1;
  for (let i = 0; i < count; i++) data[i] = f(a.data[left ? left[i]! : i * leftStep]!, b.data[right ? right[i]! : i * rightStep]!);
  return { type, dims, data };
}

/** Integer arithmetic wraps to the width of the type, as in onnxruntime. */
function wrap(value: Tensor): Tensor {
  const range = integerRange(value.type);
  if (range === undefined) return value;
  const [low, high] = range;
  const span = high - low + 1;
  for (let i = 0; i < value.data.length; i++) {
    const v = value.data[i]!;
    if (v < low || v > high) value.data[i] = ((((v - low) % span) + span) % span) + low;
  }
  return value;
}

function arithmetic(onFloats: Binary, onIntegers: Binary = onFloats): Evaluate {
  return (node, inputs) => {
    const a = input(node, inputs, 0);
    return [wrap(applyBinary(node, a, input(node, inputs, 1), isFloat(a.type) ? onFloats : onIntegers))];
  };
}

function comparison(f: (a: number, b: number) => boolean, floatsSince = 1): Evaluate {
  return (node, inputs) => {
    const a = input(node, inputs, 0);
    const b = input(node, inputs, 1);
    if (node.opset < floatsSince && isFloat(a.type))
      refuseNode(
        node,
        `${node.operator} of floats needs operator set ${floatsSince}`,
        {},
        'the model is invalid ONNX; export it with a newer operator set',
      );
    return [applyBinary(node, a, b, (x, y) => (f(x, y) ? 1 : 0), 'bool')];
  };
}

function variadic(f: Binary, mean = false): Evaluate {
  return (node, inputs) => {
    let result = input(node, inputs, 0);
    for (const next of inputs.slice(1)) if (next !== undefined) result = applyBinary(node, result, next, f);
    return [mean ? { ...result, data: result.data.map((x) => x / inputs.length) } : result];
  };
}

function unary(f: (x: number) => number): Evaluate {
  return (node, inputs) => {
    const x = input(node, inputs, 0);
    return [wrap({ type: x.type, dims: x.dims, data: x.data.map(f) })];
  };
}

/** Bounds of a Clip: attributes before operator set 11, inputs since. */
export function clipBounds(node: GraphNode, inputs: readonly (Tensor | undefined)[]): readonly [number, number] {
  const low = inputs[1]?.data[0] ?? intAttribute(node, 'min', Number.NEGATIVE_INFINITY);
  const high = inputs[2]?.data[0] ?? intAttribute(node, 'max', Number.POSITIVE_INFINITY);
  // Where the bounds cross, the upper one holds.
  return [Math.min(low, high), high];
}

const cast: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const to = elementType(intAttribute(node, 'to', 1), `node '${node.name}'`);
  const data = allocate(to, x.data.length);
  for (let i = 0; i < data.length; i++) {
    const v = x.data[i]!;
    data[i] = to === 'bool' ? (v === 0 ? 0 : 1) : isFloat(to) ? v : Math.trunc(v);
  }
  return [wrap({ type: to, dims: x.dims, data })];
};

const where: Evaluate = (node, inputs) => {
  const condition = input(node, inputs, 0);
  const yes = input(node, inputs, 1);
  const no = input(node, inputs, 2);
  const inner = broadcastDims(yes.dims, no.dims);
  const dims = inner && broadcastDims(condition.dims, inner);
  if (dims === undefined) refuseNode(node, 'shapes do not broadcast');
  const [c, y, n] = [condition, yes, no].map((part) => broadcastIndex(part.dims, dims));
  const data = allocate(yes.type, elementCount(dims));
  for (let i = 0; i < data.length; i++) data[i] = condition.data[c ? c[i]! : i] ? yes.data[y ? y[i]! : i]! : no.data[n ? n[i]! : i]!;
  return [{ type: yes.type, dims, data }];
};

const modulo: Evaluate = (node, inputs) => {
  const truncated = intAttribute(node, 'fmod', 0) === 1;
  return arithmetic((a, b) => (truncated ? a % b : a - b * Math.floor(a / b)))(node, inputs);
};

const clip: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const [low, high] = clipBounds(node, inputs);
  return [{ type: x.type, dims: x.dims, data: x.data.map((v) => Math.min(high, Math.max(low, v))) }];
};

/** onnxruntime converts the exponent, not the base, so 64-bit integers stay exact. */
const power: Evaluate = (node, inputs) => [applyBinary(node, input(node, inputs, 0), input(node, inputs, 1), (a, b) => a ** b)];

const prelu: Evaluate = (node, inputs) => [
  applyBinary(node, input(node, inputs, 0), input(node, inputs, 1), (x, slope) => (x < 0 ? x * slope : x)),
];

const shift: Evaluate = (node, inputs) => {
  const left = node.attributes.get('direction') === 'LEFT';
  return [wrap(applyBinary(node, input(node, inputs, 0), input(node, inputs, 1), (a, b) => (left ? a * 2 ** b : Math.floor(a / 2 ** b))))];
};

const bits = (f: (a: bigint, b: bigint) => bigint): Evaluate => arithmetic((a, b) => Number(f(BigInt(a), BigInt(b))));

export const ELEMENTWISE: OperatorTable = {
  ...Object.fromEntries(Object.entries(UNARY).map(([name, f]) => [name, unary(f)])),
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => a / b, truncatedDivision),
  Pow: power,
  Mod: modulo,
  BitShift: shift,
  BitwiseAnd: bits((a, b) => a & b),
  BitwiseOr: bits((a, b) => a | b),
  BitwiseXor: bits((a, b) => a ^ b),
  Max: variadic(Math.max),
  Min: variadic(Math.min),
  Sum: variadic((a, b) => a + b),
  Mean: variadic((a, b) => a + b, true),
  Equal: comparison((a, b) => a === b, 11),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  Where: where,
  Clip: clip,
  Cast: cast,
  CastLike: (node, inputs) => {
    const like = input(node, inputs, 1);
    const x = input(node, inputs, 0);
    const data = allocate(like.type, x.data.length);
    for (let i = 0; i < data.length; i++) data[i] = isFloat(like.type) ? x.data[i]! : Math.trunc(x.data[i]!);
    return [wrap({ type: like.type, dims: x.dims, data })];
  },
  PRelu: prelu,
};
