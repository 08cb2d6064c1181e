import type { NormalizeNode } from '../onnx/lower/net.ts';
import { folding } from '../onnx/lower/net.ts';
import { encodeRescaleRows } from '../ops/rescale.ts';
import type { IntegerTensor } from './emitter.ts';
import { inType, integerBounds, type Quantizer, quantizationOf } from './quantizer.ts';

/** Largest |width·x − Σx| over calibration, in integers. */
function greatestDeviation(q: Quantizer, position: number, zero: number, width: number, center: boolean): number {
  let greatest = 1;
  for (const tensors of q.emitter.values) {
    const x = tensors[position]!;
    for (let from = 0; from < x.length; from += width) {
      let sum = 0;
      if (center) for (let i = 0; i < width; i++) sum += x[from + i]! - zero;
      for (let i = 0; i < width; i++) greatest = Math.max(greatest, Math.abs(width * (x[from + i]! - zero) - sum));
    }
  }
  return greatest;
}

/**
 * Rows to mean 0 and variance 1 in six instructions: sum, width·x − sum (no rounding of the mean), its square, the sum of
 * squares, an integer square root, the quotient.
 */
export function normalizeProgram(q: Quantizer, id: number, node: NormalizeNode): IntegerTensor {
  const source = inType(q, node.sources[0]!, ['i16', 'u8']);
  const { width, length, center } = node;
  const { scale, zero } = source.quantization;
  const rows = length / width;
  const window = folding(rows, width, 1);
  const greatest = greatestDeviation(q, source.position, zero, width, center) * 1.5;
  // Deviations d = (width·x − Σx)·2^−drop fit 16 bits.
  const drop = Math.max(0, Math.ceil(Math.log2(greatest / 32767)));
  const lift = Math.max(0, Math.floor(Math.log2(32767 / greatest)));
  const sources = [source.position];
  if (center)
    sources.push(
      q.emitter.emit('sum', 'i32', rows, [source.position], {
        ...window,
        zeroPoint: zero,
        multiplier: 1,
        shift: 0,
        bias: 0,
        low: -2147483648,
        high: 2147483647,
      }),
    );
  const factor = 2 ** lift;
  const deviation = q.emitter.emit(
    'rescale',
    'i16',
    length,
    sources,
    { channels: 1, channelInner: 1, shift: drop, zeroPointA: zero, zeroPointB: 0, innerB: width, low: -32767, high: 32767 },
    encodeRescaleRows([{ multiplierA: width * factor, multiplierB: center ? -factor : 0, bias: 0 }]),
  );
  const unit = (scale * 2 ** drop) / (width * factor);
  const squares = q.emitter.emit('multiply', 'i32', length, [deviation, deviation], {
    multiplier: 1,
    shift: 0,
    zeroPointA: 0,
    zeroPointB: 0,
    innerB: 1,
    bias: 0,
    low: 0,
    high: 2147483647,
  });
  // Σd² / 2^halve ≤ width·2^30 / 2^halve stays below 2^31.
  const halve = Math.ceil(Math.log2(width));
  const epsilon = Math.min(2147483647, Math.round((node.epsilon * width) / (unit * unit)));
  const power = q.emitter.emit('sum', 'i32', rows, [squares], {
    ...window,
    zeroPoint: 0,
    multiplier: 1,
    shift: halve,
    bias: epsilon,
    low: 0,
    high: 2147483647,
  });
  const ROOT_SHIFT = 20;
  const root = q.emitter.emit('isqrt', 'i32', rows, [power], { shift: ROOT_SHIFT });
  const out = quantizationOf(q, id);
  // √(Σd²·unit²/width + ε) = root·unit·√(2^halve / width) / 2^(ROOT_SHIFT/2)
  const rootUnit = (unit * Math.sqrt(2 ** halve / width)) / 2 ** (ROOT_SHIFT / 2);
  const multiplier = Math.round(unit / (rootUnit * out.scale));
  const attributes = {
    multiplier,
    zeroPoint: 0,
    innerB: width,
    offset: out.zero,
    ...integerBounds(out, { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }),
  };
  const position = q.emitter.emit('divide', out.type, length, [deviation, root], attributes);
  return { position, quantization: out };
}
