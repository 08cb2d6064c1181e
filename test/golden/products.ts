import type { Attributes } from '../../core/program/types.ts';
import type { ElementType } from '../../core/tensor.ts';
import { fill, i16, linearRows, RANGE, ramp, u8, type Vector, vector, window } from './build.ts';

export function linear(): Vector[] {
  const dense = (channels: number, outChannels: number, zeroPoint: number, weightBytes: 1 | 2, type: ElementType) => ({
    ...window(1, 1, channels, { outChannels }),
    ...{ outChannels, groups: 1, zeroPoint, weightBytes, ...RANGE[type] },
  });
  const ties = [-6, -2, 2, 6].map((weight) => ({ weights: [weight], shift: 2 }));
  const image = u8(...ramp(18, 7, 13));
  const convolution = {
    ...window(3, 3, 2, { outHeight: 3, outWidth: 3, kernelHeight: 3, kernelWidth: 3, padTop: 1, padLeft: 1 }),
    ...{ outChannels: 2, weightBytes: 1, ...RANGE.i32 },
  };
  const kernel = (count: number, seed: number): number[] => ramp(count, seed, 37).map((v) => (v % 255) - 127);
  return [
    vector('linear', 'the largest products of both signs', 'i32', 2, [u8(...fill(248, 255))], dense(248, 2, 0, 1, 'i32'), linearRows([{ weights: fill(248, 127) }, { weights: fill(248, -127) }], 1)),
    vector('linear', 'saturation at both ends of u8', 'u8', 3, [u8(255, 255)], dense(2, 3, 0, 1, 'u8'), linearRows([{ weights: [127, 127] }, { weights: [-127, -127] }, { weights: [1, 0] }], 1)),
    vector('linear', 'halves round up: (±6, ±2) / 4', 'i16', 4, [u8(1)], dense(1, 4, 0, 1, 'i16'), linearRows(ties, 1)),
    vector('linear', 'zero point 255, 31 values across a block', 'i32', 2, [u8(...ramp(31, 0, 8))], dense(31, 2, 255, 1, 'i32'), linearRows([{ weights: kernel(31, 5), bias: -9 }, { weights: fill(31, -127), bias: 2147000 }], 1)),
    vector('linear', 'shift 30 and the widest bias', 'i32', 2, [u8(0)], dense(1, 2, 0, 1, 'i32'), linearRows([{ weights: [0], bias: 1610612735, shift: 30 }, { weights: [0], bias: -1610612735, shift: 30 }], 1)),
    vector('linear', 'i16 with two-byte weights, extremes', 'i32', 2, [i16(-32768, 32767, -1, 0)], dense(4, 2, -1, 2, 'i32'), linearRows([{ weights: [32767, -32767, 1, 0], bias: 5 }, { weights: [-32767, 1, 32767, 0], shift: 7 }], 2)),
    vector('linear', 'i16 with one-byte weights', 'i16', 1, [i16(-32768, 32767, 300)], dense(3, 1, 32767, 1, 'i16'), linearRows([{ weights: [-100, 127, 3], shift: 8 }], 1)),
    vector('linear', 'u8 with two-byte weights', 'i32', 1, [u8(...ramp(20, 3, 12))], dense(20, 1, 128, 2, 'i32'), linearRows([{ weights: ramp(20, -32767, 3000) }], 2)),
    vector('linear', 'padding on all sides', 'i32', 18, [image], { ...convolution, groups: 1, zeroPoint: 9 } as Attributes<'linear'>, linearRows([{ weights: kernel(18, 1), bias: 100 }, { weights: kernel(18, 90), bias: -100 }], 1)),
    vector('linear', 'two groups', 'i32', 18, [image], { ...convolution, groups: 2, zeroPoint: 0 } as Attributes<'linear'>, linearRows([{ weights: kernel(9, 1) }, { weights: kernel(9, 90) }], 1)),
    vector('linear', 'stride 2, dilation 2, whole windows in the padding', 'i32', 8, [image], {
      ...window(3, 3, 2, { outHeight: 2, outWidth: 4, kernelHeight: 2, kernelWidth: 2, strideWidth: 2, dilationHeight: 2, dilationWidth: 2, padLeft: 2 }),
      ...{ outChannels: 1, groups: 1, zeroPoint: 3, weightBytes: 1, ...RANGE.i32 },
    }, linearRows([{ weights: kernel(8, 17), bias: 4 }], 1)),
  ];
}

export function matmul(): Vector[] {
  const plain = { batch: 1, rows: 1, columns: 1, zeroPointA: 0, zeroPointB: 0, shift: 0, bias: 0, shareB: 0, ...RANGE.i32 };
  return [
    vector('matmul', 'the largest products of bytes', 'i32', 1, [u8(...fill(250, 255)), u8(...fill(250, 255))], { ...plain, inner: 250 }),
    vector('matmul', 'zero points 255 and 128', 'i32', 6, [u8(...ramp(62, 1, 4)), u8(...ramp(93, 250, -2))], { ...plain, rows: 2, inner: 31, columns: 3, zeroPointA: 255, zeroPointB: 128, bias: -77 }),
    vector('matmul', 'one B for two batches, halves round up', 'i32', 4, [u8(1, 3, 5, 7), u8(2, 0, 1, 1)], { ...plain, batch: 2, inner: 2, columns: 2, zeroPointA: 4, shift: 2, shareB: 1 }),
    vector('matmul', 'a B of its own for each batch', 'i32', 4, [u8(1, 3, 5, 7), u8(2, 0, 1, 1, 9, 8, 7, 255)], { ...plain, batch: 2, inner: 2, columns: 2 }),
    vector('matmul', 'i16 extremes, saturation', 'i16', 2, [i16(-32768, 32767), i16(32767)], { ...plain, rows: 2, inner: 1, ...RANGE.i16, bias: 1000 }),
    vector('matmul', 'i16 against u8, bias and shift', 'i32', 1, [i16(-32768, 32767, 5), u8(255, 0, 17)], { ...plain, inner: 3, zeroPointB: 200, bias: 99, shift: 3 }),
    vector('matmul', 'u8 against i16', 'u8', 1, [u8(255, 0, 17), i16(-300, 300, 5)], { ...plain, inner: 3, zeroPointA: 16, shift: 9, ...RANGE.u8 }),
  ];
}
