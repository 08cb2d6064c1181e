import { walk } from '../evaluate/broadcast.ts';
import { elementCount, stridesOf } from '../tensor.ts';

/** Elements in the order "kept axes, then reduced axes". */
export function reducedLast(dims: readonly number[], axes: readonly number[]): { order: Int32Array; width: number; kept: number[] } {
  const strides = stridesOf(dims);
  const keptAxes = [...dims.keys()].filter((axis) => !axes.includes(axis));
  const sequence = [...keptAxes, ...axes];
  const order = walk(
    sequence.map((axis) => dims[axis]!),
    sequence.map((axis) => strides[axis]!),
    0,
  );
  return { order, width: elementCount(axes.map((axis) => dims[axis]!)), kept: keptAxes.map((axis) => dims[axis]!) };
}
