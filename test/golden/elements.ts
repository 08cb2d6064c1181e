import { encodeRescaleRows, type RescaleRow } from '../../core/ops/rescale.ts';
import { i16, i32, RANGE, ramp, u8, type Vector, vector, window } from './build.ts';

const LOW = -2147483648;
const HIGH = 2147483647;

export function rescale(): Vector[] {
  const plain = { channels: 1, channelInner: 1, shift: 0, zeroPointA: 0, zeroPointB: 0, innerB: 1 };
  const rows = (...list: [number, number, number][]): Uint8Array =>
    encodeRescaleRows(list.map(([multiplierA, multiplierB, bias]): RescaleRow => ({ multiplierA, multiplierB, bias })));
  return [
    vector('rescale', 'halves round up: values / 4', 'i32', 8, [i32(-6, -5, -3, -2, -1, 2, 5, 6)], { ...plain, shift: 2, ...RANGE.i32 }, rows([1, 0, 0])),
    vector('rescale', 'the widest sum, shift 47', 'i32', 2, [i16(-32768, 32767)], { ...plain, shift: 47, ...RANGE.i32 }, rows([HIGH, 0, 4362858625892351])),
    vector('rescale', 'i32 extremes against a bias of the other sign', 'i32', 3, [i32(LOW, HIGH, 0)], { ...plain, ...RANGE.i32 }, rows([-1000, 0, -2000000000000])),
    vector('rescale', 'channels, B repeated, saturation', 'u8', 12, [u8(...ramp(12, 0, 23)), i16(-500, 900)], { ...plain, channels: 3, channelInner: 2, zeroPointA: 128, zeroPointB: -100, innerB: 3, shift: 1, ...RANGE.u8 }, rows([1, 1, 0], [-3, 2, 77], [100, -100, -5])),
    vector('rescale', 'a clamp of one value', 'i16', 2, [u8(0, 255)], { ...plain, low: -7, high: -7 }, rows([5, 0, 0])),
  ];
}

export function multiply(): Vector[] {
  const plain = { multiplier: 1, shift: 0, zeroPointA: 0, zeroPointB: 0, innerB: 1, bias: 0 };
  return [
    vector('multiply', 'i16 extremes, the widest product', 'i32', 4, [i16(-32768, -32768, 32767, 32767), i16(-32768, 32767)], { ...plain, shift: 20, multiplier: 4000000, ...RANGE.i32 }),
    vector('multiply', 'halves round up, negative multiplier', 'i32', 6, [u8(1, 2, 3, 5, 6, 7), u8(1)], { ...plain, multiplier: -1, shift: 1, ...RANGE.i32 }),
    vector('multiply', 'multiplier 0 leaves the bias', 'i16', 2, [i32(LOW, HIGH), u8(0, 255)], { ...plain, multiplier: 0, bias: LOW, ...RANGE.i16 }),
    vector('multiply', 'zero points, B repeated and started over', 'u8', 10, [u8(...ramp(10, 0, 28)), u8(3, 250, 128)], { ...plain, zeroPointA: 128, zeroPointB: 127, innerB: 2, shift: 6, bias: 5000, ...RANGE.u8 }),
  ];
}

export function divide(): Vector[] {
  const plain = { multiplier: 1, zeroPoint: 0, innerB: 1, offset: 0 };
  return [
    vector('divide', 'halves round up, also below zero', 'i32', 8, [i32(-7, -6, -5, -3, 3, 5, 6, 7), i32(2)], { ...plain, ...RANGE.i32 }),
    vector('divide', 'denominators below one count as one', 'i32', 4, [i32(-5, 5, LOW, HIGH), i32(0, -1, LOW, 1)], { ...plain, ...RANGE.i32 }),
    vector('divide', 'the largest denominator', 'i32', 4, [i32(LOW, -1, 0, HIGH), i32(HIGH)], { ...plain, multiplier: 1000000, ...RANGE.i32 }),
    vector('divide', 'odd denominators, offset and saturation', 'u8', 6, [u8(0, 1, 100, 101, 254, 255), u8(3, 7, 255)], { multiplier: -90, zeroPoint: 100, innerB: 2, offset: 128, ...RANGE.u8 }),
  ];
}

export function isqrt(): Vector[] {
  return [
    vector('isqrt', 'around squares', 'i32', 10, [i32(0, 1, 2, 3, 4, 99, 100, 46340 * 46340 - 1, 46340 * 46340, HIGH)], { shift: 0 }),
    vector('isqrt', 'the largest shift', 'i32', 5, [i32(LOW, -1, 0, 1, HIGH)], { shift: 20 }),
    vector('isqrt', 'saturation of u8', 'u8', 4, [i16(65, 16256, 16257, 32767)], { shift: 2 }),
  ];
}

export function select(): Vector[] {
  const sides = [i16(-1, -2, -3, -4), i16(1, 2, 3, 4)];
  return [
    vector('select', 'around the threshold', 'i16', 4, [u8(0, 99, 100, 255), ...sides], { threshold: 99 }),
    vector('select', 'the lowest threshold', 'i16', 4, [i32(LOW, LOW + 1, 0, HIGH), ...sides], { threshold: LOW }),
    vector('select', 'the highest threshold', 'i16', 4, [i32(LOW, LOW + 1, 0, HIGH), ...sides], { threshold: HIGH }),
  ];
}

export function max(): Vector[] {
  const image = ramp(24, 5, 97).map((v) => v % 256);
  const pool = { outHeight: 3, outWidth: 2, kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2, padTop: 1, padLeft: 1 };
  return [
    vector('max', 'padding is skipped', 'u8', 12, [u8(...image)], { ...window(4, 3, 2, pool), minimum: 0 }),
    vector('max', 'the smallest tap', 'u8', 12, [u8(...image)], { ...window(4, 3, 2, pool), minimum: 1 }),
    vector('max', 'a window without taps', 'i16', 5, [i16(-5, 7)], { ...window(1, 2, 1, { outWidth: 5, strideWidth: 3 }), minimum: 0 }),
    vector('max', 'the smallest tap of a window without taps', 'i32', 3, [i32(LOW, HIGH)], { ...window(1, 2, 1, { outWidth: 3, strideWidth: 2 }), minimum: 1 }),
    vector('max', 'dilation', 'i32', 4, [i32(LOW, 3, -4, HIGH, 0, 9)], { ...window(1, 6, 1, { outWidth: 4, kernelWidth: 3, dilationWidth: 3, padLeft: 3 }), minimum: 0 }),
  ];
}

export function sum(): Vector[] {
  const plain = { zeroPoint: 0, multiplier: 1, shift: 0, bias: 0 };
  const pool = { outHeight: 2, outWidth: 3, kernelHeight: 3, kernelWidth: 2, padTop: 1, padLeft: 1 };
  return [
    vector('sum', 'padding adds nothing, not even the zero point', 'i32', 12, [u8(...ramp(18, 200, 3).map((v) => v % 256))], { ...window(3, 3, 2, pool), ...plain, zeroPoint: 200, ...RANGE.i32 }),
    vector('sum', 'the widest sum of i32', 'i32', 1, [i32(LOW, LOW, HIGH, LOW)], { ...window(1, 4, 1, { kernelWidth: 4 }), ...plain, multiplier: -500000, shift: 47, bias: 7, ...RANGE.i32 }),
    vector('sum', 'halves round up: means of two', 'i16', 5, [i16(-5, 2, -4, 1, 0, 3)], { ...window(1, 6, 1, { outWidth: 5, kernelWidth: 2 }), ...plain, shift: 1, ...RANGE.i16 }),
    vector('sum', 'multiplier 0 and saturation', 'u8', 2, [u8(255, 255)], { ...window(1, 2, 1, { outWidth: 2 }), ...plain, multiplier: 0, bias: HIGH, ...RANGE.u8 }),
  ];
}

export function arg(): Vector[] {
  const ties = u8(4, 9, 9, 9, 1, 1, 0, 0, 0, 7, 8, 8);
  return [
    vector('arg', 'the first of equals', 'u8', 3, [ties], { outer: 3, axis: 4, inner: 1, minimum: 0 }),
    vector('arg', 'the first of the smallest', 'i32', 3, [ties], { outer: 3, axis: 4, inner: 1, minimum: 1 }),
    vector('arg', 'an axis in the middle', 'u8', 4, [ties], { outer: 2, axis: 3, inner: 2, minimum: 0 }),
    vector('arg', 'extremes', 'i16', 1, [i32(LOW, HIGH, HIGH, LOW)], { outer: 1, axis: 4, inner: 1, minimum: 0 }),
    vector('arg', 'an axis of one', 'u8', 2, [i16(-1, 5)], { outer: 2, axis: 1, inner: 1, minimum: 1 }),
  ];
}
