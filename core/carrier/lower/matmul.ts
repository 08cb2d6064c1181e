import { half, magnitude } from '../../ops/operation.ts';
import { bytesOf, requantize, scalar, zeroBytes } from '../arithmetic.ts';
import type { GraphBuilder } from '../graph.ts';
import { type Limb, productOfLimbs } from '../limbs.ts';
import type { Carried, Lowering } from '../lowering.ts';

function limbsOf(g: GraphBuilder, source: Carried, dims: readonly number[], zeroPoint: number, transposed: boolean): Limb[] {
  const arrange = (value: Carried['value'], zero: number, scale: number): Limb => {
    const shaped = g.reshape(value, dims);
    const [b, n, k] = [dims[0]!, dims[1]!, dims[2]!];
    const arranged = transposed ? g.node('Transpose', [shaped], { type: 'u8', dims: [b, k, n], attributes: { perm: [0, 2, 1] } }) : shaped;
    return { scale, value: arranged, zero: g.constant('u8', [], [zero]) };
  };
  if (source.element === 'u8') return [arrange(source.value, zeroPoint, 1)];
  const bytes = bytesOf(g, source.value);
  const zeros = zeroBytes(zeroPoint);
  return [arrange(bytes.high, zeros.high, 256), arrange(bytes.low, zeros.low, 1)];
}

/** MatMulInteger of bytes (u8×u8 is exact on every kernel), then integer glue. */
export const matmul: Lowering<'matmul'> = (g, instruction, sources) => {
  const a = instruction.attributes;
  const [first, second] = [sources[0]!, sources[1]!];
  const left = limbsOf(g, first, [a.batch, a.rows, a.inner], a.zeroPointA, false);
  const right = limbsOf(g, second, [a.shareB === 1 ? 1 : a.batch, a.columns, a.inner], a.zeroPointB, true);
  const acc = productOfLimbs(g, left, right, [a.batch, a.rows, a.columns]);
  const products = a.inner * magnitude(first.element, a.zeroPointA) * magnitude(second.element, a.zeroPointB);
  return requantize(g, acc, {
    bias: scalar(a.bias),
    shift: scalar(a.shift),
    low: a.low,
    high: a.high,
    type: instruction.type,
    bound: products + Math.abs(a.bias) + half(a.shift) + 1,
  });
};
