import { invariant } from '../errors.ts';
import { half } from '../ops/operation.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM } from '../tensor.ts';
import { type GraphBuilder, sizeOf, type Value } from './graph.ts';

/** Integer type that a computation runs in; onnxruntime's kernels for both are plain two's complement. */
export type WorkType = 'i32' | 'i64';

/** Type in which a tensor of the program travels through a carrier. */
export function carried(type: ElementType): 'u8' | 'i32' {
  return type === 'u8' ? 'u8' : 'i32';
}

/** Constants, one or many, with a shape that broadcasts against the value they meet. */
export interface Scalars {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export function scalar(value: number): Scalars {
  return { dims: [], values: [value] };
}

function isAll(scalars: Scalars, value: number): boolean {
  return scalars.values.every((v) => v === value);
}

/** One scalar where all values are equal: fewer bytes and a faster broadcast. */
function simplified(scalars: Scalars): Scalars {
  const first = scalars.values[0]!;
  return isAll(scalars, first) ? scalar(first) : scalars;
}

export function binary(
  g: GraphBuilder,
  operator: string,
  a: Value,
  b: Value,
  dims: readonly number[] = broadcastDims(a.dims, b.dims),
): Value {
  invariant(a.type === b.type, `a carrier mixes types in ${operator}`);
  return g.node(operator, [a, b], { type: a.type, dims });
}

function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1));
}

function withConstant(g: GraphBuilder, operator: string, value: Value, scalars: Scalars): Value {
  const constants = simplified(scalars);
  return binary(g, operator, value, g.constant(value.type as WorkType, constants.dims, constants.values));
}

export function add(g: GraphBuilder, value: Value, scalars: Scalars): Value {
  return isAll(scalars, 0) ? value : withConstant(g, 'Add', value, scalars);
}

export function multiplyBy(g: GraphBuilder, value: Value, scalars: Scalars): Value {
  return isAll(scalars, 1) ? value : withConstant(g, 'Mul', value, scalars);
}

/** Quotient of non-negative values (Div truncates, so it rounds down) by positive constants. */
export function divideNonNegative(g: GraphBuilder, value: Value, scalars: Scalars): Value {
  return isAll(scalars, 1) ? value : withConstant(g, 'Div', value, scalars);
}

/**
 * Clamps to [low, high]; nothing where the known bound `|value| ≤ bound` makes that needless. In 64 bits by comparison and choice:
 * onnxruntime's 64-bit Clip, Min and Max compare 32 bits on some processors (seen in 1.30 with AVX-512).
 */
export function clip(g: GraphBuilder, value: Value, low: number, high: number, bound = Number.POSITIVE_INFINITY): Value {
  if (low <= -bound && bound <= high) return value;
  const [least, most] = [g.constant(value.type as WorkType, [], [low]), g.constant(value.type as WorkType, [], [high])];
  const { type, dims } = value;
  if (type !== 'i64') return g.node('Clip', [value, least, most], { type, dims });
  const isLow = g.node('Less', [value, least], { type: 'bool', dims });
  const isHigh = g.node('Greater', [value, most], { type: 'bool', dims });
  return g.node('Where', [isLow, least, g.node('Where', [isHigh, most, value], { type, dims })], { type, dims });
}

/** Least m with 2^m ≥ value. */
function ceilLog2(value: number): number {
  let m = 0;
  while (2 ** m < value) m++;
  return m;
}

/** The narrowest work type in which `requantize` of values bounded by `bound` stays exact. */
export function workType(bound: number, greatestShift: number): WorkType {
  return Math.max(ceilLog2(bound), greatestShift) + 1 <= 31 ? 'i32' : 'i64';
}

export interface Requantization {
  readonly bias: Scalars;
  readonly shift: Scalars;
  readonly low: number;
  readonly high: number;
  readonly type: ElementType;
  /** Larger than |acc + bias + 2^(shift−1)| can be; at most 2^52. */
  readonly bound: number;
}

function combine(a: Scalars, b: Scalars, f: (x: number, y: number) => number): Scalars {
  const [one, other] = [simplified(a), simplified(b)];
  const shape = one.dims.length === 0 ? other : one;
  return {
    dims: shape.dims,
    values: shape.values.map((_, i) => f(one.values[i % one.values.length]!, other.values[i % other.values.length]!)),
  };
}

/**
 * `clamp(⌊(acc + bias + 2^(k−1)) / 2^k⌋, low, high)` as the tensor type. Div truncates, so 2^m ≥ bound is added before the division
 * and 2^(m−k) taken off after it.
 */
export function requantize(g: GraphBuilder, acc: Value, r: Requantization): Value {
  const greatestShift = r.shift.values.reduce((most, k) => Math.max(most, k), 0);
  const work = acc.type === 'i64' ? 'i64' : workType(r.bound, greatestShift);
  const wide = g.cast(g.reshape(acc, compactDims(acc.dims)), work);
  let result: Value;
  if (greatestShift === 0) result = add(g, wide, r.bias);
  else {
    const m = Math.max(ceilLog2(r.bound), greatestShift);
    const addend = combine(r.bias, r.shift, (bias, k) => bias + half(k) + 2 ** m);
    const divisor = { ...r.shift, values: r.shift.values.map((k) => 2 ** k) };
    const quotient = divideNonNegative(g, add(g, wide, addend), divisor);
    result = add(g, quotient, { ...r.shift, values: r.shift.values.map((k) => -(2 ** (m - k))) });
  }
  return store(g, clip(g, result, r.low, r.high, greatestShift === 0 ? r.bound : Number.POSITIVE_INFINITY), r.type);
}

/** Converts a value already inside its type's range to the type it travels in. */
export function store(g: GraphBuilder, value: Value, type: ElementType): Value {
  return g.cast(value, carried(type));
}

/** The two unsigned bytes of `value + 32768`, for an i16 tensor carried as i32: value − zero = 256·(high − zeroHigh) + (low − zeroLow). */
export function bytesOf(g: GraphBuilder, value: Value): { high: Value; low: Value } {
  const unsigned = add(g, value, scalar(32768));
  const high = divideNonNegative(g, unsigned, scalar(256));
  const low = binary(g, 'Sub', unsigned, multiplyBy(g, high, scalar(256)));
  return { high: g.cast(high, 'u8'), low: g.cast(low, 'u8') };
}

/** Zero points of the two bytes of an i16 tensor. */
export function zeroBytes(zeroPoint: number): { high: number; low: number } {
  return { high: (zeroPoint + 32768) >> 8, low: (zeroPoint + 32768) & 255 };
}

/** A shape without axes of one: onnxruntime broadcasts over a trailing 1 element by element. */
export function compactDims(dims: readonly number[]): readonly number[] {
  const long = dims.filter((dim) => dim !== 1);
  return long.length === 0 ? [1] : long;
}

/**
 * Constants indexed by `⌊e / inner⌋ mod count` for e below `length`, shaped to meet a value seen as [outer, count, inner]; written out
 * one by one where the pattern does not end with the tensor.
 */
export interface Pattern {
  readonly valueDims: readonly number[];
  readonly constantDims: readonly number[];
  /** Position in the pattern's own list of each constant. */
  readonly positions: readonly number[] | undefined;
}

export function patternOf(length: number, count: number, inner: number): Pattern {
  if (count === 1) return { valueDims: [length], constantDims: [], positions: undefined };
  if (length % (count * inner) === 0) {
    const valueDims = compactDims([length / (count * inner), count, inner]);
    return { valueDims, constantDims: inner === 1 ? [count] : [count, 1], positions: undefined };
  }
  const positions = Array.from({ length }, (_, e) => Math.floor(e / inner) % count);
  return { valueDims: [length], constantDims: [length], positions };
}

export function patterned(pattern: Pattern, values: readonly number[]): Scalars {
  return { dims: pattern.constantDims, values: pattern.positions === undefined ? values : pattern.positions.map((p) => values[p]!) };
}

/** A second operand of `count` elements repeated over `length` elements, `B[⌊e / inner⌋ mod count]`, in a shape that broadcasts to `dims`. */
export function repeated(g: GraphBuilder, b: Value, length: number, inner: number, dims: readonly number[]): Value {
  const count = sizeOf(b.dims);
  if (count === 1) return g.reshape(b, []);
  if (count === length && inner === 1) return g.reshape(b, dims);
  const own = patternOf(length, count, inner);
  const isSame = own.positions === undefined && own.valueDims.length === dims.length && own.valueDims.every((dim, i) => dim === dims[i]);
  if (isSame) return g.reshape(b, own.constantDims);
  if (length % (count * inner) === 0) {
    const shape = [length / (count * inner), count, inner];
    const expanded = g.node('Expand', [g.reshape(b, [count, 1]), g.constant('i64', [3], shape)], { type: b.type, dims: shape });
    return g.reshape(expanded, dims);
  }
  const indices = Int32Array.from({ length }, (_, e) => Math.floor(e / inner) % count);
  const gathered = g.node('Gather', [g.reshape(b, [count]), g.constant('i32', [length], indices)], { type: b.type, dims: [length] });
  return g.reshape(gathered, dims);
}

export function typeRange(type: ElementType): readonly [number, number] {
  return [TYPE_MINIMUM[type], TYPE_MAXIMUM[type]];
}
