import { ONNX_SCHEMA } from '../../core/onnx/schema.ts';

/** A tensor of float32 values as the ONNX file stores it. */
export interface TestTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: readonly number[];
  /** ONNX element type; 1 is float32, 7 is int64. */
  readonly type?: number;
}

/** Whole numbers become integer attributes, unless they are wrapped. */
export type TestAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: TestSubgraph };

/** The graph of an If, Loop or Scan: inputs are float32 unless a type is given. */
export interface TestSubgraph {
  readonly nodes: readonly TestNode[];
  readonly inputs?: Readonly<Record<string, number>>;
  readonly outputs: readonly string[];
  readonly constants?: readonly TestTensor[];
}

export interface TestNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, TestAttribute>>;
  readonly domain?: string;
  readonly name?: string;
}

export interface TestModel {
  readonly nodes: readonly TestNode[];
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  readonly outputs: readonly string[];
  readonly constants?: readonly TestTensor[];
  readonly opset?: number;
  /** Operator set of ai.onnx.ml. */
  readonly learning?: number;
  /** ONNX element types of inputs that are not float32. */
  readonly types?: Readonly<Record<string, number>>;
}

const text = new TextEncoder();

function nodeMessage(node: TestNode): object {
  return {
    opType: node.operator,
    name: node.name ?? '',
    domain: node.domain ?? '',
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes ?? {}).map(([name, value]) => attribute(name, value)),
  };
}

function subgraphMessage({ nodes, inputs = {}, outputs, constants = [] }: TestSubgraph): object {
  return {
    name: 'inner',
    node: nodes.map(nodeMessage),
    initializer: constants.map(tensorMessage),
    // Counters and conditions are scalars; shapes of the rest are for the runtime to find.
    input: Object.entries(inputs).map(([name, elemType]) => ({
      name,
      type: { tensorType: { elemType, ...(elemType === 1 ? {} : { shape: { dim: [] } }) } },
    })),
    output: outputs.map((name) => ({ name })),
  };
}

function attribute(name: string, value: TestAttribute): object {
  if (typeof value === 'object' && 'float' in value) return { name, type: 1, f: value.float };
  if (typeof value === 'object' && 'floats' in value) return { name, type: 6, floats: value.floats };
  if (typeof value === 'object' && 'strings' in value) return { name, type: 8, strings: value.strings.map((item) => text.encode(item)) };
  if (typeof value === 'object' && 'graph' in value) return { name, type: 5, g: encodeMessage('Graph', subgraphMessage(value.graph)) };
  if (typeof value === 'string') return { name, type: 3, s: text.encode(value) };
  if (typeof value === 'number') return Number.isInteger(value) ? { name, type: 2, i: value } : { name, type: 1, f: value };
  return value.every(Number.isInteger) ? { name, type: 7, ints: value } : { name, type: 6, floats: value };
}

function tensorMessage({ name, dims, values, type = 1 }: TestTensor): object {
  if (type === 7) return { name, dims, dataType: 7, int64Data: values };
  return { name, dims, dataType: type, ...(type === 1 ? { floatData: values } : { int32Data: values }) };
}

function valueInfo(name: string, dims: readonly (number | string)[], elemType = 1): object {
  const dim = dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** Bytes of any message of the schema. */
export function encodeMessage(type: string, message: object): Uint8Array {
  const schema = ONNX_SCHEMA.lookupType(type);
  return schema.encode(schema.fromObject(message)).finish();
}

/** The model as protobuf fields, for tests that spoil one of them. */
export function modelMessage(model: TestModel): { graph: Record<string, unknown>; opsetImport: object[]; irVersion: number } {
  return {
    irVersion: 8,
    opsetImport: [
      { domain: '', version: model.opset ?? 17 },
      { domain: 'com.microsoft', version: 1 },
      { domain: 'ai.onnx.ml', version: model.learning ?? 3 },
    ],
    graph: {
      name: 'test',
      node: model.nodes.map(nodeMessage),
      initializer: (model.constants ?? []).map(tensorMessage),
      input: Object.entries(model.inputs).map(([name, dims]) => valueInfo(name, dims, model.types?.[name])),
      output: model.outputs.map((name) => ({ name })),
    },
  };
}

/** The bytes of a small ONNX model. */
export function onnxModel(model: TestModel): Uint8Array {
  return encodeMessage('Model', modelMessage(model));
}
