import { encodeMap } from '../../core/ops/map.ts';
import { EXACT_LIMIT, half, magnitude } from '../../core/ops/operation.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, toBytes } from '../../core/tensor.ts';
import { clampRange, type Draft, TYPES, zeroPointAny } from './drafts.ts';
import type { Random } from './random.ts';

/** Length, repetition and B's length: full, broadcast over the front or the back, and patterns that stop in the middle. */
function repetition(r: Random): { length: number; innerB: number; lengthB: number } {
  const style = r.integer(0, 4);
  if (style === 0) {
    const length = r.integer(1, 300);
    return { length, innerB: 1, lengthB: length };
  }
  const [lengthB, innerB] = [r.integer(1, 20), r.integer(1, 12)];
  if (style === 1) return { length: r.integer(1, 300), innerB, lengthB };
  return { length: lengthB * innerB * r.integer(1, 8), innerB, lengthB };
}

function randomParameters(r: Random, type: ElementType, length: number): Uint8Array {
  return toBytes(r.tensor(type, length)).slice();
}

export function rescale(r: Random): Draft<'rescale'> {
  const [first, second] = [r.pick(TYPES), r.chance(0.6) ? r.pick(TYPES) : undefined];
  const { length, innerB, lengthB } = repetition(r);
  const channels = r.chance(0.5) ? 1 : r.integer(1, 10);
  const channelInner = r.chance(0.5) ? Math.max(1, Math.floor(length / channels)) : r.integer(1, 8);
  const [zeroPointA, zeroPointB] = [zeroPointAny(r, first), second === undefined ? 0 : zeroPointAny(r, second)];
  const shift = r.chance(0.3) ? 0 : r.integer(0, 47);
  const type = r.pick(TYPES);
  const small = r.chance(0.4);
  const rows = Array.from({ length: channels }, () => {
    let room = EXACT_LIMIT - 1 - half(shift);
    const multiplier = (size: number): number => {
      const most = small ? 100 : Math.min(2147483647, Math.floor(room / size));
      const value = r.extreme(-most, most);
      room -= Math.abs(value) * size;
      return value;
    };
    const multiplierA = multiplier(magnitude(first, zeroPointA));
    const multiplierB = second === undefined ? 0 : multiplier(magnitude(second, zeroPointB));
    return { multiplierA, multiplierB, bias: small ? r.integer(-5000, 5000) : r.extreme(-room, room) };
  });
  return {
    type,
    length,
    sources: [{ type: first, length }, ...(second === undefined ? [] : [{ type: second, length: lengthB }])],
    attributes: { channels, channelInner, shift, zeroPointA, zeroPointB, innerB, ...clampRange(r, type) },
    parameters: encodeRescaleRows(rows),
  };
}

export function multiply(r: Random): Draft<'multiply'> {
  const [first, second, type] = [r.pick(TYPES), r.pick(TYPES), r.pick(TYPES)];
  const { length, innerB, lengthB } = repetition(r);
  let [zeroPointA, zeroPointB] = [zeroPointAny(r, first), zeroPointAny(r, second)];
  const shift = r.integer(0, 47);
  let factors = magnitude(first, zeroPointA) * magnitude(second, zeroPointB);
  if (factors >= EXACT_LIMIT - 2 ** 48) {
    [zeroPointA, zeroPointB] = [0, 0];
    factors = magnitude(first, 0) * magnitude(second, 0);
  }
  const isTooWide = factors >= EXACT_LIMIT - 2 ** 48;
  const sources = [
    { type: isTooWide ? 'i16' : first, length },
    { type: second, length: lengthB },
  ] as const;
  if (isTooWide) factors = 2 ** 15 * magnitude(second, 0);
  const room = EXACT_LIMIT - 1 - half(shift);
  const most = Math.min(2147483647, Math.floor(room / factors));
  const multiplier = r.extreme(-most, most);
  const rest = Math.min(2147483647, room - Math.max(1, Math.abs(multiplier)) * factors);
  const bias = r.extreme(-rest, rest);
  return { type, length, sources, attributes: { multiplier, shift, zeroPointA, zeroPointB, innerB, bias, ...clampRange(r, type) } };
}

export function table(r: Random): Draft<'table'> {
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const entries = r.chance(0.4) ? 256 : r.integer(1, 300);
  const offset = r.chance(0.5) ? 0 : r.extreme(-2147483648, 2147483647);
  const width = r.chance(0.7) ? 1 : r.integer(1, 5);
  const channels = r.chance(0.6) ? 1 : r.integer(1, 6);
  const channelInner = r.integer(1, 6);
  const length = r.chance(0.5) ? channels * channelInner * r.integer(1, 8) : r.integer(1, 200);
  return {
    type,
    length: length * width,
    sources: [{ type: source, length }],
    attributes: { offset, entries, width, channels, channelInner },
    parameters: randomParameters(r, type, channels * entries * width),
  };
}

export function map(r: Random): Draft<'map'> {
  const type = r.pick(TYPES);
  const sources = Array.from({ length: r.integer(1, 4) }, () => ({ type, length: r.integer(1, 60) }));
  const constants = r.tensor(type, r.integer(0, 5));
  const total = sources.reduce((n, source) => n + source.length, constants.length);
  const isIdentity = r.chance(0.2);
  const length = isIdentity ? total : r.integer(1, 200);
  const indices = Uint32Array.from({ length }, (_, e) => (isIdentity ? e : r.integer(0, total - 1)));
  return { type, length, sources, attributes: {}, parameters: encodeMap(indices, constants) };
}

export function gather(r: Random): Draft<'gather'> {
  const [type, index] = [r.pick(TYPES), r.pick(TYPES)];
  const [outer, axis, width, count, perOuter] = [r.integer(1, 4), r.integer(1, 40), r.integer(1, 5), r.integer(1, 60), r.integer(0, 1)];
  const offset = r.chance(0.6) ? 0 : r.extreme(-2147483648, 2147483647);
  return {
    type,
    length: outer * count * width,
    sources: [
      { type, length: outer * axis * width },
      { type: index, length: (perOuter === 1 ? outer : 1) * count },
    ],
    attributes: { outer, axis, width, count, perOuter, offset },
  };
}

export function select(r: Random): Draft<'select'> {
  const [condition, type, length] = [r.pick(TYPES), r.pick(TYPES), r.integer(1, 200)];
  const threshold = r.extreme(TYPE_MINIMUM[condition] - (condition === 'i32' ? 0 : 1), TYPE_MAXIMUM[condition]);
  return { type, length, sources: [condition, type, type].map((t) => ({ type: t, length })), attributes: { threshold } };
}

export function arg(r: Random): Draft<'arg'> {
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const [outer, axis, inner] = [r.integer(1, 20), r.integer(1, type === 'u8' ? 256 : 300), r.integer(1, 6)];
  return {
    type,
    length: outer * inner,
    sources: [{ type: source, length: outer * axis * inner }],
    attributes: { outer, axis, inner, minimum: r.integer(0, 1) },
  };
}

export function divide(r: Random): Draft<'divide'> {
  const [first, second, type] = [r.pick(TYPES), r.pick(TYPES), r.pick(TYPES)];
  const { length, innerB, lengthB } = repetition(r);
  const zeroPoint = zeroPointAny(r, first);
  const size = magnitude(first, zeroPoint);
  const most = Math.min(2147483647, Math.floor((EXACT_LIMIT - 2 ** 33) / size));
  return {
    type,
    length,
    sources: [
      { type: first, length },
      { type: second, length: lengthB },
    ],
    attributes: {
      multiplier: r.extreme(-most, most),
      zeroPoint,
      innerB,
      offset: r.chance(0.5) ? 0 : r.extreme(-2147483648, 2147483647),
      ...clampRange(r, type),
    },
  };
}

export function isqrt(r: Random): Draft<'isqrt'> {
  const length = r.integer(1, 300);
  return { type: r.pick(TYPES), length, sources: [{ type: r.pick(TYPES), length }], attributes: { shift: r.integer(0, 20) } };
}

export function tree(r: Random): Draft<'tree'> {
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const [rows, features, trees, nodes] = [r.integer(1, 60), r.integer(1, 10), r.integer(1, 8), r.integer(1, type === 'u8' ? 256 : 300)];
  const list = Array.from({ length: trees * nodes }, () => ({
    feature: r.integer(0, features - 1),
    left: r.integer(0, nodes - 1),
    right: r.integer(0, nodes - 1),
    threshold: r.chance(0.8) ? r.extreme(TYPE_MINIMUM[source], TYPE_MAXIMUM[source]) : r.extreme(-2147483648, 2147483647),
  }));
  return {
    type,
    length: rows * trees,
    sources: [{ type: source, length: rows * features }],
    attributes: { rows, features, trees, nodes, depth: r.integer(0, 12) },
    parameters: encodeTreeNodes(list),
  };
}
