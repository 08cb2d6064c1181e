import { EXACT_LIMIT, half, magnitude } from '../../ops/operation.ts';
import type { Instruction } from '../../program/types.ts';
import { TYPE_MAXIMUM, TYPE_MINIMUM } from '../../tensor.ts';
import { add, multiplyBy, requantize, scalar, workType } from '../arithmetic.ts';
import { type GraphBuilder, MICROSOFT, type Value } from '../graph.ts';
import type { Lowering } from '../lowering.ts';
import { gatherRows, onnxWindow } from '../window.ts';

/** The quick way for u8: a max pool that keeps channels last. */
function pool(g: GraphBuilder, instruction: Instruction<'max'>, source: Value): Value | undefined {
  const a = instruction.attributes;
  const window = onnxWindow(a, 'pool');
  if (source.type !== 'u8' || a.minimum === 1 || window === undefined) return undefined;
  return g.node('NhwcMaxPool', [g.reshape(source, [a.batch, a.height, a.width, a.channels])], {
    type: 'u8',
    dims: [a.batch, a.outHeight, a.outWidth, a.channels],
    domain: MICROSOFT,
    attributes: window,
  });
}

export const max: Lowering<'max'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const source = sources[0]!.value;
  const quick = pool(g, instruction, source);
  if (quick !== undefined) return quick;
  const neutral = a.minimum === 1 ? TYPE_MAXIMUM[instruction.type] : TYPE_MINIMUM[instruction.type];
  const rows = gatherRows(g, source, a, neutral);
  if (rows.dims[1] === 1) return rows;
  return g.node(a.minimum === 1 ? 'ReduceMin' : 'ReduceMax', [rows], {
    type: rows.type,
    dims: [rows.dims[0]!, a.channels],
    attributes: { axes: [1], keepdims: 0 },
  });
};

/**
 * Σ over taps in 32 or 64 bits; a padding tap reads the zero point, so that taps·zeroPoint comes off every window at once, unless
 * that could leave the exact range: then it comes off each value.
 */
export const sum: Lowering<'sum'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const { value, element } = sources[0]!;
  const taps = a.kernelHeight * a.kernelWidth;
  const factor = taps * Math.max(1, Math.abs(a.multiplier));
  const rest = Math.abs(a.bias) + half(a.shift) + 1;
  const foldedBound = factor * (magnitude(element, 0) + Math.abs(a.zeroPoint)) + rest;
  const folded = foldedBound <= EXACT_LIMIT;
  const bound = folded ? foldedBound : factor * magnitude(element, a.zeroPoint) + rest;
  const work = folded ? workType(bound, a.shift) : 'i64';
  const inRange = a.zeroPoint >= TYPE_MINIMUM[element] && a.zeroPoint <= TYPE_MAXIMUM[element];
  const rows = g.cast(gatherRows(g, inRange ? value : g.cast(value, 'i32'), a, a.zeroPoint), work);
  const terms = folded ? rows : add(g, rows, scalar(-a.zeroPoint));
  const dims = [rows.dims[0]!, a.channels];
  const sums = g.node('ReduceSum', [terms, g.constant('i64', [1], [1])], { type: work, dims, attributes: { keepdims: 0 } });
  return requantize(g, multiplyBy(g, sums, scalar(a.multiplier)), {
    bias: scalar(folded ? a.bias - taps * a.zeroPoint * a.multiplier : a.bias),
    shift: scalar(a.shift),
    low: a.low,
    high: a.high,
    type: instruction.type,
    bound,
  });
};
