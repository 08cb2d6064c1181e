import { allocate, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../tensor.ts';
import type { Quantization } from './emitter.ts';

/** Nearest integer of a real under a quantization, clamped to the type. */
export function toInteger(value: number, { type, scale, zero }: Quantization): number {
  return Math.min(TYPE_MAXIMUM[type], Math.max(TYPE_MINIMUM[type], Math.round(value / scale) + zero));
}

export function toIntegers(values: ArrayLike<number>, quantization: Quantization): TypedArray {
  const out = allocate(quantization.type, values.length);
  for (let i = 0; i < out.length; i++) out[i] = toInteger(values[i]!, quantization);
  return out;
}
