import { type GraphNode, intsAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { allocate, elementCount, isBounded, normalizeAxis, stridesOf, type Tensor } from '../tensor.ts';
import { type Evaluate, input } from './operator.ts';

/** Position in the source of an output position, by the ONNX coordinate transformation modes. */
export function sourceCoordinate(mode: string, at: number, scale: number, from: number, to: number): number {
  switch (mode) {
    case 'asymmetric':
      return at / scale;
    case 'align_corners':
      return to === 1 ? 0 : (at * (from - 1)) / (to - 1);
    case 'pytorch_half_pixel':
      return to > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case 'tf_half_pixel_for_nn':
      return (at + 0.5) / scale;
    case 'half_pixel_symmetric': {
      const adjustment = to / (scale * from);
      return (from / 2) * (1 - adjustment) + (at + 0.5) / scale - 0.5;
    }
    default:
      return (at + 0.5) / scale - 0.5;
  }
}

const NEAREST: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

export interface AxisPlan {
  readonly to: number;
  readonly scale: number;
}

/** Output size and scale of every axis of an image of shape `dims`, from `scales` or `sizes`. */
export function resizePlan(node: GraphNode, dims: readonly number[], inputs: readonly (Tensor | undefined)[]): AxisPlan[] {
  const plans = axisPlans(node, dims, inputs);
  const wanted = plans.map(({ to }) => to);
  if (!isBounded(wanted)) refuseNode(node, `asks for the shape ${wanted.join('x')}`);
  return plans;
}

function axisPlans(node: GraphNode, dims: readonly number[], inputs: readonly (Tensor | undefined)[]): AxisPlan[] {
  const legacy = node.operator === 'Upsample' || node.opset < 11;
  const scales = legacy
    ? (inputs[1]?.data ?? Float64Array.from((node.attributes.get('scales') as number[] | undefined) ?? []))
    : inputs[2]?.data;
  const sizes = legacy ? undefined : inputs[3]?.data;
  const axes = (intsAttribute(node, 'axes') ?? dims.map((_, axis) => axis)).map((axis) => normalizeAxis(axis, dims.length));
  const plans: AxisPlan[] = dims.map((dim) => ({ to: dim, scale: 1 }));
  if (sizes !== undefined && sizes.length > 0) {
    const ratios = axes.map((axis, i) => sizes[i]! / dims[axis]!);
    const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
    const shared = policy === 'not_larger' ? Math.min(...ratios) : policy === 'not_smaller' ? Math.max(...ratios) : undefined;
    axes.forEach((axis, i) => {
      const to = shared === undefined ? sizes[i]! : Math.round(shared * dims[axis]!);
      plans[axis] = { to, scale: shared ?? ratios[i]! };
    });
    return plans;
  }
  if (scales === undefined || scales.length === 0) refuseNode(node, 'neither scales nor sizes are constant');
  axes.forEach((axis, i) => {
    plans[axis] = { to: Math.floor(dims[axis]! * scales[i]!), scale: scales[i]! };
  });
  return plans;
}

/** Nearest-neighbour Resize, a pure movement of values; interpolation is written as matrix products (expand/interpolate.ts). */
export const resize: Evaluate = (node, inputs) => {
  const x = input(node, inputs, 0);
  const mode = stringAttribute(node, 'mode', 'nearest');
  if (mode !== 'nearest') refuseNode(node, `interpolation mode '${mode}' is not supported`, { mode });
  const coordinate =
    node.operator === 'Upsample' || node.opset < 11 ? 'asymmetric' : stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  if (coordinate === 'tf_crop_and_resize') refuseNode(node, `coordinate mode '${coordinate}' is not supported`);
  const legacy = node.operator === 'Upsample' || node.opset < 11;
  const nearest = NEAREST[legacy ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor')] ?? Math.floor;
  const plans = resizePlan(node, x.dims, inputs);
  const sources = plans.map(({ to, scale }, axis) =>
    Array.from({ length: to }, (_, at) => {
      if (scale === 1 && to === x.dims[axis]) return at;
      return Math.min(x.dims[axis]! - 1, Math.max(0, nearest(sourceCoordinate(coordinate, at, scale, x.dims[axis]!, to))));
    }),
  );
  const dims = plans.map(({ to }) => to);
  const strides = stridesOf(x.dims);
  const outStrides = stridesOf(dims);
  const data = allocate(x.type, elementCount(dims));
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let axis = 0; axis < dims.length; axis++)
      from += sources[axis]![Math.floor(i / outStrides[axis]!) % dims[axis]!]! * strides[axis]!;
    data[i] = x.data[from]!;
  }
  return [{ type: x.type, dims, data }];
};
