import { encodeMap } from '../../core/ops/map.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import { toBytes } from '../../core/tensor.ts';
import { i16, i32, ramp, u8, type Vector, vector } from './build.ts';

const LOW = -2147483648;
const HIGH = 2147483647;

export function table(): Vector[] {
  const plain = { offset: 0, width: 1, channels: 1, channelInner: 1 };
  const wide = toBytes(i32(LOW, -1, 0, HIGH, 5, 6, 7, 8, 9, 10, 11, 12));
  return [
    vector('table', 'a function of bytes', 'u8', 4, [u8(0, 1, 254, 255)], { ...plain, entries: 256 }, u8(...ramp(256, 255, -1))),
    vector('table', 'indices outside take the nearest entry', 'i16', 5, [i32(LOW, -101, -100, -98, HIGH)], { ...plain, entries: 3, offset: -100 }, toBytes(i16(-32768, 0, 32767))),
    vector('table', 'the lowest offset', 'i16', 3, [i32(LOW, LOW + 1, HIGH)], { ...plain, entries: 2, offset: LOW }, toBytes(i16(-5, 5))),
    vector('table', 'rows of two, channels of two', 'i32', 12, [u8(0, 1, 2, 0, 1, 2)], { entries: 3, offset: 0, width: 2, channels: 2, channelInner: 2 }, wide),
  ];
}

export function map(): Vector[] {
  const indices = (...values: number[]): Uint32Array => Uint32Array.from(values);
  return [
    vector('map', 'sources and constants joined', 'i32', 7, [i32(1, LOW), i32(HIGH, 4, 5)], {}, encodeMap(indices(0, 1, 2, 4, 5, 6, 0), i32(-6, LOW))),
    vector('map', 'constants alone', 'i16', 3, [], {}, encodeMap(indices(2, 0, 1), i16(-32768, 32767, -1))),
    vector('map', 'eight sources', 'u8', 8, ramp(8).map((v) => u8(v, 255 - v)), {}, encodeMap(indices(15, 0, 13, 2, 11, 4, 9, 6), u8())),
  ];
}

export function gather(): Vector[] {
  const data = i16(...ramp(12, -30000, 5000));
  return [
    vector('gather', 'rows of two by a shared index', 'i16', 12, [data, u8(2, 0, 1)], { outer: 2, axis: 3, width: 2, count: 3, perOuter: 0, offset: 0 }),
    vector('gather', 'an index of its own for each', 'i16', 8, [data, i16(-1, 5, 0, 2)], { outer: 2, axis: 3, width: 2, count: 2, perOuter: 1, offset: 0 }),
    vector('gather', 'out of range takes the nearest', 'i16', 4, [data, i32(LOW, HIGH, 10, 8)], { outer: 1, axis: 12, width: 1, count: 4, perOuter: 0, offset: 3 }),
    vector('gather', 'the highest offset', 'u8', 3, [u8(7, 8), i32(HIGH, LOW, HIGH)], { outer: 1, axis: 2, width: 1, count: 3, perOuter: 0, offset: HIGH }),
  ];
}

export function tree(): Vector[] {
  const leaf = (at: number) => ({ feature: 0, left: at, right: at, threshold: 0 });
  const first = [{ feature: 0, left: 1, right: 2, threshold: 10 }, { feature: 1, left: 3, right: 4, threshold: -5 }, leaf(2), leaf(3), leaf(4)];
  const second = [{ feature: 2, left: 4, right: 1, threshold: LOW }, { feature: 2, left: 2, right: 3, threshold: HIGH }, leaf(2), leaf(3), leaf(4)];
  const rows = i32(10, -5, LOW, 11, 0, HIGH, 9, -4, 0);
  return [
    vector('tree', 'equal to the threshold goes left', 'u8', 6, [rows], { rows: 3, features: 3, trees: 2, nodes: 5, depth: 2 }, encodeTreeNodes([...first, ...second])),
    vector('tree', 'depth 0 stays at the root', 'u8', 6, [rows], { rows: 3, features: 3, trees: 2, nodes: 5, depth: 0 }, encodeTreeNodes([...first, ...second])),
    vector('tree', 'leaves stay where they are', 'i16', 6, [rows], { rows: 3, features: 3, trees: 2, nodes: 5, depth: 64 }, encodeTreeNodes([...first, ...second])),
  ];
}
