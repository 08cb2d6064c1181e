import { AssayError } from '../errors.ts';
import type { Values } from '../onnx/lower/evaluate.ts';
import type { Bounds, Net } from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { EXACT_LIMIT, magnitude } from '../ops/operation.ts';
import { encodeRescaleRows, type RescaleRow } from '../ops/rescale.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM } from '../tensor.ts';
import type { Emitter, IntegerTensor, Quantization } from './emitter.ts';
import type { Extent, Mode, QuantizationClass, Range } from './quantization.ts';

/** Largest |w| of a one-byte weight that meets u8 values: 64 (exact on every CPU kernel), 127 (finer), or 32 (a bit less to prove each). */
export type WeightLimit = 32 | 64 | 127;

export interface QuantizerOptions {
  readonly mode: Mode;
  readonly weightLimit: WeightLimit;
  /** Layers of more inputs than this are rounded plainly: error compensation costs their cube. */
  readonly compensatedFan: number;
  /** Factor by which 8-bit ranges exceed what calibration saw. */
  readonly headroom: number;
}

/** Everything a lowering of one node needs: the float network with its runs, the classes, and the program so far. */
export interface Quantizer {
  readonly net: Net;
  /** runs[case][node]: float values */
  readonly runs: readonly (readonly Values[])[];
  /** Elements of each tensor that anything reads; undefined: all. */
  readonly live: readonly (Uint8Array | undefined)[];
  readonly ranges: readonly Range[];
  readonly classes: readonly QuantizationClass[];
  readonly classOf: readonly number[];
  /** Joins of tensors that keep their own scales, channel by channel. */
  readonly mixed: readonly boolean[];
  readonly emitter: Emitter;
  readonly options: QuantizerOptions;
  /** Result of every node lowered so far. */
  readonly tensors: (IntegerTensor | undefined)[];
  readonly converted: Map<string, IntegerTensor>;
}

export function classOf(q: Quantizer, id: number): QuantizationClass {
  return q.classes[q.classOf[id]!]!;
}

/** Asymmetric 8-bit or symmetric wider quantization that covers a range; zero is always representable. */
export function covering(type: ElementType, low: number, high: number, steps: number, factor = 1): Quantization {
  const [least, most] = [Math.min(0, low), Math.max(0, high)];
  if (type === 'u8') {
    const scale = ((most - least || 1) / 255) * factor;
    return { type, scale, zero: Math.min(255, Math.max(0, Math.round(-least / scale))) };
  }
  // Powers of two keep float32 values exact in 32 bits, so that a threshold is met where it was met.
  if (type === 'i32') return { type, scale: 2 ** (Math.ceil(Math.log2((Math.max(-least, most) || 1) * factor)) - 28), zero: 0 };
  const half = Math.min(steps, 65536) / 2 - 1;
  return { type, scale: ((Math.max(-least, most) || 1) / half) * factor, zero: 0 };
}

const ALL_STEPS = 65536;
/** 16 bits have steps to spare for values beyond those that calibration saw. */
const ROOM_OF_16 = 1.5;

/** Covers a range that calibration saw, and what may lie beyond it. */
export function coveringSeen(q: Quantizer, type: ElementType, { low, high, reach }: Extent, steps = ALL_STEPS, factor = 1): Quantization {
  const { headroom } = q.options;
  if (type !== 'i16' || steps !== ALL_STEPS) return covering(type, low * headroom, high * headroom, steps, factor);
  return covering(type, Math.min(low * ROOM_OF_16, reach.low), Math.max(high * ROOM_OF_16, reach.high), steps, factor);
}

/** The part of a range that is not negative. */
export function positive({ high, reach }: Extent): Extent {
  return { low: 0, high, reach: { low: 0, high: reach.high } };
}

/** The class's quantization, chosen now from its range if nothing chose it before. */
export function quantizationOf(q: Quantizer, id: number): Quantization {
  const own = classOf(q, id);
  own.quantization ??= coveringSeen(q, own.type, own, own.steps);
  return own.quantization;
}

export function integerTensor(q: Quantizer, id: number): IntegerTensor {
  const tensor = q.tensors[id];
  if (tensor === undefined) throw new AssayError(`node ${id} is used before it is lowered`, { code: 'INTERNAL' });
  return tensor;
}

/** Clamp bounds in integers: the type's range cut by the real bounds of a Relu or Clip. */
export function integerBounds({ type, scale, zero }: Quantization, bounds: Bounds): { low: number; high: number } {
  const cut = (value: number): number => Math.min(TYPE_MAXIMUM[type], Math.max(TYPE_MINIMUM[type], value));
  const low = bounds.low === Number.NEGATIVE_INFINITY ? TYPE_MINIMUM[type] : cut(Math.round(bounds.low / scale) + zero);
  const high = bounds.high === Number.POSITIVE_INFINITY ? TYPE_MAXIMUM[type] : cut(Math.round(bounds.high / scale) + zero);
  return { low, high: Math.max(low, high) };
}

/** One row of a rescale in reals: `a·A + b·B + bias`. */
export interface RealRow {
  readonly a: number;
  readonly b: number;
  readonly bias: number;
}

/** Integer multipliers and the common shift for real ratios; as precise as the output deserves and the exact range allows. */
export function rescaleRows(
  rows: readonly RealRow[],
  first: Quantization,
  second: Quantization | undefined,
  out: Quantization,
): { rows: RescaleRow[]; shift: number } {
  const ratios = rows.map((row) => ({
    a: (row.a * first.scale) / out.scale,
    b: second === undefined ? 0 : (row.b * second.scale) / out.scale,
    bias: row.bias / out.scale + out.zero,
  }));
  const whole = ratios.every(({ a, b, bias }) => Number.isInteger(a) && Number.isInteger(b) && Number.isInteger(bias));
  const bits = out.type === 'u8' ? 12 : out.type === 'i16' ? 20 : 28;
  const magnitudes = [magnitude(first.type, first.zero), second === undefined ? 0 : magnitude(second.type, second.zero)] as const;
  // What lies beyond everything that the sources can make up for is as good as at the end of the range (masks of −3.4e38).
  const span = TYPE_MAXIMUM[out.type] - TYPE_MINIMUM[out.type];
  const limit = ({ a, b }: { a: number; b: number }): number => Math.abs(a) * magnitudes[0] + Math.abs(b) * magnitudes[1] + 2 * span;
  const most = Math.max(...ratios.map(({ a, b }) => Math.max(Math.abs(a), Math.abs(b))), 1e-30);
  // A multiplier's rounding shows in the result as often as its source has steps.
  const largest = (pick: 'a' | 'b'): number => Math.max(...ratios.map((ratio) => Math.abs(ratio[pick])), 1e-30);
  const enough = (pick: 'a' | 'b', size: number): number =>
    size <= 65536 ? Math.ceil(Math.log2(Math.max(size, 1))) + 3 : 16 - Math.floor(Math.log2(largest(pick)));
  const least = out.type === 'u8' ? 0 : Math.max(enough('a', magnitudes[0]), second === undefined ? 0 : enough('b', magnitudes[1]));
  let shift = whole ? 0 : Math.min(47, Math.max(least, bits - Math.ceil(Math.log2(most))));
  for (; ; shift--) {
    const factor = 2 ** shift;
    const made = ratios.map(({ a, b, bias }) => ({
      multiplierA: Math.round(a * factor),
      multiplierB: Math.round(b * factor),
      bias: Math.round(Math.min(limit({ a, b }), Math.max(-limit({ a, b }), bias)) * factor),
    }));
    const fits = made.every((row) => {
      const bound = Math.abs(row.multiplierA) * magnitudes[0] + Math.abs(row.multiplierB) * magnitudes[1] + Math.abs(row.bias) + factor;
      return bound < EXACT_LIMIT && Math.abs(row.multiplierA) < 2 ** 31 && Math.abs(row.multiplierB) < 2 ** 31;
    });
    if (fits) return { rows: made, shift };
    if (shift === 0) refuse('two tensors that meet have ranges too far apart for integers', { largestRatio: most });
  }
}

/** Emits `a[c]·A + b[c]·B + bias[c]`, clamped. */
export function emitRescale(
  q: Quantizer,
  sources: readonly IntegerTensor[],
  rows: readonly RealRow[],
  out: Quantization,
  bounds: Bounds,
  layout: { channelInner: number; innerB: number },
): number {
  const [first, second] = sources as [IntegerTensor, IntegerTensor | undefined];
  const made = rescaleRows(rows, first.quantization, second?.quantization, out);
  return q.emitter.emit(
    'rescale',
    out.type,
    q.emitter.length(first.position),
    sources.map((source) => source.position),
    {
      channels: rows.length,
      channelInner: layout.channelInner,
      shift: made.shift,
      zeroPointA: first.quantization.zero,
      zeroPointB: second?.quantization.zero ?? 0,
      innerB: layout.innerB,
      ...integerBounds(out, bounds),
    },
    encodeRescaleRows(made.rows),
  );
}

const FREE: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

/** The same values under another quantization; shared when asked for twice. */
export function converted(q: Quantizer, source: IntegerTensor, to: Quantization): IntegerTensor {
  const from = source.quantization;
  if (from.type === to.type && from.scale === to.scale && from.zero === to.zero) return source;
  const key = `${source.position}:${to.type}:${to.scale}:${to.zero}`;
  const known = q.converted.get(key);
  if (known !== undefined) return known;
  const position = emitRescale(q, [source], [{ a: 1, b: 0, bias: 0 }], to, FREE, { channelInner: 1, innerB: 1 });
  const made = { position, quantization: to };
  q.converted.set(key, made);
  return made;
}

/** A node's tensor in one of the given types, converted where its class has another. */
export function inType(q: Quantizer, id: number, types: readonly ElementType[]): IntegerTensor {
  const tensor = integerTensor(q, id);
  if (types.includes(tensor.quantization.type)) return tensor;
  const exact = classOf(q, id).exact;
  const target = exact ? { type: types[0]!, scale: 1, zero: 0 } : coveringSeen(q, types[0]!, q.ranges[id]!);
  return converted(q, tensor, target);
}
