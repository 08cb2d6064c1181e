import { encodeMap } from '../../core/ops/map.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import type { AnyInstruction, Attributes } from '../../core/program/types.ts';
import type { ElementType } from '../../core/tensor.ts';
import type { ComputedKind } from './instructions.ts';

/** One instruction in its smallest honest form, every part of which a test may replace. */
export interface Small<K extends ComputedKind> {
  readonly type: ElementType;
  readonly length: number;
  readonly sources: readonly { type: ElementType; length: number }[];
  readonly attributes: Attributes<K>;
  readonly parameters: Uint8Array;
}

/** Parameters of a one-channel linear layer. */
export function linearRowOf(weights: readonly number[], bias: number, shift: number, weightBytes = 1): Uint8Array {
  const view = new DataView(new ArrayBuffer(weights.length * weightBytes + 5));
  weights.forEach((weight, i) => {
    if (weightBytes === 1) view.setInt8(i, weight);
    else view.setInt16(2 * i, weight, true);
  });
  view.setInt32(weights.length * weightBytes, bias, true);
  view.setUint8(weights.length * weightBytes + 4, shift);
  return new Uint8Array(view.buffer);
}

const NONE = new Uint8Array();
const U8_RANGE = { low: 0, high: 255 };
/** A 2×2 image of one channel under a 2×2 window. */
const WINDOW = {
  batch: 1,
  height: 2,
  width: 2,
  channels: 1,
  outHeight: 1,
  outWidth: 1,
  kernelHeight: 2,
  kernelWidth: 2,
  strideHeight: 1,
  strideWidth: 1,
  dilationHeight: 1,
  dilationWidth: 1,
  padTop: 0,
  padLeft: 0,
};
const image = [{ type: 'u8', length: 4 }] as const;
const pair = [
  { type: 'u8', length: 4 },
  { type: 'u8', length: 4 },
] as const;

export const SMALL: { readonly [K in ComputedKind]: Small<K> } = {
  linear: {
    type: 'u8',
    length: 1,
    sources: image,
    attributes: { ...WINDOW, outChannels: 1, groups: 1, zeroPoint: 0, weightBytes: 1, ...U8_RANGE },
    parameters: linearRowOf([1, 2, 3, 4], 0, 1),
  },
  matmul: {
    type: 'i32',
    length: 4,
    sources: pair,
    attributes: {
      batch: 1,
      rows: 2,
      inner: 2,
      columns: 2,
      zeroPointA: 0,
      zeroPointB: 0,
      shift: 0,
      bias: 0,
      low: -2147483648,
      high: 2147483647,
      shareB: 0,
    },
    parameters: NONE,
  },
  rescale: {
    type: 'u8',
    length: 4,
    sources: pair,
    attributes: { channels: 1, channelInner: 1, shift: 1, zeroPointA: 0, zeroPointB: 0, innerB: 1, ...U8_RANGE },
    parameters: encodeRescaleRows([{ multiplierA: 1, multiplierB: 1, bias: 0 }]),
  },
  multiply: {
    type: 'u8',
    length: 4,
    sources: pair,
    attributes: { multiplier: 1, shift: 8, zeroPointA: 0, zeroPointB: 0, innerB: 1, bias: 0, ...U8_RANGE },
    parameters: NONE,
  },
  table: {
    type: 'u8',
    length: 4,
    sources: image,
    attributes: { offset: 0, entries: 256, width: 1, channels: 1, channelInner: 1 },
    parameters: Uint8Array.from({ length: 256 }, (_, i) => 255 - i),
  },
  max: { type: 'u8', length: 1, sources: image, attributes: { ...WINDOW, minimum: 0 }, parameters: NONE },
  sum: {
    type: 'u8',
    length: 1,
    sources: image,
    attributes: { ...WINDOW, zeroPoint: 0, multiplier: 1, shift: 2, bias: 0, ...U8_RANGE },
    parameters: NONE,
  },
  map: { type: 'u8', length: 4, sources: image, attributes: {}, parameters: encodeMap(Uint32Array.of(3, 2, 1, 4), Uint8Array.of(9)) },
  gather: {
    type: 'u8',
    length: 4,
    sources: pair,
    attributes: { outer: 1, axis: 4, width: 1, count: 4, perOuter: 0, offset: 0 },
    parameters: NONE,
  },
  select: { type: 'u8', length: 4, sources: [pair[0], pair[0], pair[1]], attributes: { threshold: 100 }, parameters: NONE },
  arg: { type: 'u8', length: 1, sources: image, attributes: { outer: 1, axis: 4, inner: 1, minimum: 0 }, parameters: NONE },
  divide: {
    type: 'u8',
    length: 4,
    sources: pair,
    attributes: { multiplier: 255, zeroPoint: 0, innerB: 1, offset: 0, ...U8_RANGE },
    parameters: NONE,
  },
  isqrt: { type: 'u8', length: 4, sources: image, attributes: { shift: 0 }, parameters: NONE },
  tree: {
    type: 'u8',
    length: 1,
    sources: image,
    attributes: { rows: 1, features: 4, trees: 1, nodes: 2, depth: 1 },
    parameters: encodeTreeNodes([
      { feature: 3, left: 0, right: 1, threshold: 10 },
      { feature: 0, left: 1, right: 1, threshold: 0 },
    ]),
  },
};

/** The small instruction of a kind with parts replaced; attributes are replaced one by one. */
export function smallInstruction<K extends ComputedKind>(
  kind: K,
  change: { readonly attributes?: Readonly<Record<string, number>> } & Partial<Omit<Small<K>, 'attributes'>>,
): { instruction: AnyInstruction; sources: Small<K>['sources'] } {
  const small = { ...SMALL[kind], ...change, attributes: { ...SMALL[kind].attributes, ...change.attributes } };
  const { sources, ...rest } = small;
  return { instruction: { kind, ...rest, sources: sources.map((_, i) => i) } as unknown as AnyInstruction, sources };
}
