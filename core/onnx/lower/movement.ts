import { clipBounds } from '../evaluate/elementwise.ts';
import { evaluateNode } from '../evaluate/index.ts';
import { transposed } from '../evaluate/movement.ts';
import { type GraphNode, intAttribute, stringAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import { type Tensor, tensor } from '../tensor.ts';
import type { Lowering } from './context.ts';
import { isConstant, type Value, type View } from './view.ts';

/** Which inputs of a movement operator are data; the others must be constants. */
function dataPositions(node: GraphNode): readonly number[] {
  if (node.operator === 'Concat') return node.inputs.map((_, i) => i);
  if (node.operator === 'Where') return [1, 2];
  if (node.operator === 'ScatterND') return [0, 2];
  return [0];
}

/** Addresses of several views in one space: all their sources, then one pool of constants. Address 0 stands for the constant zero. */
class AddressSpace {
  readonly sources: number[] = [];
  readonly constants: number[] = [];
  private readonly starts = new Map<number, number>();
  private readonly pool = new Map<number, number>();
  private total = 0;
  private readonly context: Lowering;

  constructor(context: Lowering, views: readonly View[]) {
    this.context = context;
    for (const view of views)
      for (const source of view.sources) {
        if (this.starts.has(source)) continue;
        this.starts.set(source, this.total);
        this.sources.push(source);
        this.total += context.length(source);
      }
    this.constant(0);
  }

  constant(value: number): number {
    const known = this.pool.get(value);
    if (known !== undefined) return known;
    const address = this.total + this.constants.length;
    this.pool.set(value, address);
    this.constants.push(value);
    return address;
  }

  /** The view's addresses, shifted so that the constant zero is 0: operators that insert zeros insert the right thing. */
  addresses(view: View): Tensor {
    const index = this.context.indexOf(view);
    const bounds: { end: number; shift: number }[] = [];
    let end = 0;
    for (const source of view.sources) {
      const start = end;
      end += this.context.length(source);
      bounds.push({ end, shift: this.starts.get(source)! - start });
    }
    const data = new Float64Array(index.length);
    for (let e = 0; e < index.length; e++) {
      const address = index[e]!;
      const own =
        address >= end ? this.constant(view.constants[address - end]!) : address + bounds.find((part) => address < part.end)!.shift;
      data[e] = this.encode(own);
    }
    return { type: 'int64', dims: view.dims, data };
  }

  encode(address: number): number {
    return address === this.total ? 0 : address + 1;
  }

  view(context: Lowering, addresses: Tensor): Value {
    const index = Int32Array.from(addresses.data, (encoded) => (encoded === 0 ? this.total : encoded - 1));
    if (index.every((address) => address >= this.total)) {
      return {
        constant: tensor(
          'float32',
          addresses.dims,
          Array.from(index, (address) => this.constants[address - this.total]!),
        ),
      };
    }
    if (this.sources.length === 1 && index.every((address) => address < this.total))
      return context.through(this.sources[0]!, addresses.dims, index);
    return { view: { dims: addresses.dims, sources: this.sources, index, constants: this.constants } };
  }
}

/** Runs an operator that only moves values on the addresses of its data: the result is again a view. */
export function lowerMovement(context: Lowering, node: GraphNode): void {
  const positions = dataPositions(node);
  const views = positions.filter((p) => node.inputs[p] !== '').map((p) => context.view(node, p));
  const space = new AddressSpace(context, views);
  const attributes = new Map(node.attributes);
  const inputs = node.inputs.map((name, p): Tensor | undefined => {
    if (name === '') return undefined;
    return positions.includes(p) ? space.addresses(context.view(node, p)) : context.constant(node, p);
  });
  if (node.operator === 'Pad' && stringAttribute(node, 'mode', 'constant') === 'constant') {
    const value = inputs[2]?.data[0] ?? intAttribute(node, 'value', 0);
    const address = space.encode(space.constant(value));
    if (inputs[2] !== undefined) inputs[2] = tensor('int64', [], [address]);
    attributes.set('value', address);
  }
  const results = evaluateNode({ ...node, attributes }, inputs);
  node.outputs.forEach((_, i) => {
    const result = results[i];
    if (result !== undefined) context.set(node, i, space.view(context, result));
  });
}

/** Constants of a Clip's bounds as numbers; refused when they vary. */
export function constantBounds(context: Lowering, node: GraphNode): readonly [number, number] {
  const inputs = node.inputs.map((_, p) => (p === 0 ? undefined : context.optionalConstant(node, p)));
  return clipBounds(node, inputs);
}

/** Gather by an index that varies: `data[.., index, ..]` along one axis. */
export function lowerGather(context: Lowering, node: GraphNode): void {
  const indices = context.input(node, 1);
  if (isConstant(indices)) {
    lowerMovement(context, node);
    return;
  }
  const data = context.input(node, 0);
  const dataDims = isConstant(data) ? data.constant.dims : data.view.dims;
  const written = intAttribute(node, 'axis', 0);
  const axis = written < 0 ? written + dataDims.length : written;
  const outer = dataDims.slice(0, axis).reduce((p, d) => p * d, 1);
  const width = dataDims.slice(axis + 1).reduce((p, d) => p * d, 1);
  const size = dataDims[axis]!;
  const index = context.materialize(indices.view);
  const count = context.length(index);
  const dims = [...dataDims.slice(0, axis), ...indices.view.dims, ...dataDims.slice(axis + 1)];
  if (node.operator !== 'Gather')
    refuseNode(node, 'indices that vary are supported for Gather and GatherElements along the last axis only');
  if (isConstant(data) && outer === 1) {
    const table = Float64Array.from(data.constant.data);
    const integer = data.constant.type !== 'float32' && data.constant.type !== 'float64' && data.constant.type !== 'float16';
    const made = context.add({
      kind: 'lookup',
      length: count * width,
      sources: [index],
      table,
      entries: size,
      width,
      offset: 0,
      channels: 1,
      integer,
    });
    context.set(node, 0, context.whole(made, dims));
    return;
  }
  const source = context.materialize(context.asView(data));
  const made = context.add({
    kind: 'gather',
    length: outer * count * width,
    sources: [source, index],
    outer,
    axis: size,
    width,
    count,
    perOuter: false,
  });
  context.set(node, 0, context.whole(made, dims));
}

/** GatherElements by an index that varies, along the last axis and with one index row per data row. */
export function lowerGatherElements(context: Lowering, node: GraphNode): void {
  const indices = context.input(node, 1);
  if (isConstant(indices)) {
    lowerMovement(context, node);
    return;
  }
  const data = context.view(node, 0);
  const written = intAttribute(node, 'axis', 0);
  const axis = written < 0 ? written + data.dims.length : written;
  const after = data.dims.slice(axis + 1);
  const before = data.dims.slice(0, axis);
  const indexDims = indices.view.dims;
  if (after.some((d) => d !== 1) || before.some((d, i) => d !== indexDims[i])) {
    refuseNode(node, 'varying indices must run along the last axis and have one row per row of the data');
  }
  const outer = before.reduce((p, d) => p * d, 1);
  const count = indexDims[axis]!;
  const sources = [context.materialize(data), context.materialize(indices.view)];
  const made = context.add({
    kind: 'gather',
    length: outer * count,
    sources,
    outer,
    axis: data.dims[axis]!,
    width: 1,
    count,
    perOuter: true,
  });
  context.set(node, 0, context.whole(made, indexDims));
}

/** OneHot of an index that varies: row `index` of a constant table. Negative indices count from the end, others beyond it light nothing. */
export function lowerOneHot(context: Lowering, node: GraphNode): void {
  const indices = context.view(node, 0);
  const depth = context.constant(node, 1).data[0]!;
  const values = context.constant(node, 2).data;
  const rank = indices.dims.length + 1;
  const axis = intAttribute(node, 'axis', -1);
  const at = axis < 0 ? axis + rank : axis;
  // Row r stands for the index r − depth − 1: one dark row, depth negative indices, depth others, one dark row.
  const entries = 2 * depth + 2;
  const table = Float64Array.from({ length: entries * depth }, (_, i) => {
    const row = Math.floor(i / depth);
    return values[row > 0 && row < entries - 1 && (row - 1) % depth === i % depth ? 1 : 0]!;
  });
  const source = context.materialize(indices);
  const length = context.length(source) * depth;
  const made = context.add({
    kind: 'lookup',
    length,
    sources: [source],
    table,
    entries,
    width: depth,
    offset: -depth - 1,
    channels: 1,
    integer: true,
  });
  const dims = [...indices.dims, depth];
  if (at === rank - 1) {
    context.set(node, 0, context.whole(made, dims));
    return;
  }
  const permutation = Array.from({ length: rank }, (_, i) => (i < at ? i : i === at ? rank - 1 : i - 1));
  const moved = transposed({ type: 'int64', dims, data: Float64Array.from({ length }, (_, e) => e) }, permutation);
  context.set(node, 0, context.through(made, moved.dims, Int32Array.from(moved.data)));
}
