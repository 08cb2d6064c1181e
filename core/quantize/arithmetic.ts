import type { CompareNode, DivideNode, MultiplyNode, RescaleNode, SumNode } from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { EXACT_LIMIT, magnitude } from '../ops/operation.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import type { QuantizationClass } from './quantization.ts';
import {
  classOf,
  converted,
  coveringSeen,
  emitRescale,
  inType,
  integerBounds,
  integerTensor,
  positive,
  type Quantizer,
  quantizationOf,
  type RealRow,
} from './quantizer.ts';

export function rescale(q: Quantizer, id: number, node: RescaleNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const rows: RealRow[] = Array.from(node.a, (a, c) => ({ a, b: node.b[c]!, bias: node.bias[c]! }));
  const sources = node.sources.map((source) => integerTensor(q, source));
  const { channels, quantization } = sources[0]!;
  if (channels !== undefined) {
    // Every column as if it had the tensor's one scale and zero.
    const each = channels.map((own, c): RealRow => {
      const { a, b, bias } = rows[c % rows.length]!;
      return { a: (a * own.scale) / quantization.scale, b, bias: bias + a * own.scale * (quantization.zero - own.zero) };
    });
    return { position: emitRescale(q, sources, each, out, node.bounds, { channelInner: 1, innerB: 1 }), quantization: out };
  }
  return { position: emitRescale(q, sources, rows, out, node.bounds, node), quantization: out };
}

/** multiplier and shift of a ratio such that `bits` of the multiplier are used and the product stays exact. */
export function ratioOf(ratio: number, most: number, bits: number, biasUnits = 0): { multiplier: number; shift: number; bias: number } {
  let shift = Math.min(47, Math.max(0, Number.isInteger(ratio) ? 0 : bits - Math.ceil(Math.log2(Math.abs(ratio) || 1))));
  for (; ; shift--) {
    const multiplier = Math.round(ratio * 2 ** shift);
    const bias = Math.round(biasUnits * 2 ** shift);
    const fits =
      Math.abs(multiplier) * most + Math.abs(bias) + 2 ** shift < EXACT_LIMIT && Math.abs(multiplier) < 2 ** 31 && Math.abs(bias) < 2 ** 31;
    if (fits || shift === 0) return { multiplier, shift, bias };
  }
}

/** In 32 bits nothing is lost: a result keeps the scale of its terms, or the next power of two that has room for it. */
function inSumScale(own: QuantizationClass, raw: number): void {
  if (own.type !== 'i32' || own.exact || own.members.length > 1 || own.quantization !== undefined) return;
  const room = Math.max(-own.reach.low, own.reach.high) / (raw * 2 ** 30);
  own.quantization = { type: 'i32', scale: raw * 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(room, 1e-30)))), zero: 0 };
}

export function multiply(q: Quantizer, id: number, node: MultiplyNode): IntegerTensor {
  const plain = [integerTensor(q, node.sources[0]!), integerTensor(q, node.sources[1]!)] as const;
  const size = (t: IntegerTensor): number => magnitude(t.quantization.type, t.quantization.zero);
  const own = classOf(q, id);
  // The ratio of scales takes twelve bits, in a 32-bit result only a power of two. A 32-bit factor stays as it is where that has room.
  const isAdded = own.type === 'i32' && q.options.mode === 'wide';
  const room = EXACT_LIMIT / (own.type === 'i32' ? 4 : 4096);
  const short = (n: number): IntegerTensor => inType(q, node.sources[n]!, ['i16', 'u8']);
  const [a, b] = size(plain[0]) * size(plain[1]) < room ? plain : [short(0), isAdded ? plain[1] : short(1)];
  inSumScale(own, a.quantization.scale * b.quantization.scale * Math.abs(node.scale));
  const out = quantizationOf(q, id);
  const most = magnitude(a.quantization.type, a.quantization.zero) * magnitude(b.quantization.type, b.quantization.zero);
  const ratio = (node.scale * a.quantization.scale * b.quantization.scale) / out.scale;
  const { multiplier, shift, bias } = ratioOf(ratio, most, 18, out.zero);
  const attributes = {
    multiplier,
    shift,
    bias,
    zeroPointA: a.quantization.zero,
    zeroPointB: b.quantization.zero,
    innerB: node.innerB,
    ...integerBounds(out, node.bounds),
  };
  return { position: q.emitter.emit('multiply', out.type, node.length, [a.position, b.position], attributes), quantization: out };
}

export function divide(q: Quantizer, id: number, node: DivideNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const { low } = q.ranges[node.sources[1]!]!;
  if (low < 0)
    refuse(
      `'${node.label}' divides by values that may be negative`,
      { node: node.label, least: low },
      'only positive divisors (norms, deviations, sums of squares) can be compiled',
    );
  const numerator = inType(q, node.sources[0]!, ['i16', 'u8']);
  const plain = integerTensor(q, node.sources[1]!);
  const divisor =
    plain.quantization.zero === 0 ? plain : converted(q, plain, coveringSeen(q, 'i16', positive(q.ranges[node.sources[1]!]!)));
  const ratio = numerator.quantization.scale / (divisor.quantization.scale * out.scale);
  const attributes = {
    multiplier: Math.round(ratio),
    zeroPoint: numerator.quantization.zero,
    innerB: node.innerB,
    offset: out.zero,
    ...integerBounds(out, { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }),
  };
  return {
    position: q.emitter.emit('divide', out.type, node.length, [numerator.position, divisor.position], attributes),
    quantization: out,
  };
}

export function sum(q: Quantizer, id: number, node: SumNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const from = source.quantization;
  const own = classOf(q, id);
  const taps = node.window.kernelHeight * node.window.kernelWidth;
  inSumScale(own, from.scale * Math.abs(node.scale));
  const out = quantizationOf(q, id);
  const { multiplier, shift, bias } = ratioOf(
    (node.scale * from.scale) / out.scale,
    taps * magnitude(from.type, from.zero),
    out.type === 'u8' ? 12 : 18,
    out.zero,
  );
  const attributes = { ...node.window, zeroPoint: from.zero, multiplier, shift, bias, ...integerBounds(out, node.bounds) };
  return { position: q.emitter.emit('sum', out.type, node.length, [source.position], attributes), quantization: out };
}

const FLAG: Quantization = { type: 'u8', scale: 1, zero: 0 };

/** Two tensors under one scale, so that their integers compare as their values do. */
function inOneScale(q: Quantizer, first: IntegerTensor, second: IntegerTensor): IntegerTensor[] {
  if (first.quantization.scale === second.quantization.scale) return [first, second];
  const coarser = first.quantization.scale > second.quantization.scale ? first.quantization : second.quantization;
  const target: Quantization = { type: 'i32', scale: coarser.type === 'i32' ? coarser.scale : coarser.scale / 4096, zero: 0 };
  return [converted(q, first, target), converted(q, second, target)];
}

/** Of integers that stand for themselves: nothing is rounded, so a constant between two of them separates these. */
function wholeRow(relation: CompareNode['relation'], c: number): RealRow {
  if (relation === 'greater') return { a: 1, b: 0, bias: -Math.floor(c) };
  if (relation === 'greaterOrEqual') return { a: 1, b: 0, bias: 1 - Math.ceil(c) };
  return Number.isInteger(c) ? { a: 1, b: 0, bias: -c } : { a: 2, b: 0, bias: -(2 * Math.floor(c) + 1) };
}

/** Clamped differences: `A − B` cut to {0, 1}, or to {−1, 0, 1} and looked up for equality. */
export function compare(q: Quantizer, node: CompareNode): IntegerTensor {
  const first = integerTensor(q, node.sources[0]!);
  const second = node.sources.length > 1 ? integerTensor(q, node.sources[1]!) : undefined;
  const difference: Quantization = node.relation === 'equal' ? { type: 'i16', scale: 1, zero: 0 } : FLAG;
  const plusOne = node.relation === 'greaterOrEqual' ? 1 : 0;
  const limits = node.relation === 'equal' ? { low: -1, high: 1 } : { low: 0, high: 1 };
  let rows: RealRow[];
  let scaled: IntegerTensor[];
  if (second === undefined) {
    // Units of the source: the row counts integers, whatever their scale.
    scaled = [{ ...first, quantization: { ...first.quantization, scale: 1 } }];
    const isWhole = classOf(q, node.sources[0]!).exact;
    rows = Array.from(node.constants, (c) =>
      isWhole ? wholeRow(node.relation, c) : { a: 1, b: 0, bias: plusOne - Math.round(c / first.quantization.scale) },
    );
  } else {
    scaled = inOneScale(q, first, second).map((t) => ({ ...t, quantization: { ...t.quantization, scale: 1 } }));
    rows = [{ a: 1, b: -1, bias: plusOne }];
  }
  const position = emitRescale(q, scaled, rows, difference, limits, node);
  if (node.relation !== 'equal') return { position, quantization: FLAG };
  const table = q.emitter.emit(
    'table',
    'u8',
    node.length,
    [position],
    { offset: -1, entries: 3, width: 1, channels: 1, channelInner: 1 },
    Uint8Array.of(0, 1, 0),
  );
  return { position: table, quantization: FLAG };
}
