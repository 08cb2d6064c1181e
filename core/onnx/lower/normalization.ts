import { type GraphNode, intAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { elementCount, normalizeAxis, type Tensor, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { affine } from './elementwise.ts';
import { isConstant, type Value, type View } from './view.ts';

type Lower = (context: Lowering, node: GraphNode) => void;

/** BatchNormalization at inference is one multiply-add per channel. */
const batch: Lower = (context, node) => {
  const x = context.view(node, 0);
  if (intAttribute(node, 'training_mode', 0) === 1) refuseNode(node, 'training mode is not supported');
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map((i) => context.constant(node, i)) as [Tensor, Tensor, Tensor, Tensor];
  const epsilon = intAttribute(node, 'epsilon', 1e-5);
  const a = Array.from(scale.data, (s, c) => s / Math.sqrt(variance.data[c]! + epsilon));
  const b = Array.from(shift.data, (s, c) => s - mean.data[c]! * a[c]!);
  const dims = [a.length, ...x.dims.slice(2).map(() => 1)];
  context.set(node, 0, affine(context, x, tensor('float64', dims, a), tensor('float64', dims, b)));
};

/** Rows of `width` consecutive values brought to mean 0 and variance 1. */
export function normalizedRows(context: Lowering, view: View, width: number, epsilon: number, center: boolean): Value {
  const source = context.materialize(view);
  const made = context.add({ kind: 'normalize', length: elementCount(view.dims), sources: [source], width, epsilon, center });
  return context.whole(made, view.dims);
}

function scaledAndShifted(context: Lowering, node: GraphNode, x: Value, scale: Tensor | undefined, shift: Tensor | undefined): Value {
  if (scale === undefined && shift === undefined) return x;
  if (isConstant(x)) refuseNode(node, 'a normalization of a constant');
  return affine(context, x.view, scale ?? 1, shift ?? 0);
}

const layer: Lower = (context, node) => {
  const x = context.view(node, 0);
  if (node.outputs.slice(1).some((name) => name !== '' && context.needed.has(name)))
    refuseNode(node, 'the mean and deviation outputs are not supported');
  const axis = normalizeAxis(intAttribute(node, 'axis', -1), x.dims.length);
  const width = elementCount(x.dims.slice(axis));
  const normal = normalizedRows(context, x, width, intAttribute(node, 'epsilon', 1e-5), node.operator === 'LayerNormalization');
  context.set(node, 0, scaledAndShifted(context, node, normal, context.optionalConstant(node, 1), context.optionalConstant(node, 2)));
};

function perChannel(values: Tensor, x: View): Tensor {
  return { ...values, dims: [values.data.length, ...x.dims.slice(2).map(() => 1)] };
}

const instance: Lower = (context, node) => {
  const x = context.view(node, 0);
  const normal = normalizedRows(context, x, elementCount(x.dims.slice(2)), intAttribute(node, 'epsilon', 1e-5), true);
  context.set(
    node,
    0,
    scaledAndShifted(context, node, normal, perChannel(context.constant(node, 1), x), perChannel(context.constant(node, 2), x)),
  );
};

const group: Lower = (context, node) => {
  const x = context.view(node, 0);
  const groups = intAttribute(node, 'num_groups', 1);
  const channels = x.dims[1]!;
  const normal = normalizedRows(context, x, (channels / groups) * elementCount(x.dims.slice(2)), intAttribute(node, 'epsilon', 1e-5), true);
  const widen = (t: Tensor): Tensor =>
    perChannel(
      t.data.length === channels
        ? t
        : tensor(
            'float64',
            [channels],
            Array.from({ length: channels }, (_, c) => t.data[Math.floor((c * groups) / channels)]!),
          ),
      x,
    );
  context.set(node, 0, scaledAndShifted(context, node, normal, widen(context.constant(node, 1)), widen(context.constant(node, 2))));
};

export const NORMALIZATIONS: Readonly<Record<string, Lower>> = {
  BatchNormalization: batch,
  LayerNormalization: layer,
  RMSNormalization: layer,
  SimplifiedLayerNormalization: layer,
  InstanceNormalization: instance,
  GroupNormalization: group,
};
