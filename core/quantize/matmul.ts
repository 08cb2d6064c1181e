import type { MatmulNode } from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { ACCUMULATOR_LIMIT, magnitude } from '../ops/operation.ts';
import { encodeRescaleRows } from '../ops/rescale.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { classOf, emitRescale, inType, integerBounds, type Quantizer, quantizationOf } from './quantizer.ts';

const FREE = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
const LIMB_ZERO = 128;

/** A tensor as a sum of tensors narrow enough to be multiplied; each part's scale is in units of the whole. */
type Parts = readonly IntegerTensor[];

function rows(multiplierA: number, multiplierB: number, bias: number): Uint8Array {
  return encodeRescaleRows([{ multiplierA, multiplierB, bias }]);
}

/** An i16 tensor as `256·high + low`, both bytes about 128: nothing is lost but at the last half per cent of the positive range. */
function limbs(q: Quantizer, { position, quantization }: IntegerTensor): Parts {
  const { scale, zero } = quantization;
  const length = q.emitter.length(position);
  const layout = { channels: 1, channelInner: 1, innerB: 1, zeroPointA: zero, low: 0, high: 255 };
  const high = q.emitter.emit('rescale', 'u8', length, [position], { ...layout, shift: 8, zeroPointB: 0 }, rows(1, 0, LIMB_ZERO * 256));
  const low = q.emitter.emit(
    'rescale',
    'u8',
    length,
    [position, high],
    { ...layout, shift: 0, zeroPointB: LIMB_ZERO },
    rows(1, -256, LIMB_ZERO),
  );
  return [
    { position: high, quantization: { type: 'u8', scale: 256 * scale, zero: LIMB_ZERO } },
    { position: low, quantization: { type: 'u8', scale, zero: LIMB_ZERO } },
  ];
}

function fits(node: MatmulNode, a: Quantization, b: Quantization): boolean {
  return node.inner * magnitude(a.type, a.zero) * magnitude(b.type, b.zero) < ACCUMULATOR_LIMIT * 0.98;
}

const BYTE: Quantization = { type: 'u8', scale: 1, zero: LIMB_ZERO };

/** What of each factor is multiplied with what of the other: whole tensors where 32 bits hold the sum, else their bytes. */
function factors(q: Quantizer, node: MatmulNode): readonly [Parts, Parts] {
  const [left, right] = node.sources as [number, number];
  const a = inType(q, left, ['i16', 'u8']);
  if (q.options.mode === 'wide') {
    const b = inType(q, right, ['i16', 'u8']);
    const isWide = (t: IntegerTensor): boolean => t.quantization.type === 'i16';
    if (fits(node, a.quantization, b.quantization)) return [[a], [b]];
    if (isWide(b) && fits(node, a.quantization, BYTE)) return [[a], limbs(q, b)];
    if (fits(node, BYTE, BYTE)) return [isWide(a) ? limbs(q, a) : [a], isWide(b) ? limbs(q, b) : [b]];
  }
  const b = inType(q, right, ['u8']);
  if (fits(node, a.quantization, b.quantization)) return [[a], [b]];
  const narrow = inType(q, left, ['u8']);
  if (fits(node, narrow.quantization, b.quantization)) return [[narrow], [b]];
  return refuse(`'${node.label}' adds ${node.inner} products, more than 32 bits hold`, { node: node.label, inner: node.inner });
}

/**
 * Product of two activations. The instruction itself only adds up; a rescale brings the ratio that the class wants and, where the factors
 * came in bytes, adds the partial products.
 */
export function matmul(q: Quantizer, id: number, node: MatmulNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const [left, right] = factors(q, node);
  const products = left.flatMap((a) =>
    right.map((b): IntegerTensor => {
      const scale = a.quantization.scale * b.quantization.scale * Math.abs(node.scale);
      const quantization: Quantization = { type: 'i32', scale, zero: 0 };
      const position = q.emitter.emit('matmul', 'i32', node.length, [a.position, b.position], {
        batch: node.batch,
        rows: node.rows,
        inner: node.inner,
        columns: node.columns,
        zeroPointA: a.quantization.zero,
        zeroPointB: b.quantization.zero,
        shareB: node.shareB ? 1 : 0,
        shift: 0,
        bias: 0,
        ...integerBounds(quantization, FREE),
      });
      return { position, quantization };
    }),
  );
  const own = classOf(q, id);
  const [first] = products as [IntegerTensor];
  if (products.length === 1 && own.type === 'i32' && own.members.length === 1 && node.scale > 0) {
    own.quantization = first.quantization;
    return first;
  }
  const sign = Math.sign(node.scale);
  const layout = { channelInner: 1, innerB: 1 };
  if (products.length === 1)
    return { position: emitRescale(q, products, [{ a: sign, b: 0, bias: 0 }], out, node.bounds, layout), quantization: out };
  // Partial sums keep 32 bits of the range that the result has.
  const span = Math.max(-own.low, own.high) * 4;
  const partial: Quantization = { type: 'i32', scale: Math.max(span / 2 ** 30, first.quantization.scale / 2 ** 20), zero: 0 };
  return products.slice(1).reduce<IntegerTensor>((sum, next, i) => {
    const last = i === products.length - 2;
    const to = last ? out : partial;
    const row = { a: i === 0 ? sign : 1, b: sign, bias: 0 };
    return { position: emitRescale(q, [sum, next], [row], to, last ? node.bounds : FREE, layout), quantization: to };
  }, first);
}
