import { transposeGroups, windowOf } from '../evaluate/window.ts';
import { type AttributeValue, type GraphNode, intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';

/** Window attributes of some of the spatial axes, as a node of lower rank has them. */
function ofAxes(node: GraphNode, axes: readonly number[], rank: number): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  for (const name of ['kernel_shape', 'strides', 'dilations']) {
    const given = intsAttribute(node, name);
    if (given !== undefined) attributes[name] = axes.map((axis) => given[axis] ?? 1);
  }
  const pads = intsAttribute(node, 'pads');
  if (pads !== undefined) attributes.pads = [...axes.map((axis) => pads[axis] ?? 0), ...axes.map((axis) => pads[axis + rank] ?? 0)];
  for (const name of ['auto_pad', 'ceil_mode', 'count_include_pad']) {
    const given = node.attributes.get(name);
    if (given !== undefined) attributes[name] = given;
  }
  return attributes;
}

function shaped(node: GraphNode, attributes: Record<string, AttributeValue>): GraphNode {
  return { ...node, attributes: new Map(Object.entries(attributes)) };
}

function mayHaveThreeAxes(node: GraphNode): boolean {
  const lengths = [intsAttribute(node, 'kernel_shape'), intsAttribute(node, 'strides'), intsAttribute(node, 'dilations')];
  const pads = intsAttribute(node, 'pads');
  // A node that says nothing may work over any number of axes.
  if (pads === undefined && lengths.every((given) => given === undefined)) return true;
  return lengths.some((given) => given?.length === 3) || pads?.length === 6;
}

/** A pool over three axes is one over height and width followed by one over depth: the counts of averaged taps multiply. */
function pool(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  if (node.outputs.length > 1 && node.outputs[1] !== '') refuseNode(node, 'the indices output is not supported');
  const [n, c, d, h, w] = x.dims as [number, number, number, number, number];
  const [flat, deep] = [ofAxes(node, [1, 2], 3), ofAxes(node, [0], 3)];
  const plane = windowOf(shaped(node, flat), [n, c * d, h, w], undefined);
  const line = windowOf(shaped(node, deep), [n * c, 1, d], undefined);
  const area = plane.outHeight * plane.outWidth;
  const first = b.op(node.operator, [b.reshape(x.name, [n, c * d, h, w])], flat);
  const columns = b.transpose(b.reshape(first, [n * c, d, area]), [0, 2, 1]);
  const second = b.op(node.operator, [columns], deep);
  return [b.reshape(b.transpose(second, [0, 2, 1]), [n, c, line.outWidth, plane.outHeight, plane.outWidth])];
}

/** A convolution over depth too: the depth taps become channels of a flat one. */
function convolve(b: Builder): readonly string[] {
  const { node } = b;
  const [x, weights] = [b.input(0), b.input(1)];
  const [n, c, d, h, w] = x.dims as [number, number, number, number, number];
  const [o, perGroup, kernel, ...flatKernel] = weights.dims as [number, number, number, number, number];
  const flat = { ...ofAxes(node, [1, 2], 3), kernel_shape: [...flatKernel], group: intAttribute(node, 'group', 1) };
  const plane = windowOf(shaped(node, flat), [n, c * kernel, h, w], flatKernel);
  const line = windowOf(shaped(node, ofAxes(node, [0], 3)), [n, c, d], [kernel]);
  const slices: number[] = [];
  for (let out = 0; out < line.outWidth; out++)
    for (let k = 0; k < kernel; k++) slices.push(out * line.strideWidth + k * line.dilationWidth);
  const after = Math.max(0, Math.max(...slices) + 1 - d - line.padLeft);
  const pads = b.ints([0, 0, line.padLeft, 0, 0, 0, 0, after, 0, 0]);
  const padded = line.padLeft + after === 0 ? x.name : b.op('Pad', [x.name, pads]);
  const taken = b.op('Gather', [padded, b.ints(slices)], { axis: 2 });
  const apart = b.transpose(b.reshape(taken, [n, c, line.outWidth, kernel, h, w]), [0, 2, 1, 3, 4, 5]);
  const image = b.reshape(apart, [n * line.outWidth, c * kernel, h, w]);
  const kernels = b.reshape(weights.name, [o, perGroup * kernel, ...flatKernel]);
  const bias = b.optional(2);
  const made = b.op('Conv', [image, kernels, ...(bias === undefined ? [] : [bias.name])], flat);
  const dims = [n, line.outWidth, o, plane.outHeight, plane.outWidth];
  return [b.transpose(b.reshape(made, dims), [0, 2, 1, 3, 4])];
}

/** Weights [in, out/groups, kernel…] of a transposed convolution as those [out, in/groups, mirrored kernel…] of a plain one. */
function mirrored(weights: Tensor, groups: number): Tensor {
  const [c, outPerGroup, ...kernel] = weights.dims as number[];
  const perGroup = c! / groups;
  const taps = elementCount(kernel);
  const data = new Float32Array(weights.data.length);
  for (let g = 0; g < groups; g++)
    for (let o = 0; o < outPerGroup!; o++)
      for (let i = 0; i < perGroup; i++)
        for (let t = 0; t < taps; t++)
          data[((g * outPerGroup! + o) * perGroup + i) * taps + (taps - 1 - t)] =
            weights.data[((g * perGroup + i) * outPerGroup! + o) * taps + t]!;
  return { type: 'float32', dims: [groups * outPerGroup!, perGroup, ...kernel], data };
}

/** A transposed convolution over three axes: zeros between the values, then a plain convolution with mirrored weights. */
function transposed(b: Builder): readonly string[] {
  const { node } = b;
  const x = b.input(0);
  const weights = b.value(1);
  const spatial = x.dims.slice(2);
  const kernel = weights.dims.slice(2);
  const of = (name: string, fallback: number): number[] => spatial.map((_, axis) => intsAttribute(node, name)?.[axis] ?? fallback);
  const [strides, dilations, extra] = [of('strides', 1), of('dilations', 1), of('output_padding', 0)];
  if (stringAttribute(node, 'auto_pad', 'NOTSET') !== 'NOTSET' || node.attributes.has('output_shape'))
    refuseNode(node, 'automatic padding over three axes is not supported', {}, 'give the paddings');
  const pads = intsAttribute(node, 'pads') ?? [0, 0, 0, 0, 0, 0];
  const [n, c] = x.dims as [number, number];
  const spread = spatial.flatMap((size) => [size, 1]);
  const gaps = strides.flatMap((stride) => [0, stride - 1]);
  const apart = b.op('Pad', [b.reshape(x.name, [n, c, ...spread]), b.ints([...new Array(8).fill(0), 0, 0, ...gaps])]);
  // Behind the last value there is no gap, but room for the asked-for extra rows.
  const wide = b.reshape(apart, [n, c, ...spatial.map((size, axis) => size * strides[axis]!)]);
  const before = kernel.map((size, axis) => (size - 1) * dilations[axis]!);
  const full = b.op('Pad', [
    wide,
    b.ints([0, 0, ...before, 0, 0, ...before.map((room, axis) => room + Math.max(0, extra[axis]! - (strides[axis]! - 1)))]),
  ]);
  const bias = b.optional(2);
  const groups = transposeGroups(node, c, weights.dims);
  const made = b.op('Conv', [full, b.tensor(mirrored(weights, groups)), ...(bias === undefined ? [] : [bias.name])], {
    kernel_shape: [...kernel],
    dilations,
    group: groups,
  });
  const out = spatial.map(
    (size, axis) => strides[axis]! * (size - 1) + extra[axis]! + (kernel[axis]! - 1) * dilations[axis]! + 1 - pads[axis]! - pads[axis + 3]!,
  );
  const ends = out.map((size, axis) => pads[axis]! + size);
  return [b.op('Slice', [made, b.ints(pads.slice(0, 3)), b.ints(ends), b.ints([2, 3, 4])])];
}

const over = (expand: (b: Builder) => readonly string[]): Expansion => ({
  expand: (b) => (b.input(0).dims.length === 5 ? expand(b) : undefined),
  when: mayHaveThreeAxes,
  replaces: true,
});

export const VOLUME: Readonly<Record<string, Expansion>> = {
  AveragePool: over(pool),
  MaxPool: over(pool),
  Conv: over(convolve),
  ConvTranspose: over(transposed),
};
