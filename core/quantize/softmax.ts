import type { SoftmaxNode } from '../onnx/lower/net.ts';
import { folding } from '../onnx/lower/net.ts';
import { magnitude } from '../ops/operation.ts';
import { encodeRescaleRows } from '../ops/rescale.ts';
import { TYPE_MAXIMUM, TYPE_MINIMUM, toBytes } from '../tensor.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { classOf, inType, type Quantizer, quantizationOf, rescaleRows } from './quantizer.ts';

/** The exponential's table: differences down to −16 in steps of 1/512. */
const STEP = 1 / 512;
const ENTRIES = 8192;
const LOG_ENTRIES = 16384;

/**
 * Softmax over rows in five instructions: row maximum, difference to it, exponentials by table, their sum, the quotient.
 * LogSoftmax subtracts the maximum and a table's logarithm of the sum instead.
 */
export function softmaxProgram(q: Quantizer, id: number, node: SoftmaxNode): IntegerTensor {
  const source = inType(q, node.sources[0]!, ['i16', 'u8', 'i32']);
  const { width, length } = node;
  const rows = length / width;
  const from = source.quantization;
  const highest = q.emitter.emit('max', from.type, rows, [source.position], { ...folding(rows, width, 1), minimum: 0 });
  const made = rescaleRows([{ a: 1, b: -1, bias: 0 }], from, from, { type: 'i16', scale: STEP, zero: 0 });
  const difference = q.emitter.emit(
    'rescale',
    'i16',
    length,
    [source.position, highest],
    {
      channels: 1,
      channelInner: 1,
      shift: made.shift,
      zeroPointA: from.zero,
      zeroPointB: from.zero,
      innerB: width,
      low: 1 - ENTRIES,
      high: 0,
    },
    encodeRescaleRows(made.rows),
  );
  // The sum of a row must fit 31 bits.
  const one = 2 ** Math.min(22, 30 - Math.ceil(Math.log2(width)));
  const exponentials = Int32Array.from({ length: ENTRIES }, (_, i) => Math.round(Math.exp((i + 1 - ENTRIES) * STEP) * one));
  exponentials[0] = 0;
  const powers = q.emitter.emit(
    'table',
    'i32',
    length,
    [difference],
    { offset: 1 - ENTRIES, entries: ENTRIES, width: 1, channels: 1, channelInner: 1 },
    toBytes(exponentials),
  );
  const window = folding(rows, width, 1);
  const sum = { zeroPoint: 0, multiplier: 1, shift: 0, bias: 0, low: 0, high: 2147483647 };
  const total = q.emitter.emit('sum', 'i32', rows, [powers], { ...window, ...sum });
  if (node.logarithm) return logarithm(q, id, node, { source, highest, total, one });
  const own = classOf(q, id);
  own.quantization ??= { type: own.type, scale: own.type === 'u8' ? 1 / 255 : 1 / 32767, zero: 0 };
  const out = quantizationOf(q, id);
  const attributes = {
    multiplier: Math.round(1 / out.scale),
    zeroPoint: 0,
    innerB: width,
    offset: out.zero,
    ...ends(out),
  };
  return { position: q.emitter.emit('divide', out.type, length, [powers, total], attributes), quantization: out };
}

function ends({ type }: Quantization): { low: number; high: number } {
  return { low: TYPE_MINIMUM[type], high: TYPE_MAXIMUM[type] };
}

const PLAIN = { channels: 1, channelInner: 1, zeroPointA: 0, zeroPointB: 0 };

interface Row {
  readonly source: IntegerTensor;
  /** Position of the rows' largest values, in the quantization of the source. */
  readonly highest: number;
  /** Position of the rows' sums of exponentials, in units of 1 / one. */
  readonly total: number;
  readonly one: number;
}

/** `x − (maximum + ln(sum))`, the sum lying between one and `width` times one: not cut off where the exponentials are. */
function logarithm(q: Quantizer, id: number, node: SoftmaxNode, { source, highest, total, one }: Row): IntegerTensor {
  const rows = node.length / node.width;
  const out = quantizationOf(q, id);
  const unit = (node.width * one) / (LOG_ENTRIES - 1);
  const made = rescaleRows([{ a: 1, b: 0, bias: 0 }], { type: 'i32', scale: 1, zero: 0 }, undefined, { type: 'i16', scale: unit, zero: 0 });
  const index = q.emitter.emit(
    'rescale',
    'i16',
    rows,
    [total],
    { channels: 1, channelInner: 1, shift: made.shift, zeroPointA: 0, zeroPointB: 0, innerB: 1, low: 0, high: LOG_ENTRIES - 1 },
    encodeRescaleRows(made.rows),
  );
  const logarithms: Quantization = { type: 'i16', scale: Math.log(node.width * 1.01) / 32767, zero: 0 };
  const values = Int16Array.from({ length: LOG_ENTRIES }, (_, i) => Math.round(Math.log(Math.max(1, (i * unit) / one)) / logarithms.scale));
  const table = q.emitter.emit(
    'table',
    'i16',
    rows,
    [index],
    { offset: 0, entries: LOG_ENTRIES, width: 1, channels: 1, channelInner: 1 },
    toBytes(values),
  );
  const from = source.quantization;
  const greatest = magnitude(from.type, from.zero) * from.scale + Math.log(node.width * 1.01);
  const level: Quantization = { type: 'i32', scale: Math.max(Math.min(from.scale, out.scale) / 64, greatest / 2 ** 30), zero: 0 };
  const raised = rescaleRows([{ a: 1, b: 1, bias: 0 }], from, logarithms, level);
  const levels = q.emitter.emit(
    'rescale',
    'i32',
    rows,
    [highest, table],
    { ...PLAIN, shift: raised.shift, zeroPointA: from.zero, innerB: 1, low: TYPE_MINIMUM.i32, high: TYPE_MAXIMUM.i32 },
    encodeRescaleRows(raised.rows),
  );
  const last = rescaleRows([{ a: 1, b: -1, bias: 0 }], from, level, out);
  const position = q.emitter.emit(
    'rescale',
    out.type,
    node.length,
    [source.position, levels],
    { ...PLAIN, shift: last.shift, zeroPointA: from.zero, innerB: node.width, ...ends(out) },
    encodeRescaleRows(last.rows),
  );
  return { position, quantization: out };
}
