import { resizePlan, sourceCoordinate } from '../evaluate/resize.ts';
import { intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, stridesOf, tensor } from '../tensor.ts';
import { axisLast, type Builder, type Expansion, undone } from './builder.ts';

type Kernel = (distance: number) => number;

const triangle: Kernel = (distance) => Math.max(0, 1 - Math.abs(distance));

/** Keys's cubic convolution kernel. */
function cubic(a: number): Kernel {
  return (distance) => {
    const x = Math.abs(distance);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
  };
}

interface Axis {
  readonly from: number;
  readonly to: number;
  /** Position in the source of every output position. */
  readonly at: readonly number[];
  /** Factor by which the kernel is stretched, above 1 when antialiasing. */
  readonly stretch: number;
}

/** Matrix [from, to] of one axis: rows are sources, columns results. Taps outside take the edge, or are left out. */
function weightsOf({ from, to, at, stretch }: Axis, kernel: Kernel, reach: number, leaveOut: boolean): Float64Array {
  const matrix = new Float64Array(from * to);
  at.forEach((center, column) => {
    const taps: [number, number][] = [];
    let total = 0;
    for (let i = Math.floor(center - reach * stretch); i <= Math.ceil(center + reach * stretch); i++) {
      if (leaveOut && (i < 0 || i >= from)) continue;
      const weight = kernel((i - center) / stretch);
      total += weight;
      taps.push([Math.min(from - 1, Math.max(0, i)), weight]);
    }
    for (const [i, weight] of taps) matrix[i * to + column]! += weight / total;
  });
  return matrix;
}

/** Interpolation is linear and works axis by axis: a product with one constant matrix for every axis that changes. */
function interpolate(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const rank = x.dims.length;
  const inputs = node.inputs.map((name, i) => (i === 0 || name === '' ? undefined : b.value(i)));
  const legacy = node.operator === 'Upsample' || node.opset < 11;
  const mode = stringAttribute(node, 'mode', 'nearest');
  if (mode !== 'linear' && mode !== 'cubic') refuseNode(node, `interpolation mode '${mode}' is not supported`, { mode });
  const coordinate = legacy ? 'asymmetric' : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const antialias = intAttribute(node, 'antialias', 0) === 1;
  const leaveOut = intAttribute(node, 'exclude_outside', 0) === 1;
  const plans = resizePlan(node, x.dims, inputs);
  const axes = (intsAttribute(node, 'axes') ?? x.dims.map((_, axis) => axis)).map((axis) => normalizeAxis(axis, rank));
  const roi = inputs[1]?.data;
  const crops = coordinate === 'tf_crop_and_resize';
  if (crops && roi?.length !== 2 * axes.length) refuseNode(node, `the region of interest must have ${2 * axes.length} values`);
  const kernel = mode === 'linear' ? triangle : cubic(intAttribute(node, 'cubic_coeff_a', -0.75));
  const outside: (readonly boolean[])[] = [];
  let result = x.name;
  plans.forEach(({ to, scale }, axis) => {
    const from = x.dims[axis]!;
    const position = axes.indexOf(axis);
    const [start, end] = crops && position >= 0 ? [roi![position]!, roi![position + axes.length]!] : [0, 1];
    const at = Array.from({ length: to }, (_, i) => {
      if (!crops) return sourceCoordinate(coordinate, i, scale, from, to);
      return to > 1 ? start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1) : 0.5 * (start + end) * (from - 1);
    });
    outside[axis] = at.map((center) => crops && (center < 0 || center > from - 1));
    if (to === from && at.every((center, i) => center === i)) return;
    const stretch = antialias ? Math.max(1, 1 / scale) : 1;
    const matrix = weightsOf({ from, to, at, stretch }, kernel, mode === 'linear' ? 1 : 2, leaveOut);
    const perm = axisLast(rank, axis);
    const product = b.op('MatMul', [b.transpose(result, perm), b.tensor(tensor('float32', [from, to], matrix))]);
    result = b.transpose(product, undone(perm));
  });
  if (outside.some((flags) => flags.includes(true))) {
    const dims = plans.map(({ to }) => to);
    const strides = stridesOf(dims);
    const flags = Array.from({ length: elementCount(dims) }, (_, e) =>
      dims.some((size, axis) => outside[axis]![Math.floor(e / strides[axis]!) % size]) ? 1 : 0,
    );
    const value = b.scalar(intAttribute(node, 'extrapolation_value', 0));
    result = b.op('Where', [b.tensor(tensor('bool', dims, flags)), value, result]);
  }
  return [result === x.name ? b.op('Identity', [result]) : result];
}

const smooth: Expansion = {
  expand: interpolate,
  when: (node) => stringAttribute(node, 'mode', 'nearest') !== 'nearest',
  replaces: true,
};

export const INTERPOLATION: Readonly<Record<string, Expansion>> = { Resize: smooth, Upsample: smooth };
