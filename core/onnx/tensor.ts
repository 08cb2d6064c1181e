/** Element types an ONNX tensor may have here. Strings, complex and 4-bit types are refused by the parser. */
export type ElementType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool';

export type TensorData = Float32Array | Float64Array;

/**
 * A dense row-major tensor of the importer and its float reference.
 * 32-bit and narrower floats live in a Float32Array, every other type in a Float64Array: integers are exact to 2^53, booleans are 0 or 1.
 */
export interface Tensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}

export function isFloat(type: ElementType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16';
}

/** At most this many elements in one tensor (256 MiB of float32). */
export const MAX_ELEMENTS = 1 << 26;

/** Whether every dimension and their product are within bounds: asked before anything as long as a dimension is built. */
export function isBounded(dims: readonly number[]): boolean {
  return dims.every((dim) => Number.isInteger(dim) && dim >= 0 && dim <= MAX_ELEMENTS) && elementCount(dims) <= MAX_ELEMENTS;
}

/** An all-zero buffer in the representation of `type`. Throws RangeError beyond MAX_ELEMENTS. */
export function allocate(type: ElementType, count: number): TensorData {
  if (!(count <= MAX_ELEMENTS)) throw new RangeError(`a tensor of ${count} elements`);
  return type === 'float32' || type === 'float16' || type === 'bfloat16' ? new Float32Array(count) : new Float64Array(count);
}

export function tensor(type: ElementType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  const data = allocate(type, values.length);
  data.set(values);
  return { type, dims, data };
}

export function int64(values: readonly number[]): Tensor {
  return tensor('int64', [values.length], values);
}

/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  return strides;
}

/** ONNX axis convention: negative axes count from the end. Throws RangeError outside [-rank, rank). */
export function normalizeAxis(axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(normalized) || normalized < 0 || normalized >= Math.max(rank, 1))
    throw new RangeError(`axis ${axis} of a tensor of rank ${rank}`);
  return normalized;
}

const INTEGER_RANGE: Partial<Record<ElementType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
};

/** Value range of a bounded integer type, or undefined for floats and 64-bit types. */
export function integerRange(type: ElementType): readonly [number, number] | undefined {
  return INTEGER_RANGE[type];
}
