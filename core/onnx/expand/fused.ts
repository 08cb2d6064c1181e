import { type AttributeValue, intAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { type Builder, type Expansion, undone } from './builder.ts';

function others(b: Builder, without: readonly string[]): Record<string, AttributeValue> {
  return Object.fromEntries([...b.node.attributes].filter(([name]) => !without.includes(name)));
}

/** The activation that onnxruntime folded into a layer. */
function activated(b: Builder, x: string, name: string, parameters: readonly number[]): string {
  if (name === '') return x;
  const [p, q] = [parameters[0] ?? 0, parameters[1] ?? 0];
  switch (name) {
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
    case 'Softplus':
      return b.op(name, [x]);
    case 'LeakyRelu':
      return b.op(name, [x], { alpha: p });
    case 'Clip':
      return b.op(name, [x, b.scalar(p), b.scalar(q)]);
    case 'HardSigmoid':
      return b.op(name, [x], { alpha: p, beta: q });
    default:
      return refuseNode(b.node, `the activation '${name}' is not supported`);
  }
}

function conv(b: Builder): readonly string[] {
  const names = b.node.inputs.slice(0, 3).filter((name) => name !== '');
  const made = b.op('Conv', names, others(b, ['activation', 'activation_params']));
  const sum = b.optional(3) === undefined ? made : b.op('Add', [made, b.input(3).name]);
  const parameters = b.node.attributes.get('activation_params');
  return [activated(b, sum, stringAttribute(b.node, 'activation', ''), Array.isArray(parameters) ? (parameters as number[]) : [])];
}

function gemm(b: Builder): readonly string[] {
  const names = b.node.inputs.filter((name) => name !== '');
  const made = b.op('Gemm', names, others(b, ['activation', 'activation_alpha', 'activation_beta']));
  const parameters = [intAttribute(b.node, 'activation_alpha', 0), intAttribute(b.node, 'activation_beta', 0)];
  return [activated(b, made, stringAttribute(b.node, 'activation', ''), parameters)];
}

function matMul(b: Builder): readonly string[] {
  const turned = (position: number, flag: string): string => {
    const { name, dims } = b.input(position);
    if (intAttribute(b.node, flag, 0) !== 1) return name;
    const rank = dims.length;
    return b.transpose(name, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
  };
  if (intAttribute(b.node, 'transBatchA', 0) === 1 || intAttribute(b.node, 'transBatchB', 0) === 1)
    refuseNode(b.node, 'transposed batches are not supported');
  const product = b.op('MatMul', [turned(0, 'transA'), turned(1, 'transB')]);
  const alpha = intAttribute(b.node, 'alpha', 1);
  return [alpha === 1 ? product : b.op('Mul', [product, b.scalar(alpha)])];
}

/** The sum of two branches, normalized; the last output is that sum. */
function skip(operator: string, biasAt: number): Expansion {
  return {
    expand: (b) => {
      const sum = b.op('Add', [b.input(0).name, b.input(1).name]);
      const bias = b.optional(biasAt);
      const total = bias === undefined ? sum : b.op('Add', [sum, bias.name]);
      const parameters = [2, ...(biasAt === 4 ? [3] : [])].flatMap((position) => b.optional(position)?.name ?? []);
      const attributes = { axis: -1, epsilon: intAttribute(b.node, 'epsilon', 1e-5) };
      return [b.op(operator, [total, ...parameters], attributes), '', '', total];
    },
  };
}

const biasGelu = (b: Builder): readonly string[] => [b.op('Gelu', [b.op('Add', [b.input(0).name, b.input(1).name])])];

function fastGelu(b: Builder): readonly string[] {
  const bias = b.optional(1);
  const x = bias === undefined ? b.input(0).name : b.op('Add', [b.input(0).name, bias.name]);
  return [b.op('Gelu', [x], { approximate: 'tanh' })];
}

const quickGelu = (b: Builder): readonly string[] => [b.op('Swish', [b.input(0).name], { alpha: intAttribute(b.node, 'alpha', 1.702) })];

function channelsLastConv(b: Builder): readonly string[] {
  const rank = b.input(0).dims.length;
  const toFirst = [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
  const names = b.node.inputs.slice(1, 3).filter((name) => name !== '');
  const made = b.op('Conv', [b.transpose(b.input(0).name, toFirst), ...names], others(b, ['activation', 'activation_params']));
  return [b.transpose(activated(b, made, stringAttribute(b.node, 'activation', ''), []), undone(toFirst))];
}

/** What onnxruntime's own graph optimizer writes for groups of plain operators. */
export const FUSED: Readonly<Record<string, Expansion>> = {
  BiasGelu: { expand: biasGelu },
  FastGelu: { expand: fastGelu, when: (node) => node.inputs.length > 1, replaces: true },
  FusedConv: { expand: conv },
  FusedGemm: { expand: gemm },
  FusedMatMul: { expand: matMul },
  NhwcFusedConv: { expand: channelsLastConv },
  QuickGelu: { expand: quickGelu },
  SkipLayerNormalization: skip('LayerNormalization', 4),
  SkipSimplifiedLayerNormalization: skip('RMSNormalization', 3),
  TransposeMatMul: { expand: matMul },
};
