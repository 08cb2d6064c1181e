import { binary, multiplyBy, scalar } from './arithmetic.ts';
import type { GraphBuilder, Value } from './graph.ts';

/** One byte of a wide operand of a matrix product: its weight in the sum, the bytes and their zero point. */
export interface Limb {
  readonly scale: number;
  readonly value: Value;
  readonly zero: Value;
}

/** Sum of the scaled products of all pairs of bytes. The parts may wrap in 32 bits; the sum is right modulo 2^32 and in range. */
export function productOfLimbs(g: GraphBuilder, left: readonly Limb[], right: readonly Limb[], dims: readonly number[]): Value {
  let total: Value | undefined;
  const single = left.length * right.length === 1;
  for (const a of left)
    for (const b of right) {
      const product = g.node('MatMulInteger', [a.value, b.value, a.zero, b.zero], { type: 'i32', dims });
      if (single) return product;
      const part = multiplyBy(g, g.cast(product, 'i64'), scalar(a.scale * b.scale));
      total = total === undefined ? part : binary(g, 'Add', total, part, dims);
    }
  return g.cast(total!, 'i32');
}
