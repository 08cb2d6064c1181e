import type { SoftmaxNode } from '../onnx/lower/net.ts';
import { folding } from '../onnx/lower/net.ts';
import { encodeRescaleRows } from '../ops/rescale.ts';
import { toBytes } from '../tensor.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { classOf, inType, type Quantizer, quantizationOf, rescaleRows } from './quantizer.ts';

/** The exponential's table: differences down to −16 in steps of 1/512. */
const STEP = 1 / 512;
const ENTRIES = 8192;
const LOG_ENTRIES = 16384;

/**
 * Softmax over rows in five instructions: row maximum, difference to it, exponentials by table, their sum, the quotient.
 * LogSoftmax subtracts a table's logarithm of the sum instead.
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
  if (node.logarithm) return logarithm(q, id, node, difference, total, one);
  const own = classOf(q, id);
  own.quantization ??= { type: own.type, scale: own.type === 'u8' ? 1 / 255 : 1 / 32767, zero: 0 };
  const out = quantizationOf(q, id);
  const attributes = {
    multiplier: Math.round(1 / out.scale),
    zeroPoint: 0,
    innerB: width,
    offset: out.zero,
    low: out.type === 'u8' ? 0 : -32768,
    high: out.type === 'u8' ? 255 : 32767,
  };
  return { position: q.emitter.emit('divide', out.type, length, [powers, total], attributes), quantization: out };
}

/** `difference − ln(sum)`, the sum lying between one and `width` times one. */
function logarithm(q: Quantizer, id: number, node: SoftmaxNode, difference: number, total: number, one: number): IntegerTensor {
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
  const last = rescaleRows([{ a: 1, b: -1, bias: 0 }], { type: 'i16', scale: STEP, zero: 0 }, logarithms, out);
  const position = q.emitter.emit(
    'rescale',
    out.type,
    node.length,
    [difference, table],
    {
      channels: 1,
      channelInner: 1,
      shift: last.shift,
      zeroPointA: 0,
      zeroPointB: 0,
      innerB: node.width,
      low: out.type === 'u8' ? 0 : -32768,
      high: out.type === 'u8' ? 255 : 32767,
    },
    encodeRescaleRows(last.rows),
  );
  return { position, quantization: out };
}
