import type { ElementType } from '../tensor.ts';
import type { Quantization } from './emitter.ts';

/** Activations in 8 bits, or in 16 (32 where they are added up). */
export type Mode = 'narrow' | 'wide';

/** Tensors that must share one quantization, because an instruction copies values between them. */
export interface QuantizationClass {
  readonly members: readonly number[];
  readonly low: number;
  readonly high: number;
  /** Integers that stand for themselves (tokens, flags, labels, indices): scale 1, zero 0. */
  readonly exact: boolean;
  readonly type: ElementType;
  /** Steps of resolution wanted, at most those of the type: tables get by with fewer. */
  readonly steps: number;
  /** Fixed by the producer (softmax), or chosen when the first producer is lowered. */
  quantization: Quantization | undefined;
}

export interface Range {
  readonly low: number;
  readonly high: number;
  /** Whether masking constants (−3.4e38) occur. */
  readonly masked: boolean;
}
