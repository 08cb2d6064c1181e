import { MAX_ELEMENTS, stridesOf } from '../tensor.ts';

/** NumPy broadcasting of two shapes; undefined when they do not fit. */
export function broadcastDims(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const dims: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    dims.push(left === 1 ? right : left);
  }
  return dims;
}

/** For every element of `to`, the flat index of the element of `from` that broadcasts to it; undefined when they are the same shape. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): Int32Array | undefined {
  if (from.length === to.length && from.every((dim, axis) => dim === to[axis])) return undefined;
  const rank = to.length;
  const own = stridesOf(from);
  const steps = to.map((_, axis) => {
    const at = axis - rank + from.length;
    return at < 0 || from[at] === 1 ? 0 : own[at]!;
  });
  return walk(to, steps, 0);
}

/** Flat indices `start + Σ position·step` of a row-major walk over `dims`. */
export function walk(dims: readonly number[], steps: readonly number[], start: number): Int32Array {
  let count = 1;
  for (const dim of dims) count *= dim;
  if (!(count <= MAX_ELEMENTS)) throw new RangeError(`a tensor of ${count} elements`);
  const index = new Int32Array(count);
  const rank = dims.length;
  const position = new Array<number>(rank).fill(0);
  let at = start;
  for (let i = 0; i < count; i++) {
    index[i] = at;
    for (let axis = rank - 1; axis >= 0; axis--) {
      at += steps[axis]!;
      if (++position[axis]! < dims[axis]!) break;
      at -= steps[axis]! * dims[axis]!;
      position[axis] = 0;
    }
  }
  return index;
}
