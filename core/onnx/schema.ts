import protobuf from 'protobufjs/light.js';

/**
 * The part of onnx.proto that an inference graph uses, as protobufjs reflection JSON.
 * Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (IR version 10).
 * Unknown fields are skipped by the decoder, as protobuf prescribes.
 */
const SCHEMA = {
  nested: {
    StringPair: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    OperatorSet: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    Tensor: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1 },
        dataType: { type: 'int32', id: 2 },
        floatData: { rule: 'repeated', type: 'float', id: 4 },
        int32Data: { rule: 'repeated', type: 'int32', id: 5 },
        stringData: { rule: 'repeated', type: 'bytes', id: 6 },
        int64Data: { rule: 'repeated', type: 'int64', id: 7 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
        doubleData: { rule: 'repeated', type: 'double', id: 10 },
        uint64Data: { rule: 'repeated', type: 'uint64', id: 11 },
        externalData: { rule: 'repeated', type: 'StringPair', id: 13 },
        dataLocation: { type: 'int32', id: 14 },
      },
    },
    Dimension: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
    Shape: { fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } } },
    TensorType: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'Shape', id: 2 } } },
    OpaqueType: { fields: {} },
    Type: {
      fields: {
        tensorType: { type: 'TensorType', id: 1 },
        sequenceType: { type: 'OpaqueType', id: 4 },
        mapType: { type: 'OpaqueType', id: 5 },
      },
    },
    ValueInfo: { fields: { name: { type: 'string', id: 1 }, type: { type: 'Type', id: 2 } } },
    Attribute: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        t: { type: 'Tensor', id: 5 },
        g: { type: 'bytes', id: 6 },
        floats: { rule: 'repeated', type: 'float', id: 7 },
        ints: { rule: 'repeated', type: 'int64', id: 8 },
        strings: { rule: 'repeated', type: 'bytes', id: 9 },
        tensors: { rule: 'repeated', type: 'bytes', id: 10 },
        graphs: { rule: 'repeated', type: 'bytes', id: 11 },
        type: { type: 'int32', id: 20 },
        refAttrName: { type: 'string', id: 21 },
      },
    },
    Node: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'Attribute', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    Graph: {
      fields: {
        node: { rule: 'repeated', type: 'Node', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'Tensor', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfo', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfo', id: 12 },
        sparseInitializer: { rule: 'repeated', type: 'bytes', id: 15 },
      },
    },
    Function: {
      fields: {
        name: { type: 'string', id: 1 },
        input: { rule: 'repeated', type: 'string', id: 4 },
        output: { rule: 'repeated', type: 'string', id: 5 },
        attribute: { rule: 'repeated', type: 'string', id: 6 },
        node: { rule: 'repeated', type: 'Node', id: 7 },
        domain: { type: 'string', id: 10 },
        attributeProto: { rule: 'repeated', type: 'Attribute', id: 11 },
      },
    },
    Model: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'Graph', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSet', id: 8 },
        functions: { rule: 'repeated', type: 'bytes', id: 25 },
      },
    },
  },
};

export interface Long {
  toNumber(): number;
}
export type Int64 = number | Long;

export interface TensorMessage {
  dims: Int64[];
  dataType: number;
  floatData: number[];
  int32Data: number[];
  stringData: Uint8Array[];
  int64Data: Int64[];
  name: string;
  rawData?: Uint8Array;
  doubleData: number[];
  uint64Data: Int64[];
  externalData: { key: string; value: string }[];
  dataLocation: number;
}

export interface AttributeMessage {
  name: string;
  f: number;
  i: Int64;
  s: Uint8Array;
  t?: TensorMessage;
  g?: Uint8Array;
  floats: number[];
  ints: Int64[];
  strings: Uint8Array[];
  tensors: Uint8Array[];
  graphs: Uint8Array[];
  type: number;
  refAttrName: string;
}

export interface ValueInfoMessage {
  name: string;
  type?: {
    tensorType?: { elemType: number; shape?: { dim: { dimValue?: Int64; dimParam?: string }[] } };
    sequenceType?: object;
    mapType?: object;
  };
}

export interface NodeMessage {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  attribute: AttributeMessage[];
  domain: string;
}

export interface GraphMessage {
  node: NodeMessage[];
  name: string;
  initializer: TensorMessage[];
  input: ValueInfoMessage[];
  output: ValueInfoMessage[];
  sparseInitializer: Uint8Array[];
}

/** An operator that the model defines itself. */
export interface FunctionMessage {
  name: string;
  input: string[];
  output: string[];
  /** Names of attributes without a default. */
  attribute: string[];
  node: NodeMessage[];
  domain: string;
  /** Attributes with their defaults. */
  attributeProto: AttributeMessage[];
}

export interface ModelMessage {
  irVersion: Int64;
  producerName: string;
  graph?: GraphMessage;
  opsetImport: { domain: string; version: Int64 }[];
  functions: Uint8Array[];
}

/** The schema itself, for writing models as well (tests, carriers). */
export const ONNX_SCHEMA: protobuf.Root = protobuf.Root.fromJSON(SCHEMA);

/** Decodes the protobuf wire format of a model. Throws protobufjs's own errors on malformed bytes. */
export function decodeModel(bytes: Uint8Array): ModelMessage {
  return ONNX_SCHEMA.lookupType('Model').decode(bytes) as unknown as ModelMessage;
}

/** Decodes a GraphProto: the subgraph of an If, Loop or Scan. */
export function decodeGraph(bytes: Uint8Array): GraphMessage {
  return ONNX_SCHEMA.lookupType('Graph').decode(bytes) as unknown as GraphMessage;
}

export function encodeGraph(graph: GraphMessage): Uint8Array {
  const schema = ONNX_SCHEMA.lookupType('Graph');
  return schema.encode(schema.fromObject(graph)).finish();
}

/** Decodes a FunctionProto. */
export function decodeFunction(bytes: Uint8Array): FunctionMessage {
  return ONNX_SCHEMA.lookupType('Function').decode(bytes) as unknown as FunctionMessage;
}

/** Decodes a bare TensorProto (the `.pb` files of the ONNX node tests). */
export function decodeTensorMessage(bytes: Uint8Array): TensorMessage {
  return ONNX_SCHEMA.lookupType('Tensor').decode(bytes) as unknown as TensorMessage;
}

export function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : value.toNumber();
}
