import { roundHalfEven } from '../evaluate/functions.ts';
import { dequantize, scaleIndex } from '../evaluate/quantized.ts';
import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, integerRange, type Tensor, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine, mapped, multiplied, unary, weightedSum } from './elementwise.ts';
import { lowerConv, lowerGemm, multiplyMatrices } from './linear.ts';
import { isConstant, type Value, type View } from './view.ts';

/**
 * Models that are already quantized. Inside the network every value is its real (dequantized) self: a QuantizeLinear only
 * says which values the file's own scale can hold: it becomes a clip to them, and the program takes that scale over.
 */
function clipTo(context: Lowering, node: GraphNode, value: Value, scale: Tensor, zero: Tensor | undefined): Value {
  const range = integerRange(zero?.type ?? 'uint8') ?? refuseNode(node, `quantization to ${zero?.type} is not supported`);
  if (scale.data.length !== 1) refuseNode(node, 'activations quantized per channel are not supported');
  const at = (q: number): number => (q - (zero?.data[0] ?? 0)) * scale.data[0]!;
  context.quantizedBy.set(node.outputs[0]!, { scale: scale.data[0]!, zero: zero?.data[0] ?? 0 });
  const clipped = affine(context, context.asView(value), 1, 0, { low: at(range[0]), high: at(range[1]) });
  if (range[1] - range[0] === 255) context.hold(context.asView(clipped), { scale: scale.data[0]!, zero: (zero?.data[0] ?? 0) - range[0] });
  return clipped;
}

/** Scale and zero point of every element of a tensor that has several of them. */
function perElement(node: GraphNode, dims: readonly number[], scale: Tensor, zero: Tensor | undefined): { scales: Tensor; zeros: Tensor } {
  const x = tensor('float32', dims, new Float32Array(elementCount(dims)));
  const at = scaleIndex(node, x, scale, 1);
  const spread = (values: ArrayLike<number> | undefined): Tensor =>
    tensor(
      'float64',
      dims,
      Array.from(x.data, (_, i) => values?.[at(i)] ?? 0),
    );
  return { scales: spread(scale.data), zeros: spread(zero?.data) };
}

/** Quantization with several scales: the integers themselves are kept, since no one scale describes the tensor. */
function quantizedPerChannel(context: Lowering, node: GraphNode, scale: Tensor, zero: Tensor | undefined): void {
  const x = context.view(node, 0);
  const range = integerRange(zero?.type ?? 'uint8') ?? refuseNode(node, `quantization to ${zero?.type} is not supported`);
  const { scales, zeros } = perElement(node, x.dims, scale, zero);
  const steps = affine(
    context,
    x,
    mapped(scales, (s) => 1 / s),
    zeros,
    { low: range[0], high: range[1] },
  );
  context.set(node, 0, unary(context, context.asView(steps), 'Round', roundHalfEven));
  context.rawIntegers.add(node.outputs[0]!);
}

/** Integers that enter from outside, as the reals they stand for. */
function scaled(context: Lowering, node: GraphNode, view: View, position: number): Value {
  const scale = context.constant(node, position + 1);
  const zero = context.optionalConstant(node, position + 2);
  if (scale.data.length !== 1) {
    const { scales, zeros } = perElement(node, view.dims, scale, zero);
    const shift = tensor(
      'float64',
      view.dims,
      Array.from(scales.data, (s, i) => -s * zeros.data[i]!),
    );
    return affine(context, view, scales, shift);
  }
  return affine(context, view, scale.data[0]!, -(zero?.data[0] ?? 0) * scale.data[0]!);
}

/** A quantized operand as real values: constants are dequantized, varying ones already are real. */
function real(context: Lowering, node: GraphNode, position: number, axis: number): Value {
  const value = context.input(node, position);
  if (!isConstant(value)) return context.rawIntegers.has(node.inputs[position]!) ? scaled(context, node, value.view, position) : value;
  return {
    constant: dequantize(node, value.constant, context.constant(node, position + 1), context.optionalConstant(node, position + 2), axis),
  };
}

function constantReal(context: Lowering, node: GraphNode, position: number, axis: number): Tensor {
  const value = real(context, node, position, axis);
  return isConstant(value) ? value.constant : refuseNode(node, `input ${position} must be a constant`);
}

function qLinearConv(context: Lowering, node: GraphNode): void {
  const weights = constantReal(context, node, 3, 0);
  const xScale = context.constant(node, 1).data[0]!;
  const wScale = context.constant(node, 4).data;
  const bias = context.optionalConstant(node, 8);
  const realBias =
    bias &&
    tensor(
      'float64',
      bias.dims,
      Array.from(bias.data, (b, o) => b * xScale * (wScale[o] ?? wScale[0]!)),
    );
  const name = `${node.inputs[0]}/real`;
  context.values.set(name, real(context, node, 0, 0));
  lowerConv(context, { ...node, inputs: [name] }, weights, realBias, 0);
  context.set(
    node,
    0,
    clipTo(context, node, context.values.get(node.outputs[0]!)!, context.constant(node, 6), context.optionalConstant(node, 7)),
  );
}

function qLinearMatMul(context: Lowering, node: GraphNode): void {
  const b = context.input(node, 3);
  const rank = isConstant(b) ? b.constant.dims.length : b.view.dims.length;
  const product = multiplyMatrices(context, node, real(context, node, 0, 0), real(context, node, 3, rank - 1));
  context.set(node, 0, clipTo(context, node, product, context.constant(node, 6), context.optionalConstant(node, 7)));
}

function qLinearBinary(multiply: boolean): (context: Lowering, node: GraphNode) => void {
  return (context, node) => {
    const [a, b] = [real(context, node, 0, 0), real(context, node, 3, 0)];
    const [left, right] = [context.asView(a), context.asView(b)];
    let result: Value;
    if (isConstant(b)) result = multiply ? affine(context, left, b.constant, 0) : affine(context, left, 1, b.constant);
    else if (isConstant(a)) result = multiply ? affine(context, right, a.constant, 0) : affine(context, right, 1, a.constant);
    else result = multiply ? multiplied(context, node, left, right) : weightedSum(context, node, left, right, 1, 1);
    context.set(node, 0, clipTo(context, node, result, context.constant(node, 6), context.optionalConstant(node, 7)));
  };
}

/** Integer products keep the integers' own scale of one: zero points are subtracted on the way in. */
function shifted(context: Lowering, node: GraphNode, position: number, zeroPosition: number): Value {
  const value = context.input(node, position);
  const zero = context.optionalConstant(node, zeroPosition);
  if (zero === undefined || zero.data.every((z) => z === 0)) return value;
  if (zero.data.length !== 1) refuseNode(node, 'a zero point per row is not supported');
  if (!isConstant(value)) return affine(context, value.view, 1, -zero.data[0]!);
  return { constant: { ...value.constant, type: 'float64', data: Float64Array.from(value.constant.data, (v) => v - zero.data[0]!) } };
}

function matMulInteger(context: Lowering, node: GraphNode): void {
  context.set(node, 0, multiplyMatrices(context, node, shifted(context, node, 0, 2), shifted(context, node, 1, 3)));
}

function convInteger(context: Lowering, node: GraphNode): void {
  const x = shifted(context, node, 0, 2);
  const w = shifted(context, node, 1, 3);
  if (!isConstant(w)) refuseNode(node, 'the weights must be constant');
  const name = `${node.inputs[0]}/shifted`;
  context.values.set(name, x);
  lowerConv(context, { ...node, inputs: [name] }, w.constant, undefined, 0);
}

/** Real values pass through; a varying integer input is scaled. */
function dequantizeLinear(context: Lowering, node: GraphNode): void {
  const x = context.input(node, 0);
  const name = node.inputs[0]!;
  if (isConstant(x)) {
    context.set(node, 0, { constant: dequantize(node, x.constant, context.constant(node, 1), context.optionalConstant(node, 2)) });
    return;
  }
  if (!context.rawIntegers.has(name)) {
    context.set(node, 0, x);
    return;
  }
  context.set(node, 0, scaled(context, node, x.view, 0));
}

/**
 * Scales chosen at run time say nothing that the program needs: the tensor stays the real value with scale 1 and zero
 * point 0, and the integer product that follows works on reals.
 */
function dynamicQuantize(context: Lowering, node: GraphNode): void {
  if (node.outputs.some((name) => context.answers.has(name))) refuseNode(node, 'scales chosen at run time cannot be outputs of the model');
  context.set(node, 0, { view: context.view(node, 0) });
  context.set(node, 1, { constant: tensor('float32', [], [1]) });
  context.set(node, 2, { constant: tensor('uint8', [], [0]) });
}

function qGemm(context: Lowering, node: GraphNode): void {
  const aScale = context.constant(node, 1).data[0]!;
  const bScale = context.constant(node, 4).data;
  const b = constantReal(context, node, 3, intAttribute(node, 'transB', 0) === 1 ? 0 : 1);
  const bias = context.optionalConstant(node, 6);
  const names = ['a', 'b', 'c'].map((part) => `${node.name}/${part}`);
  context.values.set(names[0]!, real(context, node, 0, 0));
  context.values.set(names[1]!, { constant: b });
  if (bias !== undefined) {
    const scaledBias = Array.from(bias.data, (v, o) => v * aScale * (bScale[o] ?? bScale[0]!));
    context.values.set(names[2]!, { constant: tensor('float64', bias.dims, scaledBias) });
  }
  lowerGemm(context, { ...node, inputs: bias === undefined ? names.slice(0, 2) : names });
  const result = context.values.get(node.outputs[0]!)!;
  if (node.inputs[7]) context.set(node, 0, clipTo(context, node, result, context.constant(node, 7), context.optionalConstant(node, 8)));
}

export const QUANTIZED_LOWERINGS: Readonly<Record<string, (context: Lowering, node: GraphNode) => void>> = {
  QuantizeLinear: (context, node) => {
    const [scale, zero] = [context.constant(node, 1), context.optionalConstant(node, 2)];
    if (scale.data.length !== 1) quantizedPerChannel(context, node, scale, zero);
    else context.set(node, 0, clipTo(context, node, { view: context.view(node, 0) }, scale, zero));
  },
  DequantizeLinear: dequantizeLinear,
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  QLinearAdd: qLinearBinary(false),
  QLinearMul: qLinearBinary(true),
  MatMulInteger: matMulInteger,
  ConvInteger: convInteger,
  DynamicQuantizeLinear: dynamicQuantize,
  QGemm: qGemm,
};
