import type { TestModel, TestTensor } from './onnx.ts';

/** A model around one wide operator. */
export interface ExpandedModel {
  readonly model: TestModel;
  /** Values of inputs; floats in [−1, 1] otherwise. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
  /** Outputs that the integer program gives exactly. */
  readonly exact?: readonly string[];
  /** Normalizations that must be recognized. */
  readonly normalizes?: number;
  /** Error of the float reference, where onnxruntime rounds on the way. */
  readonly float?: number;
  /** Root-mean-square error over the range that the integer program may have; 2 % otherwise. */
  readonly tolerance?: number;
}

/** Reproducible values within ±size. */
export const values = (count: number, seed: number, size = 1): number[] =>
  Array.from({ length: count }, (_, i) => size * Math.sin(seed + 1.7 * i));

/** Reproducible whole numbers in [low, high]. */
export const whole = (count: number, seed: number, low: number, high: number): number[] =>
  Array.from({ length: count }, (_, i) => low + Math.floor(((Math.sin(seed + 1.7 * i) + 1) / 2) * (high - low + 0.999)));

/** An attribute that is a float although its value is whole. */
export const float = (value: number): { readonly float: number } => ({ float: value });

export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;
export const MICROSOFT = 'com.microsoft';

export const scale = (name: string, value: number): TestTensor => ({ name, dims: [], values: [value] });
export const zero = (name: string, value: number, type = UINT8): TestTensor => ({ name, dims: [], values: [value], type });
