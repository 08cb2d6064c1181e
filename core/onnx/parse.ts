import type { AttributeValue, Graph, GraphNode, GraphValue } from './graph.ts';
import { elementType, parseTensor } from './parse-tensor.ts';
import { refuse } from './refuse.ts';
import {
  type AttributeMessage,
  decodeModel,
  type GraphMessage,
  type ModelMessage,
  type NodeMessage,
  toNumber,
  type ValueInfoMessage,
} from './schema.ts';
import { int64, type Tensor, tensor } from './tensor.ts';

const MAX_MODEL_BYTES = 512 * 1024 * 1024;
const MAX_NODES = 20_000;
const MIN_OPSET = 6;
const MAX_OPSET = 25;
const SUPPORTED_DOMAINS = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);

const text = new TextDecoder('utf-8', { fatal: false });

type External = ReadonlyMap<string, Uint8Array>;

/**
 * Reads an ONNX file into a validated graph.
 * @param bytes the `.onnx` file, at most 512 MiB
 * @param externalData contents of the files that hold large weights, by the location written in the model
 * @throws AssayError MODEL_REFUSED naming what is wrong: not ONNX, unknown operator set, a cycle, a missing tensor, NaN weights…
 */
export function parseModel(bytes: Uint8Array, externalData: External = new Map()): Graph {
  const model = decode(bytes);
  const opsets = readOpsets(model);
  if (model.functions.length > 0)
    refuse('the model defines functions of its own', { functions: model.functions.length }, 'export it with functions inlined');
  // An absent message field decodes to null.
  const message = model.graph ?? undefined;
  if (message === undefined || message.node.length + message.initializer.length === 0) {
    refuse('the file holds no ONNX graph', { bytes: bytes.length }, 'check that this is an .onnx file');
  }
  if (message.node.length > MAX_NODES)
    refuse(`the graph has ${message.node.length} nodes, more than ${MAX_NODES}`, { nodes: message.node.length });
  if (message.sparseInitializer.length > 0) refuse('sparse initializers are not supported', {}, 'store the weights densely');

  const constants = new Map<string, Tensor>();
  for (const initializer of message.initializer) {
    constants.set(initializer.name, parseTensor(initializer, `initializer '${initializer.name}'`, externalData));
  }
  const nodes = message.node.map((node, position) => readNode(node, position, opsets, externalData));
  const computed: GraphNode[] = [];
  for (const node of nodes) {
    if (node.operator === 'Constant' && node.domain === '') constants.set(node.outputs[0] ?? '', constantOf(node));
    else computed.push(node);
  }
  const inputs = message.input.filter((input) => !constants.has(input.name)).map(readValue);
  const outputs = message.output.map(readValue);
  if (inputs.length === 0) refuse('the graph has no input: its answer would be a constant');
  if (outputs.length === 0) refuse('the graph has no output');
  const ordered = executionOrder(computed, inputs, outputs, constants, message);
  return { nodes: ordered, inputs, outputs, constants, opsets };
}

function decode(bytes: Uint8Array): ModelMessage {
  if (bytes.length === 0) refuse('the file is empty');
  if (bytes.length > MAX_MODEL_BYTES) refuse(`the file has ${bytes.length} bytes, more than ${MAX_MODEL_BYTES}`, { bytes: bytes.length });
  const head = text.decode(bytes.subarray(0, 64));
  if (head.startsWith('version https://git-lfs')) {
    refuse('this is a git-lfs pointer, not the model itself', { bytes: bytes.length }, 'run `git lfs pull` where the file came from');
  }
  if (head.startsWith('<') || head.startsWith('{')) refuse('this is a text file, not an ONNX model', { bytes: bytes.length });
  try {
    return decodeModel(bytes);
  } catch (error) {
    refuse(
      `the file is not a readable ONNX model: ${error instanceof Error ? error.message : String(error)}`,
      { bytes: bytes.length },
      'it may be truncated; fetch or export it again',
    );
  }
}

function readOpsets(model: ModelMessage): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const entry of model.opsetImport) {
    const domain = entry.domain === 'ai.onnx' ? '' : entry.domain;
    // A domain may be listed twice by some exporters; the newest version is what onnxruntime uses.
    opsets.set(domain, Math.max(opsets.get(domain) ?? 0, toNumber(entry.version)));
  }
  const main = opsets.get('');
  if (main !== undefined && (main < MIN_OPSET || main > MAX_OPSET)) {
    refuse(
      `operator set ${main} is not supported`,
      { opset: main, supported: `${MIN_OPSET}..${MAX_OPSET}` },
      'convert the model with onnx.version_converter',
    );
  }
  return opsets;
}

function readNode(message: NodeMessage, position: number, opsets: ReadonlyMap<string, number>, externalData: External): GraphNode {
  const domain = message.domain === 'ai.onnx' ? '' : message.domain;
  const name = message.name === '' ? `${message.opType}#${position}` : message.name;
  if (!SUPPORTED_DOMAINS.has(domain)) {
    refuse(`node '${name}' (${domain}::${message.opType}): operators of the domain '${domain}' are not supported`, {
      node: name,
      operator: message.opType,
      domain,
    });
  }
  const attributes = new Map<string, AttributeValue>();
  for (const attribute of message.attribute) {
    const where = `attribute '${attribute.name}' of node '${name}' (${message.opType})`;
    attributes.set(attribute.name, readAttribute(attribute, where, externalData));
  }
  const opset = opsets.get(domain) ?? (domain === '' ? MAX_OPSET : 1);
  return { name, operator: message.opType, domain, opset, inputs: message.input, outputs: message.output, attributes };
}

function readAttribute(attribute: AttributeMessage, where: string, externalData: External): AttributeValue {
  if (attribute.refAttrName) refuse(`${where} refers to a function's attribute`);
  if (attribute.g?.length || attribute.graphs.length > 0)
    refuse(
      `${where} holds a subgraph: control flow (If, Loop, Scan) is not supported`,
      {},
      'export the model with control flow resolved (fixed shapes, tracing)',
    );
  if (attribute.t !== undefined && attribute.t !== null) return parseTensor(attribute.t, where, externalData);
  switch (attribute.type) {
    case 1:
      return attribute.f;
    case 2:
      return toNumber(attribute.i);
    case 3:
      return text.decode(attribute.s);
    case 6:
      return attribute.floats;
    case 7:
      return attribute.ints.map(toNumber);
    case 8:
      return attribute.strings.map((value) => text.decode(value));
    case 0: // files older than IR version 3 leave the type out
      return untypedAttribute(attribute);
    default:
      refuse(`${where} has attribute type ${attribute.type}, which is not supported`);
  }
}

function untypedAttribute(attribute: AttributeMessage): AttributeValue {
  if (attribute.floats.length > 0) return attribute.floats;
  if (attribute.ints.length > 0) return attribute.ints.map(toNumber);
  if (attribute.strings.length > 0) return attribute.strings.map((value) => text.decode(value));
  if (attribute.s?.length > 0) return text.decode(attribute.s);
  return attribute.f !== 0 ? attribute.f : toNumber(attribute.i);
}

function constantOf(node: GraphNode): Tensor {
  for (const [name, value] of node.attributes) {
    if (typeof value === 'object' && 'dims' in value) return value;
    if (name === 'value_float') return tensor('float32', [], [value as number]);
    if (name === 'value_int') return tensor('int64', [], [value as number]);
    if (name === 'value_floats') return tensor('float32', [(value as number[]).length], value as number[]);
    if (name === 'value_ints') return int64(value as number[]);
  }
  refuse(`node '${node.name}' (Constant) holds no dense numeric value`, { node: node.name, operator: 'Constant' });
}

function readValue(message: ValueInfoMessage): GraphValue {
  const tensorType = message.type?.tensorType;
  if (tensorType === undefined || tensorType === null) return { name: message.name, type: undefined, dims: undefined };
  const type = tensorType.elemType === 0 ? undefined : elementType(tensorType.elemType, `value '${message.name}'`);
  const dims = tensorType.shape?.dim.map((dim) => {
    const value = dim.dimValue === undefined ? 0 : toNumber(dim.dimValue);
    // Zero and negative sizes are what some exporters write for "any".
    return dim.dimParam || value <= 0 ? undefined : value;
  });
  return { name: message.name, type, dims };
}

/** Kahn's algorithm from the outputs' needs: drops dead nodes, finds cycles, undefined and doubly defined names. */
function executionOrder(
  nodes: readonly GraphNode[],
  inputs: readonly GraphValue[],
  outputs: readonly GraphValue[],
  constants: ReadonlyMap<string, Tensor>,
  message: GraphMessage,
): GraphNode[] {
  const producer = new Map<string, GraphNode>();
  const given = new Set([...inputs.map((input) => input.name), ...constants.keys()]);
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (producer.has(output) || given.has(output))
        refuse(`tensor '${output}' is defined twice`, { tensor: output, node: node.name, operator: node.operator });
      producer.set(output, node);
    }
  }
  const state = new Map<GraphNode, 'open' | 'done'>();
  const ordered: GraphNode[] = [];
  const require = (name: string, user: string): GraphNode | undefined => {
    if (name === '' || given.has(name)) return undefined;
    const node = producer.get(name);
    if (node === undefined) refuse(`tensor '${name}', needed by ${user}, is not defined anywhere`, { tensor: name, graph: message.name });
    return node;
  };
  for (const output of outputs) {
    const root = require(output.name, 'the graph outputs');
    const stack = root === undefined ? [] : [{ node: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next === 0) {
        if (state.get(top.node) === 'done') {
          stack.pop();
          continue;
        }
        state.set(top.node, 'open');
      }
      if (top.next === top.node.inputs.length) {
        state.set(top.node, 'done');
        ordered.push(top.node);
        stack.pop();
        continue;
      }
      const child = require(top.node.inputs[top.next++]!, `node '${top.node.name}' (${top.node.operator})`);
      if (child === undefined || state.get(child) === 'done') continue;
      if (state.get(child) === 'open')
        refuse(`the graph has a cycle through node '${child.name}' (${child.operator})`, { node: child.name, operator: child.operator });
      stack.push({ node: child, next: 0 });
    }
  }
  return ordered;
}
