import { type GraphNode, intAttribute, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, isBounded, isFloat, type Tensor } from '../tensor.ts';
import { broadcastDims, broadcastIndex } from './broadcast.ts';
import { applyBinary } from './elementwise.ts';
import { transposed } from './movement.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';
import { productTransposed } from './product.ts';
import { transposeGroups, type Window, windowOf, windowOutput } from './window.ts';

/** Patches of one group as rows: [outHeight·outWidth, channelsPerGroup·kernel], zero outside the image. Layout N C H W. */
function patches(x: Tensor, w: Window, batch: number, firstChannel: number, count: number): Float32Array {
  const kernel = w.kernelHeight * w.kernelWidth;
  const columns = new Float32Array(w.outHeight * w.outWidth * count * kernel);
  let to = 0;
  for (let oy = 0; oy < w.outHeight; oy++)
    for (let ox = 0; ox < w.outWidth; ox++)
      for (let c = 0; c < count; c++) {
        const plane = (batch * w.channels + firstChannel + c) * w.height * w.width;
        for (let ky = 0; ky < w.kernelHeight; ky++) {
          const y = oy * w.strideHeight - w.padTop + ky * w.dilationHeight;
          const inside = y >= 0 && y < w.height;
          for (let kx = 0; kx < w.kernelWidth; kx++, to++) {
            const column = ox * w.strideWidth - w.padLeft + kx * w.dilationWidth;
            if (inside && column >= 0 && column < w.width) columns[to] = x.data[plane + y * w.width + column]!;
          }
        }
      }
  return columns;
}

export function convolve(node: GraphNode, x: Tensor, weights: Tensor, bias: Tensor | undefined): Tensor {
  const groups = intAttribute(node, 'group', 1);
  const w = windowOf(node, x.dims, weights.dims.slice(2));
  const outChannels = weights.dims[0]!;
  const perGroup = w.channels / groups;
  if (weights.dims[1] !== perGroup || outChannels % groups !== 0) {
    refuseNode(node, `weights ${weights.dims.join('x')} do not fit ${w.channels} channels in ${groups} groups`);
  }
  const outPerGroup = outChannels / groups;
  const pixels = w.outHeight * w.outWidth;
  const fan = perGroup * w.kernelHeight * w.kernelWidth;
  const data = allocate(x.type, w.batch * outChannels * pixels);
  for (let n = 0; n < w.batch; n++)
    for (let g = 0; g < groups; g++) {
      const columns = patches(x, w, n, g * perGroup, perGroup);
      productTransposed(
        weights.data,
        columns,
        data,
        outPerGroup,
        pixels,
        fan,
        g * outPerGroup * fan,
        0,
        (n * outChannels + g * outPerGroup) * pixels,
      );
    }
  if (bias !== undefined) for (let i = 0; i < data.length; i++) data[i]! += bias.data[Math.floor(i / pixels) % outChannels]!;
  return { type: x.type, dims: windowOutput(w, outChannels), data };
}

const conv: Evaluate = (node, inputs) => [convolve(node, input(node, inputs, 0), input(node, inputs, 1), inputs[2])];

/** Output size, stride, dilation and leading padding of a ConvTranspose along both axes. */
export interface TransposePlan {
  readonly out: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly before: readonly [number, number];
}

export function transposePlan(node: GraphNode, dims: readonly number[], kernelDims: readonly number[]): TransposePlan {
  const rank = dims.length - 2;
  if (rank !== 1 && rank !== 2) refuseNode(node, `${rank} spatial dimensions are not supported`);
  const spread = (values: readonly number[] | undefined, fallback: number): [number, number] =>
    rank === 1 ? [fallback, values?.[0] ?? fallback] : [values?.[0] ?? fallback, values?.[1] ?? fallback];
  const size = spread(dims.slice(2), 1);
  const kernel = spread(kernelDims, 1);
  const stride = spread(intsAttribute(node, 'strides'), 1);
  const dilation = spread(intsAttribute(node, 'dilations'), 1);
  const extra = spread(intsAttribute(node, 'output_padding'), 0);
  const pads = intsAttribute(node, 'pads') ?? [];
  const before = spread(pads.slice(0, rank), 0);
  const after = spread(pads.slice(rank), 0);
  const wanted = intsAttribute(node, 'output_shape')?.slice(-rank);
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const out: [number, number] = [1, 1];
  for (const axis of [0, 1] as const) {
    const full = stride[axis] * (size[axis] - 1) + extra[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
    const target = wanted !== undefined ? spread(wanted, 1)[axis] : auto.startsWith('SAME') ? size[axis] * stride[axis] : undefined;
    if (target !== undefined && !(rank === 1 && axis === 0)) {
      const total = Math.max(0, full - target);
      before[axis] = auto === 'SAME_UPPER' ? Math.floor(total / 2) : total - Math.floor(total / 2);
      out[axis] = target;
    } else out[axis] = full - before[axis] - after[axis];
  }
  if (!isBounded([dims[0]!, ...out])) refuseNode(node, `the result would be ${out.join('x')}`);
  return { out, stride, dilation, kernel, before };
}

const convTranspose: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const weights = input(node, inputs, 1);
  const bias = inputs[2];
  const plan = transposePlan(node, x.dims, weights.dims.slice(2));
  const channels = x.dims[1]!;
  const groups = transposeGroups(node, channels, weights.dims);
  const perGroup = channels / groups;
  const outPerGroup = weights.dims[1]!;
  const [height, width] = x.dims.length === 3 ? [1, x.dims[2]!] : [x.dims[2]!, x.dims[3]!];
  const [outHeight, outWidth] = plan.out;
  const [kernelHeight, kernelWidth] = plan.kernel;
  const data = allocate(x.type, x.dims[0]! * groups * outPerGroup * outHeight * outWidth);
  for (let n = 0; n < x.dims[0]!; n++)
    for (let c = 0; c < channels; c++)
      for (let o = 0; o < outPerGroup; o++) {
        const plane = (n * groups * outPerGroup + Math.floor(c / perGroup) * outPerGroup + o) * outHeight * outWidth;
        for (let iy = 0; iy < height; iy++)
          for (let ix = 0; ix < width; ix++) {
            const value = x.data[((n * channels + c) * height + iy) * width + ix]!;
            for (let ky = 0; ky < kernelHeight; ky++) {
              const y = iy * plan.stride[0] + ky * plan.dilation[0] - plan.before[0];
              if (y < 0 || y >= outHeight) continue;
              for (let kx = 0; kx < kernelWidth; kx++) {
                const column = ix * plan.stride[1] + kx * plan.dilation[1] - plan.before[1];
                if (column < 0 || column >= outWidth) continue;
                data[plane + y * outWidth + column]! +=
                  value * weights.data[((c * outPerGroup + o) * kernelHeight + ky) * kernelWidth + kx]!;
              }
            }
          }
      }
  const pixels = outHeight * outWidth;
  if (bias !== undefined) for (let i = 0; i < data.length; i++) data[i]! += bias.data[Math.floor(i / pixels) % (groups * outPerGroup)]!;
  const spatial = x.dims.length === 3 ? [outWidth] : [outHeight, outWidth];
  return [{ type: x.type, dims: [x.dims[0]!, groups * outPerGroup, ...spatial], data }];
};

/** The last two axes exchanged. */
export function swapped(x: Tensor): Tensor {
  const rank = x.dims.length;
  return transposed(
    x,
    [...x.dims.keys()].map((axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis)),
  );
}

export function matrixProduct(node: GraphNode, left: Tensor, right: Tensor): Tensor {
  const a: Tensor = left.dims.length === 1 ? { ...left, dims: [1, left.dims[0]!] } : left;
  const b: Tensor = right.dims.length === 1 ? { ...right, dims: [right.dims[0]!, 1] } : right;
  const [m, k] = a.dims.slice(-2) as [number, number];
  const [inner, n] = b.dims.slice(-2) as [number, number];
  const batch = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2));
  if (k !== inner || batch === undefined)
    refuseNode(node, `shapes ${left.dims.join('x')} and ${right.dims.join('x')} cannot be multiplied`);
  const bt = swapped(b);
  const count = elementCount(batch);
  const data = allocate(left.type, count * m * n);
  const fromA = broadcastIndex(a.dims.slice(0, -2), batch);
  const fromB = broadcastIndex(b.dims.slice(0, -2), batch);
  for (let i = 0; i < count; i++) {
    productTransposed(a.data, bt.data, data, m, n, k, (fromA ? fromA[i]! : i) * m * k, (fromB ? fromB[i]! : i) * n * k, i * m * n);
  }
  const dims = [...batch, ...(left.dims.length === 1 ? [] : [m]), ...(right.dims.length === 1 ? [] : [n])];
  return { type: left.type, dims, data };
}

const matMul: Evaluate = (node, inputs) => {
  const a = input(node, inputs, 0);
  const b = input(node, inputs, 1);
  if (!isFloat(a.type) && a.type !== 'int32' && a.type !== 'int64' && a.type !== 'uint32' && a.type !== 'uint64') {
    refuseNode(
      node,
      `MatMul does not take ${a.type}`,
      { type: a.type },
      'the model is invalid ONNX; quantized products are MatMulInteger or QLinearMatMul',
    );
  }
  if (a.type !== b.type) refuseNode(node, `operands have different types, ${a.type} and ${b.type}`);
  return [matrixProduct(node, a, b)];
};

const gemm: Evaluate = (node, inputs) => {
  const a = input(node, inputs, 0);
  const b = input(node, inputs, 1);
  const alpha = intAttribute(node, 'alpha', 1);
  const beta = intAttribute(node, 'beta', 1);
  const left = intAttribute(node, 'transA', 0) === 1 ? swapped(a) : a;
  const right = intAttribute(node, 'transB', 0) === 1 ? swapped(b) : b;
  const product = matrixProduct(node, left, right);
  const c = inputs[2];
  const scaled = alpha === 1 ? product : { ...product, data: product.data.map((v) => v * alpha) };
  return [c === undefined ? scaled : applyBinary(node, scaled, c, (v, add) => v + beta * add)];
};

export const LINEAR: OperatorTable = { Conv: conv, ConvTranspose: convTranspose, MatMul: matMul, Gemm: gemm };
