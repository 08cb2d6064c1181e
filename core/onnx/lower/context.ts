import type { GraphNode } from '../graph.ts';
import { refuse, refuseNode } from '../refuse.ts';
import { type ElementType, elementCount, type Tensor, tensor } from '../tensor.ts';
import type { Held, NetNode } from './net.ts';
import { identity, isConstant, isIdentity, type Value, type View } from './view.ts';

type Draft<T> = T extends NetNode ? Omit<T, 'label'> : never;

/** The network under construction and the value of every ONNX tensor seen so far. */
export class Lowering {
  readonly nodes: NetNode[] = [];
  readonly values = new Map<string, Value>();
  readonly notes: string[] = [];
  /** ONNX tensors whose type is an integer or boolean one. */
  readonly integerValued = new Set<string>();
  /** Element type of every ONNX tensor. */
  readonly types = new Map<string, ElementType>();
  /** Integer tensors that hold the file's own integers: inputs and what is computed from them, not the results of QuantizeLinear. */
  readonly rawIntegers = new Set<string>();
  /** Scale and zero point of tensors that the file quantizes, by name: real = (integer − zero)·scale. */
  readonly quantizedBy = new Map<string, { readonly scale: number; readonly zero: number }>();
  /** ONNX tensors that the model gives out. */
  readonly answers = new Set<string>();
  /** ONNX tensors that some node or output uses. */
  readonly needed = new Set<string>();
  private readonly materialized = new Map<string, number>();
  private label = '';
  private operator = '';

  /** Names the nodes that follow. */
  enter(node: GraphNode): void {
    this.label = node.name;
    this.operator = node.operator;
  }

  add(draft: Draft<NetNode>): number {
    if (draft.length === 0)
      refuse(
        `node '${this.label}' (${this.operator}): a tensor without elements is computed`,
        { node: this.label, operator: this.operator },
        'remove what is computed of nothing',
      );
    this.nodes.push({ ...draft, label: this.label } as NetNode);
    return this.nodes.length - 1;
  }

  /** Notes the file's own quantization of the tensor that the view shows. */
  hold(view: View, held: Held): void {
    const [only] = view.sources;
    if (view.sources.length === 1) this.nodes[only!] = { ...this.nodes[only!]!, held };
  }

  length(node: number): number {
    return this.nodes[node]!.length;
  }

  input(node: GraphNode, position: number): Value {
    const name = node.inputs[position];
    const value = name === undefined || name === '' ? undefined : this.values.get(name);
    if (value === undefined) refuseNode(node, `input ${position} is missing`);
    return value;
  }

  optional(node: GraphNode, position: number): Value | undefined {
    const name = node.inputs[position];
    return name === undefined || name === '' ? undefined : this.values.get(name);
  }

  /** A constant input; refused when it depends on the model's inputs. */
  constant(node: GraphNode, position: number): Tensor {
    const value = this.input(node, position);
    if (!isConstant(value))
      refuseNode(
        node,
        `input ${position} ('${node.inputs[position]}') must be a constant`,
        {},
        'only data may vary between runs, not shapes or parameters',
      );
    return value.constant;
  }

  optionalConstant(node: GraphNode, position: number): Tensor | undefined {
    return this.optional(node, position) === undefined ? undefined : this.constant(node, position);
  }

  /** A data input as a view; a constant becomes a view without sources. */
  view(node: GraphNode, position: number): View {
    return this.asView(this.input(node, position));
  }

  asView(value: Value): View {
    if (!isConstant(value)) return value.view;
    return {
      dims: value.constant.dims,
      sources: [],
      index: identity(value.constant.data.length),
      constants: Array.from(value.constant.data),
    };
  }

  set(node: GraphNode, position: number, value: Value): void {
    const name = node.outputs[position];
    if (name !== undefined && name !== '') this.values.set(name, value);
  }

  /** A view of exactly the elements of a network tensor. */
  whole(source: number, dims: readonly number[]): Value {
    if (elementCount(dims) !== this.length(source))
      refuse(`a tensor of ${this.length(source)} elements cannot have the shape ${dims.join('x')}`);
    return { view: { dims, sources: [source], index: undefined, constants: [] } };
  }

  /** A view of one network tensor through an index. */
  through(source: number, dims: readonly number[], index: Int32Array | undefined): Value {
    if (index === undefined || isIdentity(index, this.length(source))) return this.whole(source, dims);
    return { view: { dims, sources: [source], index, constants: [] } };
  }

  /** Elements of all sources of a view, the address where its constants start. */
  sourceLength(view: View): number {
    return view.sources.reduce((sum, source) => sum + this.length(source), 0);
  }

  indexOf(view: View): Int32Array {
    return view.index ?? identity(elementCount(view.dims));
  }

  /** The network tensor that holds the view's elements in the view's own order. */
  materialize(view: View): number {
    return this.arrange(view, undefined);
  }

  /**
   * The network tensor that holds `order.length` elements of the view, the e-th being the view's element `order[e]`.
   * No map is made where the base already lies so; equal maps are shared.
   */
  arrange(view: View, order: Int32Array | undefined): number {
    const own = view.index;
    if (own === undefined && order === undefined) return view.sources[0]!;
    const index = own === undefined ? order! : order === undefined ? own : order.map((e) => own[e]!);
    if (view.sources.length === 1 && isIdentity(index, this.length(view.sources[0]!))) return view.sources[0]!;
    return this.addMap(view, index);
  }

  private addMap(view: View, index: Int32Array): number {
    const used = new Set<number>();
    const bounds: number[] = [];
    let total = 0;
    for (const source of view.sources) {
      total += this.length(source);
      bounds.push(total);
    }
    for (const address of index) {
      if (address >= total) continue;
      used.add(bounds.findIndex((end) => address < end));
    }
    // Sources and constants that the index does not touch are left out.
    const kept = view.sources.filter((_, i) => used.has(i));
    const start = new Map<number, number>();
    let at = 0;
    view.sources.forEach((source, i) => {
      if (used.has(i)) {
        start.set(i, at - (bounds[i]! - this.length(source)));
        at += this.length(source);
      }
    });
    const constantAt = new Map<number, number>();
    const packed = index.map((address) => {
      if (address < total) return address + start.get(bounds.findIndex((end) => address < end))!;
      const value = view.constants[address - total]!;
      if (!constantAt.has(value)) constantAt.set(value, constantAt.size);
      return at + constantAt.get(value)!;
    });
    const constants = [...constantAt.keys()];
    if (kept.length === 1 && constants.length === 0 && isIdentity(packed, this.length(kept[0]!))) return kept[0]!;
    const key = `${kept.join()}|${constants.join()}|${packed.length}|${hash(packed)}`;
    const known = this.materialized.get(key);
    if (known !== undefined) return known;
    const made = this.addWide(kept, packed, constants);
    this.materialized.set(key, made);
    return made;
  }

  /** A map has at most eight sources: more are joined eight at a time first. */
  private addWide(sources: readonly number[], index: Int32Array, constants: readonly number[]): number {
    if (sources.length <= 8) return this.add({ kind: 'map', length: index.length, sources, index, constants });
    const joined: number[] = [];
    for (let from = 0; from < sources.length; from += 8) {
      const part = sources.slice(from, from + 8);
      const length = part.reduce((sum, source) => sum + this.length(source), 0);
      joined.push(part.length === 1 ? part[0]! : this.add({ kind: 'map', length, sources: part, index: identity(length), constants: [] }));
    }
    return this.addWide(joined, index, constants);
  }
}

function hash(values: Int32Array): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const value of values) {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b + value, 0x85ebca6b) ^ (b >>> 13);
  }
  return `${a}.${b}`;
}

/** Turns a constant tensor into float32 semantics for lookup by code that wants plain numbers. */
export function numbersOf(value: Tensor): Float64Array {
  return Float64Array.from(value.data);
}

export function scalarTensor(value: number): Tensor {
  return tensor('float32', [], [value]);
}
