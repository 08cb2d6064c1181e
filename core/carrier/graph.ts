import { invariant } from '../errors.ts';
import { ProtobufWriter } from './protobuf.ts';

/** Element types inside a carrier with their ONNX codes. i16 tensors travel as i32: onnxruntime has few int16 kernels. */
const TYPE_CODES = { f32: 1, u8: 2, i8: 3, i16: 5, i32: 6, i64: 7, bool: 9, f64: 11 } as const;
export type CarrierType = keyof typeof TYPE_CODES;

/** ai.onnx operator set: the last one where ReduceMax takes its axes as an attribute. */
const OPSET = 17;
const IR_VERSION = 8;
/** onnxruntime's own operators: convolution and max pool that keep channels last. */
export const MICROSOFT = 'com.microsoft';

/** A tensor inside a carrier. */
export interface Value {
  readonly name: string;
  readonly type: CarrierType;
  readonly dims: readonly number[];
}

export type NodeAttributes = Readonly<Record<string, number | readonly number[]>>;

export interface NodeOptions {
  readonly type: CarrierType;
  readonly dims: readonly number[];
  readonly attributes?: NodeAttributes;
  readonly domain?: string;
}

/** Elements of a shape. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((n, dim) => n * dim, 1);
}

/** Builds an ONNX graph node by node. Names are counters, so that the same calls give the same bytes. */
export class GraphBuilder {
  private readonly nodes: ProtobufWriter[] = [];
  private readonly initializers: ProtobufWriter[] = [];
  private readonly inputs: ProtobufWriter[] = [];
  private readonly outputs: ProtobufWriter[] = [];
  private readonly constants = new Map<string, Value>();
  private counter = 0;

  input(name: string, type: CarrierType, dims: readonly number[]): Value {
    this.inputs.push(valueInfo(name, type, dims));
    return { name, type, dims };
  }

  /** Makes a value a graph output under a name of its own. */
  output(name: string, value: Value): void {
    this.nodes.push(nodeMessage('Identity', [value.name], name, {}, ''));
    this.outputs.push(valueInfo(name, value.type, value.dims));
  }

  /** A constant from its little-endian bytes. */
  raw(type: CarrierType, dims: readonly number[], bytes: Uint8Array): Value {
    const key = bytes.length <= 64 ? `${type}:${dims.join()}:${bytes.join()}` : undefined;
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known !== undefined) return known;
    const value: Value = { name: `c${this.counter++}`, type, dims };
    const tensor = new ProtobufWriter().integers(1, dims).integer(2, TYPE_CODES[type]).string(8, value.name).bytes(9, bytes);
    this.initializers.push(tensor);
    if (key !== undefined) this.constants.set(key, value);
    return value;
  }

  /** A constant of integers that fit the type. */
  constant(type: 'u8' | 'i8' | 'i32' | 'i64', dims: readonly number[], values: ArrayLike<number>): Value {
    invariant(values.length === sizeOf(dims), 'a constant of a carrier has the wrong length');
    return this.raw(type, dims, integerBytes(type, values));
  }

  node(operator: string, inputs: readonly Value[], options: NodeOptions): Value {
    const value: Value = { name: `v${this.counter++}`, type: options.type, dims: options.dims };
    const names = inputs.map((input) => input.name);
    this.nodes.push(nodeMessage(operator, names, value.name, options.attributes ?? {}, options.domain ?? ''));
    return value;
  }

  /** The same elements under another shape; nothing when it is the same one. */
  reshape(value: Value, dims: readonly number[]): Value {
    if (value.dims.length === dims.length && value.dims.every((dim, i) => dim === dims[i])) return value;
    invariant(sizeOf(value.dims) === sizeOf(dims), 'a carrier reshapes to another size');
    return this.node('Reshape', [value, this.constant('i64', [dims.length], dims)], { type: value.type, dims });
  }

  /** Conversion between types; exact only where the caller knows the values fit. */
  cast(value: Value, type: CarrierType): Value {
    if (value.type === type) return value;
    return this.node('Cast', [value], { type, dims: value.dims, attributes: { to: TYPE_CODES[type] } });
  }

  /** Bytes of the ONNX file. */
  finish(): Uint8Array {
    const graph = new ProtobufWriter();
    for (const node of this.nodes) graph.message(1, node);
    graph.string(2, 'assay');
    for (const tensor of this.initializers) graph.message(5, tensor);
    for (const info of this.inputs) graph.message(11, info);
    for (const info of this.outputs) graph.message(12, info);
    return new ProtobufWriter()
      .integer(1, IR_VERSION)
      .string(2, 'assay')
      .message(7, graph)
      .message(8, new ProtobufWriter().string(1, '').integer(2, OPSET))
      .message(8, new ProtobufWriter().string(1, MICROSOFT).integer(2, 1))
      .finish();
  }
}

function integerBytes(type: 'u8' | 'i8' | 'i32' | 'i64', values: ArrayLike<number>): Uint8Array {
  if (type === 'u8') return Uint8Array.from(values);
  if (type === 'i8') return new Uint8Array(Int8Array.from(values).buffer);
  if (type === 'i32') return new Uint8Array(Int32Array.from(values).buffer);
  const wide = new BigInt64Array(values.length);
  for (let i = 0; i < values.length; i++) wide[i] = BigInt(values[i]!);
  return new Uint8Array(wide.buffer);
}

function nodeMessage(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: NodeAttributes,
  domain: string,
): ProtobufWriter {
  const node = new ProtobufWriter();
  for (const input of inputs) node.string(1, input);
  node.string(2, output).string(3, `n_${output}`).string(4, operator);
  for (const [name, value] of Object.entries(attributes)) {
    const attribute = new ProtobufWriter().string(1, name);
    // Attribute types: 2 one integer, 7 a list of integers.
    if (typeof value === 'number') attribute.integer(3, value).integer(20, 2);
    else attribute.integers(8, value).integer(20, 7);
    node.message(5, attribute);
  }
  return domain === '' ? node : node.string(7, domain);
}

function valueInfo(name: string, type: CarrierType, dims: readonly number[]): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const dim of dims) shape.message(1, new ProtobufWriter().integer(1, dim));
  const tensorType = new ProtobufWriter().integer(1, TYPE_CODES[type]).message(2, shape);
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensorType));
}
