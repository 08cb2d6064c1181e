import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import type { TensorInterface } from '../../core/program/types.ts';
import { argmaxLast, dequantizeTensor, quantizeTensor } from '../../core/values.ts';

const pixels: TensorInterface = { name: 'x', dims: [6], type: 'u8', scales: [0.5], zeroPoints: [10], axis: 0 };
const perColumn: TensorInterface = { name: 'x', dims: [2, 2], type: 'i16', scales: [1, 0.01], zeroPoints: [0, -5], axis: 1 };

describe('float values to integers', () => {
  it('rounds half up, adds the zero point and clamps', () => {
    expect(Array.from(quantizeTensor(pixels, [0, 0.25, 0.24, -0.25, -5.3, 1000]))).toEqual([10, 11, 10, 10, 0, 255]);
  });

  it('takes one scale a position of the axis', () => {
    expect(Array.from(quantizeTensor(perColumn, [3, 0.03, -4, -400]))).toEqual([3, -2, -4, -32768]);
  });

  it('refuses a wrong count and what is not finite', () => {
    expect(() => quantizeTensor(pixels, [1])).toThrow(AssayError);
    expect(() => quantizeTensor(pixels, [0, 0, 0, 0, 0, Number.NaN])).toThrow(/element|NaN/);
  });

  it('comes back within half a scale', () => {
    const values = [0, 3.3, 17.77, 100, 64.01, 0.1];
    dequantizeTensor(pixels, quantizeTensor(pixels, values)).forEach((v, i) => {
      expect(Math.abs(v - values[i]!)).toBeLessThanOrEqual(0.25);
    });
  });
});

describe('argmaxLast', () => {
  it('takes the first of equals, row by row', () => expect(argmaxLast([2, 3], [1, 5, 5, 9, 2, 9])).toEqual([1, 0]));
});
