import type { ElementType } from '../tensor.ts';
import type { Quantization } from './emitter.ts';

/** Activations in 8 bits, or in 16 (32 where they are added up). */
export type Mode = 'narrow' | 'wide';

/** Values below its negative are masks (−3.4e38): no part of a range. */
export const MASK = 1e6;

/** Tensors that must share one quantization, because an instruction copies values between them. */
export interface QuantizationClass extends Extent {
  readonly members: readonly number[];
  /** Integers that stand for themselves (tokens, flags, labels, indices): scale 1, zero 0. */
  readonly exact: boolean;
  readonly type: ElementType;
  /** Steps of resolution wanted, at most those of the type: tables get by with fewer. */
  readonly steps: number;
  /** Fixed by the producer (softmax), or chosen when the first producer is lowered. */
  quantization: Quantization | undefined;
}

/** What calibration saw of a tensor, and where values can be expected that it did not see: few values tell little of their extremes. */
export interface Extent {
  readonly low: number;
  readonly high: number;
  /** At most `low` and at least `high`; of the same sign. */
  readonly reach: { readonly low: number; readonly high: number };
}

export interface Range extends Extent {
  /** Whether masking constants (−3.4e38) occur. */
  readonly masked: boolean;
}
