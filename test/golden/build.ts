import type { AnyInstruction, Attributes } from '../../core/program/types.ts';
import type { ElementType, TypedArray } from '../../core/tensor.ts';
import type { ComputedKind } from '../support/instructions.ts';

/**
 * One instruction with the values it reads and writes. Every blob is at most one leaf, so that a test in any language builds the
 * evidence of a step without a tree.
 */
export interface Vector {
  readonly name: string;
  readonly instruction: AnyInstruction;
  readonly inputs: readonly TypedArray[];
}

export const u8 = (...values: number[]): Uint8Array => Uint8Array.from(values);
export const i16 = (...values: number[]): Int16Array => Int16Array.from(values);
export const i32 = (...values: number[]): Int32Array => Int32Array.from(values);
const NONE = new Uint8Array();
export const RANGE: Readonly<Record<ElementType, { low: number; high: number }>> = {
  u8: { low: 0, high: 255 },
  i16: { low: -32768, high: 32767 },
  i32: { low: -2147483648, high: 2147483647 },
};

export function vector<K extends ComputedKind>(
  kind: K,
  name: string,
  type: ElementType,
  length: number,
  inputs: readonly TypedArray[],
  attributes: Attributes<K>,
  parameters: Uint8Array = NONE,
): Vector {
  const instruction = { kind, type, length, sources: inputs.map((_, i) => i), attributes, parameters } as unknown as AnyInstruction;
  return { name, instruction, inputs };
}

interface Row {
  readonly weights: readonly number[];
  readonly bias?: number;
  readonly shift?: number;
}

export function linearRows(rows: readonly Row[], weightBytes: 1 | 2): Uint8Array {
  const size = rows[0]!.weights.length * weightBytes + 5;
  const view = new DataView(new ArrayBuffer(size * rows.length));
  rows.forEach(({ weights, bias = 0, shift = 0 }, o) => {
    weights.forEach((weight, i) => {
      if (weightBytes === 1) view.setInt8(o * size + i, weight);
      else view.setInt16(o * size + 2 * i, weight, true);
    });
    view.setInt32(o * size + size - 5, bias, true);
    view.setUint8(o * size + size - 1, shift);
  });
  return new Uint8Array(view.buffer);
}

/** A window over [1, height, width, channels]; what is not given is 1, padding 0. */
export function window(height: number, width: number, channels: number, given: Record<string, number> = {}) {
  return {
    ...{ batch: 1, height, width, channels, outHeight: 1, outWidth: 1, kernelHeight: 1, kernelWidth: 1 },
    ...{ strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0 },
    ...given,
  };
}

export const ramp = (length: number, start = 0, step = 1): number[] => Array.from({ length }, (_, i) => start + i * step);
export const fill = (length: number, value: number): number[] => new Array<number>(length).fill(value);
