import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, integerRange, normalizeAxis, type Tensor, tensor } from '../tensor.ts';
import { roundHalfEven } from './functions.ts';
import { convolve, matrixProduct, swapped } from './linear.ts';
import { type Evaluate, input, type OperatorTable } from './operator.ts';

/** Index of the scale that applies to element `i`: per tensor, per position of an axis, or per block along an axis. */
export function scaleIndex(node: GraphNode, x: Tensor, scale: Tensor, fallbackAxis: number): (i: number) => number {
  if (scale.data.length === 1) return () => 0;
  const axis = normalizeAxis(intAttribute(node, 'axis', fallbackAxis), x.dims.length);
  const inner = elementCount(x.dims.slice(axis + 1));
  const size = x.dims[axis]!;
  if (scale.dims.length > 1) {
    const block = intAttribute(node, 'block_size', 0);
    const blocks = scale.dims[axis]!;
    const fits = scale.dims.length === x.dims.length && scale.dims.every((dim, at) => at === axis || dim === x.dims[at]);
    if (!(block > 0) || !fits || blocks !== Math.ceil(size / block))
      refuseNode(node, `scales of shape ${scale.dims.join('x')} do not fit blocks of ${block} in ${x.dims.join('x')}`);
    return (i) => (Math.floor(i / (inner * size)) * blocks + Math.floor((Math.floor(i / inner) % size) / block)) * inner + (i % inner);
  }
  if (size !== scale.data.length) refuseNode(node, `${scale.data.length} scales for a dimension of ${size}`);
  return (i) => Math.floor(i / inner) % scale.data.length;
}

export function dequantize(node: GraphNode, x: Tensor, scale: Tensor, zero: Tensor | undefined, axis = 1): Tensor {
  const at = scaleIndex(node, x, scale, axis);
  const data = allocate(scale.type, x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (x.data[i]! - (zero?.data[at(i)] ?? 0)) * scale.data[at(i)]!;
  return { type: scale.type, dims: x.dims, data };
}

export function quantize(node: GraphNode, x: Tensor, scale: Tensor, zero: Tensor | undefined): Tensor {
  const type = zero?.type ?? 'uint8';
  const range = integerRange(type);
  if (range === undefined) refuseNode(node, `quantization to ${type} is not supported`);
  const at = scaleIndex(node, x, scale, 1);
  const data = allocate(type, x.data.length);
  for (let i = 0; i < data.length; i++) {
    const q = roundHalfEven(x.data[i]! / scale.data[at(i)]!) + (zero?.data[at(i)] ?? 0);
    data[i] = Math.min(range[1], Math.max(range[0], q));
  }
  return { type, dims: x.dims, data };
}

const qLinearConv: Evaluate = (node, inputs) => {
  const [x, xs, xz, w, ws, wz, ys, yz] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => input(node, inputs, i)) as Tensor[];
  const bias = inputs[8];
  const real = bias && {
    ...bias,
    type: 'float32' as const,
    data: Float32Array.from(bias.data, (b, o) => b * xs!.data[0]! * (ws!.data[o] ?? ws!.data[0]!)),
  };
  return [quantize(node, convolve(node, dequantize(node, x!, xs!, xz), dequantize(node, w!, ws!, wz, 0), real), ys!, yz)];
};

const qLinearMatMul: Evaluate = (node, inputs) => {
  const [a, as, az, b, bs, bz, ys, yz] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => input(node, inputs, i)) as Tensor[];
  const rank = b!.dims.length;
  return [quantize(node, matrixProduct(node, dequantize(node, a!, as!, az, -2), dequantize(node, b!, bs!, bz, rank - 1)), ys!, yz)];
};

const one = tensor('float32', [], [1]);

const matMulInteger: Evaluate = (node, inputs) => {
  const a = dequantize(node, input(node, inputs, 0), one, inputs[2]);
  const b = dequantize(node, input(node, inputs, 1), one, inputs[3]);
  return [{ ...matrixProduct(node, a, b), type: 'int32' }];
};

const convInteger: Evaluate = (node, inputs) => {
  const x = dequantize(node, input(node, inputs, 0), one, inputs[2]);
  const w = dequantize(node, input(node, inputs, 1), one, inputs[3]);
  return [{ ...convolve(node, x, w, undefined), type: 'int32' }];
};

const dynamicQuantize: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const low = Math.min(0, ...x.data);
  const high = Math.max(0, ...x.data);
  const scale = tensor('float32', [], [(high - low) / 255]);
  const zero = tensor('uint8', [], [Math.min(255, Math.max(0, roundHalfEven(-low / scale.data[0]!)))]);
  return [quantize(node, x, scale, zero), scale, zero];
};

/** Element-wise quantized operators of com.microsoft: dequantize, compute, quantize. */
function qLinearBinary(f: (a: number, b: number) => number): Evaluate {
  return (node, inputs) => {
    const [a, as, az, b, bs, bz, cs, cz] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => inputs[i]) as Tensor[];
    const left = dequantize(node, a!, as!, az);
    const right = dequantize(node, b!, bs!, bz);
    if (left.data.length < right.data.length) refuseNode(node, 'the first operand must not be broadcast');
    const data = left.data.map((v, i) => f(v, right.data[i % right.data.length]!));
    return [quantize(node, { ...left, data }, cs!, cz)];
  };
}

const qGemm: Evaluate = (node, inputs) => {
  const [a, as, az, b, bs, bz] = [0, 1, 2, 3, 4, 5].map((i) => input(node, inputs, i)) as Tensor[];
  const flip = (t: Tensor, name: string): Tensor => (intAttribute(node, name, 0) === 1 ? swapped(t) : t);
  const right = dequantize(node, b!, bs!, bz, intAttribute(node, 'transB', 0) === 1 ? 0 : 1);
  const product = matrixProduct(node, flip(dequantize(node, a!, as!, az), 'transA'), flip(right, 'transB'));
  const bias = inputs[6];
  const width = product.dims[product.dims.length - 1]!;
  const alpha = intAttribute(node, 'alpha', 1);
  const data = product.data.map((v, i) => {
    const o = i % width;
    return alpha * v + (bias === undefined ? 0 : bias.data[o % bias.data.length]! * as!.data[0]! * (bs!.data[o] ?? bs!.data[0]!));
  });
  const result = { ...product, data };
  return [inputs[7] === undefined ? result : quantize(node, result, inputs[7], inputs[8])];
};

export const QUANTIZED: OperatorTable = {
  QuantizeLinear: (node, inputs) => [quantize(node, input(node, inputs, 0), input(node, inputs, 1), inputs[2])],
  DequantizeLinear: (node, inputs) => [dequantize(node, input(node, inputs, 0), input(node, inputs, 1), inputs[2])],
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  QLinearAdd: qLinearBinary((a, b) => a + b),
  QLinearMul: qLinearBinary((a, b) => a * b),
  MatMulInteger: matMulInteger,
  ConvInteger: convInteger,
  QGemm: qGemm,
  DynamicQuantizeLinear: dynamicQuantize,
};
