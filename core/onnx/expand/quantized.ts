import { type AttributeValue, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { tensor } from '../tensor.ts';
import type { Builder, Expansion } from './builder.ts';

/** A quantized operand as the reals it stands for: value, scale and zero point stand one after the other. */
function real(b: Builder, position: number): string {
  const names = [b.input(position), b.input(position + 1), b.optional(position + 2)].flatMap((given) =>
    given === undefined ? [] : [given.name],
  );
  return b.op('DequantizeLinear', names);
}

function quantized(b: Builder, x: string, scale: number, zero = scale + 1): readonly string[] {
  const point = b.optional(zero);
  return [b.op('QuantizeLinear', [x, b.input(scale).name, ...(point === undefined ? [] : [point.name])])];
}

/** An operator between DequantizeLinear and QuantizeLinear; scale and zero point of the result follow the operand's. */
function between(operator: string, choose: (b: Builder) => Record<string, AttributeValue> = () => ({})): Expansion {
  return { expand: (b) => quantized(b, b.op(operator, [real(b, 0)], choose(b)), 3) };
}

/** Images may lie channels last. */
function pooled(operator: string): Expansion {
  return {
    expand: (b) => {
      const last = intAttribute(b.node, 'channels_last', 0) === 1;
      const rank = b.input(0).dims.length;
      const toFirst = [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
      const toLast = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
      const x = real(b, 0);
      const attributes = Object.fromEntries([...b.node.attributes].filter(([name]) => name !== 'channels_last'));
      const result = b.op(operator, [last ? b.transpose(x, toFirst) : x], operator === 'AveragePool' ? attributes : {});
      return quantized(b, last ? b.transpose(result, toLast) : result, 3);
    },
  };
}

function concat(b: Builder): readonly string[] {
  const parts: string[] = [];
  for (let position = 2; position < b.node.inputs.length; position += 3) parts.push(real(b, position));
  return quantized(b, b.op('Concat', parts, { axis: intAttribute(b.node, 'axis', 0) }), 0);
}

const where = (b: Builder): readonly string[] => quantized(b, b.op('Where', [b.input(0).name, real(b, 1), real(b, 4)]), 7);

function reduceMean(b: Builder): readonly string[] {
  const attributes = Object.fromEntries([...b.node.attributes].filter(([name]) => name === 'axes' || name === 'keepdims'));
  return quantized(b, b.op('ReduceMean', [real(b, 0)], attributes), 3);
}

function plus(b: Builder, x: string, bias: number): string {
  const given = b.optional(bias);
  return given === undefined ? x : b.op('Add', [x, given.name]);
}

/** Weights (q − zero)·scale with a scale and zero point for all or for every column of the last axis. */
function columns(b: Builder, weights: number, scale: number, zero: number): string {
  const given = b.input(weights);
  const shape = (name: string, dims: readonly number[]): string =>
    // Scales [matrices, columns] meet weights [matrices, rows, columns].
    given.dims.length === 3 && dims.length === 2
      ? b.reshape(name, [dims[0]!, 1, dims[1]!])
      : dims.length === 1 && given.dims.length === 3
        ? b.reshape(name, [dims[0]!, 1, 1])
        : name;
  const float = (position: number): string => shape(b.op('Cast', [b.input(position).name], { to: 1 }), b.input(position).dims);
  const whole = b.op('Cast', [given.name], { to: 1 });
  const centered = b.optional(zero) === undefined ? whole : b.op('Sub', [whole, float(zero)]);
  return b.op('Mul', [centered, float(scale)]);
}

/** The scale of the activations is chosen at run time, so the program takes the reals themselves. */
const dynamicMatMul = (b: Builder): readonly string[] => [plus(b, b.op('MatMul', [b.input(0).name, columns(b, 1, 2, 3)]), 4)];

function matMulToFloat(b: Builder): readonly string[] {
  const zero = b.optional(4);
  const x = b.op('DequantizeLinear', [b.input(0).name, b.input(2).name, ...(zero === undefined ? [] : [zero.name])]);
  return [plus(b, b.op('MatMul', [x, columns(b, 1, 3, 5)]), 6)];
}

/** Weights lie [direction, features, gates], the other way round than those of LSTM. */
function dynamicLstm(b: Builder): readonly string[] {
  const weights = [columns(b, 1, 8, 9), columns(b, 2, 10, 11)].map((name) => b.transpose(name, [0, 2, 1]));
  const rest = [3, 4, 5, 6, 7].map((position) => b.optional(position)?.name ?? '');
  return b.many('LSTM', [b.input(0).name, ...weights, ...rest], Object.fromEntries(b.node.attributes), 3);
}

/** Weights of a few bits in blocks along the contracted axis, each with a scale and perhaps a zero point. */
function blockMatMul(b: Builder): readonly string[] {
  const { node } = b;
  const [inner, outputs] = [intAttribute(node, 'K', 0), intAttribute(node, 'N', 0)];
  const [bits, block] = [intAttribute(node, 'bits', 4), intAttribute(node, 'block_size', 32)];
  const [packed, scales] = [b.value(1), b.value(2)];
  const zeros = b.optional(3) === undefined ? undefined : b.value(3);
  if ((bits !== 4 && bits !== 8 && bits !== 2) || b.optional(4) !== undefined)
    refuseNode(node, `${bits} bits or reordered rows are not supported`);
  const blocks = Math.ceil(inner / block);
  const blockBytes = (block * bits) / 8;
  const each = 8 / bits;
  if (packed.data.length !== outputs * blocks * blockBytes) refuseNode(node, `the weights have ${packed.data.length} bytes`);
  const unpack = (bytes: ArrayLike<number>, row: number, rowBytes: number, i: number): number =>
    Math.floor(bytes[row * rowBytes + Math.floor(i / each)]! / 2 ** (bits * (i % each))) % 2 ** bits;
  const zeroBytes = Math.ceil(blocks / each);
  const data = new Float32Array(inner * outputs);
  for (let o = 0; o < outputs; o++)
    for (let k = 0; k < inner; k++) {
      const at = Math.floor(k / block);
      const packedZeros = zeros?.type === 'uint8' ? unpack(zeros.data, o, zeroBytes, at) : zeros?.data[o * blocks + at];
      const q = unpack(packed.data, o * blocks + at, blockBytes, k % block);
      data[k * outputs + o] = (q - (packedZeros ?? 2 ** (bits - 1))) * scales.data[o * blocks + at]!;
    }
  return [plus(b, b.op('MatMul', [b.input(0).name, b.tensor(tensor('float32', [inner, outputs], data))]), 5)];
}

/** Quantized operators of com.microsoft, and products whose scales are chosen at run time. */
export const QUANTIZED_EXPANSIONS: Readonly<Record<string, Expansion>> = {
  DynamicQuantizeLSTM: { expand: dynamicLstm },
  DynamicQuantizeMatMul: { expand: dynamicMatMul },
  MatMulIntegerToFloat: { expand: matMulToFloat },
  MatMulNBits: { expand: blockMatMul },
  QLinearAveragePool: pooled('AveragePool'),
  QLinearConcat: { expand: concat },
  QLinearGlobalAveragePool: pooled('GlobalAveragePool'),
  QLinearLeakyRelu: between('LeakyRelu', (b) => ({ alpha: intAttribute(b.node, 'alpha', 0.01) })),
  QLinearReduceMean: { expand: reduceMean },
  QLinearSigmoid: between('Sigmoid'),
  QLinearSoftmax: between('Softmax', (b) => ({ axis: intAttribute(b.node, 'axis', -1) })),
  QLinearWhere: { expand: where },
};
