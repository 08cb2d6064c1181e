import { encodeMap } from '../../core/ops/map.ts';
import { EXACT_LIMIT, half, magnitude } from '../../core/ops/operation.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import type { AnyInstruction, Attributes, Instruction, Kind, Program, TensorInterface } from '../../core/program/types.ts';
import { KINDS } from '../../core/program/types.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray, toBytes } from '../../core/tensor.ts';
import type { Random } from './random.ts';

export type ComputedKind = Exclude<Kind, 'input'>;
export const COMPUTED_KINDS = KINDS.filter((kind): kind is ComputedKind => kind !== 'input');

/** A program of one random valid instruction, with inputs for it. */
export interface RandomCase {
  readonly program: Program;
  readonly inputs: readonly TypedArray[];
}

interface Draft<K extends ComputedKind> {
  readonly type: ElementType;
  readonly length: number;
  readonly sources: readonly { type: ElementType; length: number }[];
  readonly attributes: Attributes<K>;
  readonly parameters?: Uint8Array;
}

const TYPES: readonly ElementType[] = ['u8', 'i16', 'i32'];

export function plainInterface(name: string, type: ElementType, length: number): TensorInterface {
  return { name, dims: [length], type, scales: [1], zeroPoints: [0], axis: 0 };
}

/** A program around instructions: inputs in front, the last one the output. */
export function programOf(inputs: readonly { type: ElementType; length: number }[], computed: readonly AnyInstruction[]): Program {
  const given: AnyInstruction[] = inputs.map(({ type, length }) => ({
    kind: 'input',
    type,
    length,
    sources: [],
    attributes: {},
    parameters: new Uint8Array(),
  }));
  const last = computed.at(-1)!;
  return {
    instructions: [...given, ...computed],
    interface: {
      name: 'random',
      inputs: inputs.map(({ type, length }, i) => plainInterface(`in${i}`, type, length)),
      outputs: [plainInterface('out', last.type, last.length)],
    },
  };
}

function clampRange(r: Random, type: ElementType): { low: number; high: number } {
  const [min, max] = [TYPE_MINIMUM[type], TYPE_MAXIMUM[type]];
  if (r.chance(0.6)) return { low: min, high: max };
  const low = r.extreme(min, max);
  return { low, high: r.integer(low, max) };
}

function zeroPointFor(r: Random, type: 'u8' | 'i16'): number {
  return r.chance(0.3) ? 0 : r.extreme(TYPE_MINIMUM[type], TYPE_MAXIMUM[type]);
}

/** A source size and an output size that may leave rows unread, pad, or put whole windows outside. */
function windowOf(r: Random, size: number) {
  const side = (): { kernel: number; stride: number; dilation: number; pad: number; size: number; out: number } => {
    const kernel = r.integer(1, 4);
    const dilation = r.chance(0.8) ? 1 : r.integer(2, 3);
    const pad = r.chance(0.5) ? 0 : r.integer(0, (kernel - 1) * dilation);
    const stride = r.integer(1, 3);
    const length = r.integer(1, size);
    const regular = Math.max(1, Math.floor((length + 2 * pad - ((kernel - 1) * dilation + 1)) / stride) + 1);
    return { kernel, stride, dilation, pad, size: length, out: r.chance(0.8) ? regular : r.integer(1, 5) };
  };
  const [y, x] = [side(), side()];
  return {
    batch: r.chance(0.7) ? 1 : r.integer(2, 3),
    height: y.size,
    width: x.size,
    channels: r.chance(0.3) ? 1 : r.integer(1, 12),
    outHeight: y.out,
    outWidth: x.out,
    kernelHeight: y.kernel,
    kernelWidth: x.kernel,
    strideHeight: y.stride,
    strideWidth: x.stride,
    dilationHeight: y.dilation,
    dilationWidth: x.dilation,
    padTop: y.pad,
    padLeft: x.pad,
  };
}

function denseWindow(r: Random) {
  const ones = { outHeight: 1, outWidth: 1, kernelHeight: 1, kernelWidth: 1, strideHeight: 1, strideWidth: 1 };
  const rest = { dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, height: 1, width: 1 };
  return { ...ones, ...rest, batch: r.integer(1, 8), channels: r.integer(1, 300) };
}

/** Parameters of a linear layer whose every row stays inside the accumulator bound. */
function linearParameters(r: Random, a: Attributes<'linear'>, source: 'u8' | 'i16', type: ElementType): Uint8Array {
  const fanIn = (a.kernelHeight * a.kernelWidth * a.channels) / a.groups;
  const bytes = fanIn * a.weightBytes + 5;
  const view = new DataView(new ArrayBuffer(bytes * a.outChannels));
  const limit = a.weightBytes === 1 ? r.pick([64, 64, 127]) : 32767;
  const size = magnitude(source, a.zeroPoint);
  const common = r.integer(0, 14);
  for (let o = 0; o < a.outChannels; o++) {
    const shift = type === 'u8' && r.chance(0.7) ? Math.max(1, common) : r.chance(0.5) ? common : r.integer(0, 30);
    let room = 2 ** 31 - 1 - half(shift);
    const full = r.chance(0.2);
    for (let i = 0; i < fanIn; i++) {
      const most = Math.min(limit, Math.floor(room / size));
      const weight = full ? most * r.pick([-1, 1]) : r.extreme(-most, most);
      room -= Math.abs(weight) * size;
      if (a.weightBytes === 1) view.setInt8(o * bytes + i, weight);
      else view.setInt16(o * bytes + 2 * i, weight, true);
    }
    view.setInt32(o * bytes + bytes - 5, r.extreme(-room, room), true);
    view.setUint8(o * bytes + bytes - 1, shift);
  }
  return new Uint8Array(view.buffer);
}

function linear(r: Random): Draft<'linear'> {
  const source = r.pick(['u8', 'u8', 'i16'] as const);
  const type = r.pick(['u8', 'u8', 'i16', 'i32'] as const);
  const window = r.chance(0.3) ? denseWindow(r) : windowOf(r, 10);
  const groups = r.chance(0.6) ? 1 : r.pick([1, 2, 3, 4, 6, 12].filter((n) => window.channels % n === 0).concat(window.channels));
  const outChannels = groups * r.integer(1, groups === 1 ? 20 : 3);
  const weightBytes = r.chance(source === 'u8' ? 0.8 : 0.4) ? 1 : 2;
  const attributes = { ...window, outChannels, groups, zeroPoint: zeroPointFor(r, source), weightBytes, ...clampRange(r, type) };
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * outChannels,
    sources: [{ type: source, length: window.batch * window.height * window.width * window.channels }],
    attributes,
    parameters: linearParameters(r, attributes, source, type),
  };
}

function matmul(r: Random): Draft<'matmul'> {
  const [first, second] = [r.pick(['u8', 'i16'] as const), r.pick(['u8', 'i16'] as const)];
  const [zeroPointA, zeroPointB] = [zeroPointFor(r, first), zeroPointFor(r, second)];
  const shift = r.integer(0, 28);
  const product = magnitude(first, zeroPointA) * magnitude(second, zeroPointB);
  const room = 2 ** 31 - 1 - half(shift);
  const inner = Math.max(1, Math.min(r.integer(1, 70), Math.floor(room / product)));
  const type = r.pick(TYPES);
  const [batch, rows, columns, shareB] = [r.integer(1, 3), r.integer(1, 12), r.integer(1, 12), r.integer(0, 1)];
  // Two full i16 ranges overflow even alone: keep one zero point central, as a real program does.
  const fits = product * inner <= room;
  const bias = fits ? r.extreme(-(room - product * inner), room - product * inner) : 0;
  const zeros = fits
    ? { zeroPointA, zeroPointB }
    : { zeroPointA: first === 'i16' ? 0 : zeroPointA, zeroPointB: second === 'i16' ? 0 : zeroPointB };
  return {
    type,
    length: batch * rows * columns,
    sources: [
      { type: first, length: batch * rows * inner },
      { type: second, length: (shareB === 1 ? 1 : batch) * columns * inner },
    ],
    attributes: { batch, rows, inner, columns, ...zeros, shift, bias, shareB, ...clampRange(r, type) },
  };
}

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

function zeroPointAny(r: Random, type: ElementType): number {
  const style = r.integer(0, 9);
  if (style < 4) return 0;
  return style < 9 ? r.extreme(TYPE_MINIMUM[type], TYPE_MAXIMUM[type]) : r.extreme(-2147483648, 2147483647);
}

function rescale(r: Random): Draft<'rescale'> {
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

function multiply(r: Random): Draft<'multiply'> {
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

function randomParameters(r: Random, type: ElementType, length: number): Uint8Array {
  return toBytes(r.tensor(type, length)).slice();
}

function table(r: Random): Draft<'table'> {
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

function max(r: Random): Draft<'max'> {
  const window = windowOf(r, 12);
  const type = r.pick(['u8', 'u8', 'i16', 'i32'] as const);
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * window.channels,
    sources: [{ type, length: window.batch * window.height * window.width * window.channels }],
    attributes: { ...window, minimum: r.chance(0.7) ? 0 : 1 },
  };
}

function sum(r: Random): Draft<'sum'> {
  const window = windowOf(r, 12);
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const zeroPoint = zeroPointAny(r, source);
  const shift = r.integer(0, 47);
  const total = window.kernelHeight * window.kernelWidth * magnitude(source, zeroPoint);
  const room = EXACT_LIMIT - 1 - half(shift);
  const most = r.chance(0.4) ? 50 : Math.min(2147483647, Math.floor(room / total));
  const multiplier = r.extreme(-most, most);
  const rest = Math.min(2147483647, room - Math.max(1, Math.abs(multiplier)) * total);
  return {
    type,
    length: window.batch * window.outHeight * window.outWidth * window.channels,
    sources: [{ type: source, length: window.batch * window.height * window.width * window.channels }],
    attributes: { ...window, zeroPoint, multiplier, shift, bias: r.extreme(-rest, rest), ...clampRange(r, type) },
  };
}

function map(r: Random): Draft<'map'> {
  const type = r.pick(TYPES);
  const sources = Array.from({ length: r.integer(1, 4) }, () => ({ type, length: r.integer(1, 60) }));
  const constants = r.tensor(type, r.integer(0, 5));
  const total = sources.reduce((n, source) => n + source.length, constants.length);
  const isIdentity = r.chance(0.2);
  const length = isIdentity ? total : r.integer(1, 200);
  const indices = Uint32Array.from({ length }, (_, e) => (isIdentity ? e : r.integer(0, total - 1)));
  return { type, length, sources, attributes: {}, parameters: encodeMap(indices, constants) };
}

function gather(r: Random): Draft<'gather'> {
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

function select(r: Random): Draft<'select'> {
  const [condition, type, length] = [r.pick(TYPES), r.pick(TYPES), r.integer(1, 200)];
  const threshold = r.extreme(TYPE_MINIMUM[condition] - (condition === 'i32' ? 0 : 1), TYPE_MAXIMUM[condition]);
  return { type, length, sources: [condition, type, type].map((t) => ({ type: t, length })), attributes: { threshold } };
}

function arg(r: Random): Draft<'arg'> {
  const [source, type] = [r.pick(TYPES), r.pick(TYPES)];
  const [outer, axis, inner] = [r.integer(1, 20), r.integer(1, type === 'u8' ? 256 : 300), r.integer(1, 6)];
  return {
    type,
    length: outer * inner,
    sources: [{ type: source, length: outer * axis * inner }],
    attributes: { outer, axis, inner, minimum: r.integer(0, 1) },
  };
}

function divide(r: Random): Draft<'divide'> {
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

function isqrt(r: Random): Draft<'isqrt'> {
  const length = r.integer(1, 300);
  return { type: r.pick(TYPES), length, sources: [{ type: r.pick(TYPES), length }], attributes: { shift: r.integer(0, 20) } };
}

function tree(r: Random): Draft<'tree'> {
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

const GENERATORS: { readonly [K in ComputedKind]: (r: Random) => Draft<K> } = {
  linear,
  matmul,
  rescale,
  multiply,
  table,
  max,
  sum,
  map,
  gather,
  select,
  arg,
  divide,
  isqrt,
  tree,
};

/** A program of one random valid instruction of the kind, extremes favoured, and inputs of every style. */
export function randomCase(kind: ComputedKind, r: Random): RandomCase {
  const draft = GENERATORS[kind](r) as Draft<ComputedKind>;
  const inputs = draft.sources.map((source) => r.tensor(source.type, source.length));
  const instruction = {
    kind,
    type: draft.type,
    length: draft.length,
    sources: draft.sources.map((_, i) => i),
    attributes: draft.attributes,
    parameters: draft.parameters ?? new Uint8Array(),
  } as Instruction as AnyInstruction;
  return { program: programOf(draft.sources, [instruction]), inputs };
}
