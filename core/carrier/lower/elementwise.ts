import { EXACT_LIMIT, half, magnitude } from '../../ops/operation.ts';
import { rescaleRow } from '../../ops/rescale.ts';
import type { Instruction } from '../../program/types.ts';
import { TYPE_MAXIMUM } from '../../tensor.ts';
import {
  add,
  binary,
  clip,
  multiplyBy,
  type Pattern,
  patterned,
  patternOf,
  repeated,
  requantize,
  scalar,
  store,
  workType,
} from '../arithmetic.ts';
import { type GraphBuilder, sizeOf, type Value } from '../graph.ts';
import type { Carried, Lowering } from '../lowering.ts';

interface RescaleColumns {
  readonly a: number[];
  readonly b: number[];
  readonly bias: number[];
  /** Larger than any |sum| can be. */
  readonly bound: number;
  /** Taken off the sources before they are multiplied; zero where the bias has absorbed them. */
  readonly zeroPoints: readonly [number, number];
}

/** Rows of a rescale as columns; the zero points go into the bias unless that could leave the exact range. */
function rescaleColumns(instruction: Instruction<'rescale'>, sources: readonly Carried[], folded = true): RescaleColumns {
  const { channels, shift, zeroPointA, zeroPointB } = instruction.attributes;
  const [first, second] = [sources[0]!, sources[1]];
  const [a, b, bias]: [number[], number[], number[]] = [[], [], []];
  const reachA = magnitude(first.element, folded ? 0 : zeroPointA);
  const reachB = second === undefined ? 0 : magnitude(second.element, folded ? 0 : zeroPointB);
  let bound = folded ? 1 : Math.max(reachA, reachB, Math.abs(zeroPointA), Math.abs(zeroPointB)) + 1;
  for (let channel = 0; channel < channels; channel++) {
    const row = rescaleRow(instruction.parameters, channel);
    const constant = folded ? row.bias - row.multiplierA * zeroPointA - row.multiplierB * zeroPointB : row.bias;
    a.push(row.multiplierA);
    b.push(row.multiplierB);
    bias.push(constant);
    const products = Math.abs(row.multiplierA) * reachA + Math.abs(row.multiplierB) * reachB;
    bound = Math.max(bound, products + Math.abs(constant) + half(shift) + 1);
  }
  if (folded && bound > EXACT_LIMIT) return rescaleColumns(instruction, sources, false);
  return { a, b, bias, bound, zeroPoints: folded ? [0, 0] : [zeroPointA, zeroPointB] };
}

export const rescale: Lowering<'rescale'> = (g, instruction, sources) => {
  const { channels, channelInner, innerB, low, high, shift } = instruction.attributes;
  const [first, second] = [sources[0]!, sources[1]];
  const columns = rescaleColumns(instruction, sources);
  const { bound } = columns;
  const work = workType(bound, shift);
  const pattern = patternOf(instruction.length, channels, channelInner);
  const term = (value: Value, zeroPoint: number, multipliers: readonly number[]): Value =>
    multiplyBy(g, add(g, g.cast(value, work), scalar(-zeroPoint)), patterned(pattern, multipliers));
  let acc = term(g.reshape(first.value, pattern.valueDims), columns.zeroPoints[0], columns.a);
  if (second !== undefined) {
    const b = repeated(g, second.value, instruction.length, innerB, pattern.valueDims);
    acc = binary(g, 'Add', acc, term(b, columns.zeroPoints[1], columns.b), pattern.valueDims);
  }
  const bias = patterned(pattern, columns.bias);
  return requantize(g, acc, { bias, shift: scalar(shift), low, high, type: instruction.type, bound });
};

/** Dims in which a first operand meets a second one of `count` elements, each serving `inner` of it. */
function meetingDims(length: number, count: number, inner: number): readonly number[] {
  const pattern: Pattern = patternOf(length, count, inner);
  return count === length && inner === 1 ? [length] : pattern.valueDims;
}

export const multiply: Lowering<'multiply'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const [x, y] = [sources[0]!, sources[1]!];
  const factors = magnitude(x.element, a.zeroPointA) * magnitude(y.element, a.zeroPointB);
  const bound = factors * Math.max(1, Math.abs(a.multiplier)) + Math.abs(a.bias) + half(a.shift) + 1;
  // A zero point far outside the type makes the difference itself the larger intermediate.
  const differences = Math.max(magnitude(x.element, a.zeroPointA), magnitude(y.element, a.zeroPointB)) + 1;
  const outside = Math.max(Math.abs(a.zeroPointA), Math.abs(a.zeroPointB)) + 1;
  const work = workType(Math.max(bound, differences, outside), a.shift);
  const dims = meetingDims(instruction.length, sizeOf(y.value.dims), a.innerB);
  const b = repeated(g, y.value, instruction.length, a.innerB, dims);
  const left = add(g, g.cast(g.reshape(x.value, dims), work), scalar(-a.zeroPointA));
  const right = add(g, g.cast(b, work), scalar(-a.zeroPointB));
  const acc = multiplyBy(g, binary(g, 'Mul', left, right, dims), scalar(a.multiplier));
  const { low, high } = a;
  return requantize(g, acc, { bias: scalar(a.bias), shift: scalar(a.shift), low, high, type: instruction.type, bound });
};

/** ⌊n / d⌋ = (n − mod(n, d)) / d: Mod takes the divisor's sign, so the division is exact and its truncation harmless. */
function floorDivide(g: GraphBuilder, n: Value, d: Value, dims: readonly number[]): Value {
  const remainder = g.node('Mod', [n, d], { type: n.type, dims, attributes: { fmod: 0 } });
  return binary(g, 'Div', binary(g, 'Sub', n, remainder, dims), d, dims);
}

export const divide: Lowering<'divide'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const [n, d] = [sources[0]!, sources[1]!];
  const differences = magnitude(n.element, a.zeroPoint) * Math.max(1, Math.abs(a.multiplier));
  const bound = differences + TYPE_MAXIMUM[d.element] + Math.abs(a.offset) + Math.abs(a.zeroPoint) + 1;
  const work = workType(bound, 0);
  const dims = meetingDims(instruction.length, sizeOf(d.value.dims), a.innerB);
  const wide = g.cast(repeated(g, d.value, instruction.length, a.innerB, dims), work);
  const divisor = clip(g, wide, 1, TYPE_MAXIMUM.i32);
  const halved = binary(g, 'Div', divisor, g.constant(work, [], [2]), divisor.dims);
  const centred = multiplyBy(g, add(g, g.cast(g.reshape(n.value, dims), work), scalar(-a.zeroPoint)), scalar(a.multiplier));
  const quotient = floorDivide(g, binary(g, 'Add', centred, halved, dims), divisor, dims);
  return store(g, clip(g, add(g, quotient, scalar(a.offset)), a.low, a.high), instruction.type);
};

/** The double square root of an integer below 2^52 is right to the last bit; the corrections make the result independent of that. */
export const isqrt: Lowering<'isqrt'> = (g, instruction, sources) => {
  const source = sources[0]!;
  const { dims } = source.value;
  const positive = clip(g, g.cast(source.value, 'i64'), 0, TYPE_MAXIMUM.i32);
  const value = multiplyBy(g, positive, scalar(2 ** instruction.attributes.shift));
  const root = g.cast(g.node('Sqrt', [g.cast(value, 'f64')], { type: 'f64', dims }), 'i64');
  const tooHigh = g.node('Greater', [binary(g, 'Mul', root, root), value], { type: 'bool', dims });
  const lowered = binary(g, 'Sub', root, g.cast(tooHigh, 'i64'));
  const next = add(g, lowered, scalar(1));
  const tooLow = g.node('LessOrEqual', [binary(g, 'Mul', next, next), value], { type: 'bool', dims });
  const exact = binary(g, 'Add', lowered, g.cast(tooLow, 'i64'));
  return store(g, clip(g, exact, 0, TYPE_MAXIMUM[instruction.type]), instruction.type);
};

export const select: Lowering<'select'> = (g, instruction, sources) => {
  const dims = [instruction.length];
  const [condition, a, b] = sources.map((source) => g.reshape(source.value, dims));
  const threshold = g.constant('i32', [], [instruction.attributes.threshold]);
  const chosen = g.node('Greater', [g.cast(condition!, 'i32'), threshold], { type: 'bool', dims });
  return g.node('Where', [chosen, a!, b!], { type: a!.type, dims });
};
