import type { Tensor } from '../tensor.ts';

/**
 * A tensor of the ONNX graph as it lies in the network: values of network tensors (and constants) seen through an index.
 * Reshape, Transpose, Slice and their kind change the view only; a map instruction is made when a consumer needs the order.
 */
export interface View {
  readonly dims: readonly number[];
  /** Network tensors; element addresses run through them in order, then through the constants. */
  readonly sources: readonly number[];
  /** Address of every element in row-major order; undefined: exactly the elements of the one source in order. */
  readonly index: Int32Array | undefined;
  readonly constants: readonly number[];
}

export type Value = { readonly constant: Tensor } | { readonly view: View };

export function isConstant(value: Value): value is { readonly constant: Tensor } {
  return 'constant' in value;
}

export function isIdentity(index: Int32Array, length: number): boolean {
  if (index.length !== length) return false;
  for (let i = 0; i < length; i++) if (index[i] !== i) return false;
  return true;
}

/** Whether every element of [0, length) occurs exactly once. */
export function isPermutation(index: Int32Array, length: number): boolean {
  if (index.length !== length) return false;
  const seen = new Uint8Array(length);
  for (const i of index) {
    if (i >= length || seen[i] === 1) return false;
    seen[i] = 1;
  }
  return true;
}

export function identity(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

/** The inverse of a permutation. */
export function inverse(permutation: Int32Array): Int32Array {
  const result = new Int32Array(permutation.length);
  permutation.forEach((to, from) => {
    result[to] = from;
  });
  return result;
}

/** `inner` such that `index[e] = ⌊e/inner⌋ mod length` for all e, or undefined. */
export function repeatPattern(index: Int32Array, length: number): number | undefined {
  if (index.length % length !== 0) return undefined;
  let inner = 1;
  while (inner < index.length && index[inner] === index[0]) inner++;
  if (length === 1) inner = index.length;
  for (let e = 0; e < index.length; e++) if (index[e] !== Math.floor(e / inner) % length) return undefined;
  return inner;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** Shortest description of an array as `rows[⌊e/inner⌋ mod rows.length]`; at worst inner = 1 and the array itself. */
export function channelPattern(arrays: readonly Float64Array[]): { inner: number; channels: number } {
  const length = arrays[0]!.length;
  let inner = length;
  for (const values of arrays) for (let e = 1; e < length; e++) if (values[e] !== values[e - 1]) inner = gcd(inner, e);
  const count = length / inner;
  for (let channels = 1; channels <= count; channels++) {
    if (count % channels !== 0) continue;
    const fits = arrays.every((values) => {
      for (let k = channels; k < count; k++) if (values[k * inner] !== values[(k - channels) * inner]) return false;
      return true;
    });
    if (fits) return { inner, channels };
  }
  return { inner: 1, channels: length };
}

/** Rows of the pattern found by `channelPattern`. */
export function channelRows(values: Float64Array, pattern: { inner: number; channels: number }): Float64Array {
  return Float64Array.from({ length: pattern.channels }, (_, c) => values[c * pattern.inner]!);
}
