import { type AttributeValue, type Graph, type GraphNode, type GraphValue, graphAttribute } from './graph.ts';
import { inlineFunctions } from './inline.ts';
import { elementType, parseTensor } from './parse-tensor.ts';
import { refuse } from './refuse.ts';
import {
  type AttributeMessage,
  decodeGraph,
  decodeModel,
  type GraphMessage,
  type ModelMessage,
  type NodeMessage,
  type TensorMessage,
  toNumber,
  type ValueInfoMessage,
} from './schema.ts';
import { int64, type Tensor, tensor } from './tensor.ts';

const MAX_MODEL_BYTES = 512 * 1024 * 1024;
const MAX_NODES = 20_000;
/** Subgraphs in subgraphs. */
const MAX_DEPTH = 8;
const MIN_OPSET = 6;
const MAX_OPSET = 25;
const SUPPORTED_DOMAINS = new Set(['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']);

/** Element types by number. */
const [INT64, STRING] = [7, 8];

const text = new TextDecoder('utf-8', { fatal: false });

/** An absent field of bytes decodes to an empty list. */
function string(bytes: Uint8Array): string {
  return bytes.length === 0 ? '' : text.decode(bytes);
}

type External = ReadonlyMap<string, Uint8Array>;

/**
 * Reads an ONNX file into a validated graph.
 * @param bytes the `.onnx` file, at most 512 MiB
 * @param externalData contents of the files that hold large weights, by the location written in the model
 * @throws AssayError MODEL_REFUSED naming what is wrong: not ONNX, unknown operator set, a cycle, a missing tensor, NaN weights…
 */
export function parseModel(bytes: Uint8Array, externalData: External = new Map()): Graph {
  const model = decodeFile(bytes);
  const opsets = readOpsets(model);
  // An absent message field decodes to null.
  const message = model.graph ?? undefined;
  if (message === undefined || message.node.length + message.initializer.length === 0) {
    refuse('the file holds no ONNX graph', { bytes: bytes.length }, 'check that this is an .onnx file');
  }
  const graph = readGraph(inlineFunctions(message, model.functions), { opsets, externalData, depth: 0 });
  if (graph.inputs.length === 0) refuse('the graph has no input: its answer would be a constant');
  return graph;
}

/** What every graph of a file is read with; subgraphs lie deeper than 0. */
interface Setting {
  readonly opsets: ReadonlyMap<string, number>;
  readonly externalData: External;
  readonly depth: number;
}

function readGraph(message: GraphMessage, setting: Setting): Graph {
  if (message.node.length > MAX_NODES)
    refuse(`the graph has ${message.node.length} nodes, more than ${MAX_NODES}`, { nodes: message.node.length });
  if (message.sparseInitializer.length > 0) refuse('sparse initializers are not supported', {}, 'store the weights densely');
  const constants = new Map<string, Tensor>();
  const strings = new Map<string, readonly string[]>();
  for (const initializer of message.initializer) {
    if (initializer.dataType === STRING) {
      const labels = initializer.stringData.map(string);
      strings.set(initializer.name, labels);
      constants.set(initializer.name, int64(labels.map((_, i) => i)));
      requireLabels(message, initializer);
    } else constants.set(initializer.name, parseTensor(initializer, `initializer '${initializer.name}'`, setting.externalData));
  }
  const nodes = message.node.map((node, position) => readNode(node, position, setting));
  const computed: GraphNode[] = [];
  for (const node of nodes) {
    if (node.operator === 'Constant' && node.domain === '') constants.set(node.outputs[0] ?? '', constantOf(node));
    else computed.push(node);
  }
  const inputs = message.input.filter((input) => !constants.has(input.name)).map((value) => readValue(value));
  const outputs = message.output.map((value) => readValue(value, true));
  if (outputs.length === 0) refuse('the graph has no output');
  if (outputs.some((output) => output.name === '')) refuse('an output of the graph has no name');
  const captures = new Set<string>();
  const capture = setting.depth === 0 ? undefined : (name: string) => captures.add(name);
  const ordered = executionOrder(computed, inputs, outputs, constants, message, capture);
  const labels = strings.size === 0 ? {} : { strings };
  return { nodes: ordered, inputs, outputs, constants, opsets: setting.opsets, captures: [...captures], ...labels };
}

/** Labels of classes are looked up by their position and nothing else: other uses of strings are refused. */
function requireLabels(graph: GraphMessage, { name, dataType, dims }: TensorMessage): void {
  const isLookup = ({ domain, opType, input }: NodeMessage): boolean =>
    domain === 'ai.onnx.ml' && opType === 'ArrayFeatureExtractor' && input[0] === name && input[1] !== name;
  if (dims.length !== 1 || graph.node.some((node) => node.input.includes(name) && !isLookup(node)))
    elementType(dataType, `initializer '${name}'`);
}

function decodeFile(bytes: Uint8Array): ModelMessage {
  if (bytes.length === 0) refuse('the file is empty');
  if (bytes.length > MAX_MODEL_BYTES) refuse(`the file has ${bytes.length} bytes, more than ${MAX_MODEL_BYTES}`, { bytes: bytes.length });
  const head = text.decode(bytes.subarray(0, 64));
  if (head.startsWith('version https://git-lfs')) {
    refuse('this is a git-lfs pointer, not the model itself', { bytes: bytes.length }, 'run `git lfs pull` where the file came from');
  }
  if (head.startsWith('<') || head.startsWith('{')) refuse('this is a text file, not an ONNX model', { bytes: bytes.length });
  return decode(bytes, decodeModel, 'the file is not a readable ONNX model');
}

function decode<Message>(bytes: Uint8Array, read: (bytes: Uint8Array) => Message, complaint: string): Message {
  try {
    return read(bytes);
  } catch (error) {
    refuse(
      `${complaint}: ${error instanceof Error ? error.message : String(error)}`,
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

function readNode(message: NodeMessage, position: number, setting: Setting): GraphNode {
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
    attributes.set(attribute.name, readAttribute(attribute, where, setting));
  }
  const opset = setting.opsets.get(domain) ?? (domain === '' ? MAX_OPSET : 1);
  const node = { name, operator: message.opType, domain, opset, inputs: message.input, outputs: message.output, attributes };
  // A node needs what its subgraphs use from outside.
  const captured = subgraphsOf(node).flatMap((graph) => graph.captures ?? []);
  return captured.length === 0 ? node : { ...node, inputs: [...node.inputs, ...captured] };
}

/** Graphs in the order in which a node's captured names follow its own inputs. */
function subgraphsOf(node: GraphNode): Graph[] {
  return ['then_branch', 'else_branch', 'body'].flatMap((name) => graphAttribute(node, name) ?? []);
}

function readSubgraph(bytes: Uint8Array, where: string, setting: Setting): Graph {
  if (setting.depth >= MAX_DEPTH) refuse(`${where}: subgraphs lie more than ${MAX_DEPTH} deep in each other`);
  return readGraph(decode(bytes, decodeGraph, `${where} holds no readable subgraph`), { ...setting, depth: setting.depth + 1 });
}

function readAttribute(attribute: AttributeMessage, where: string, setting: Setting): AttributeValue {
  if (attribute.refAttrName) refuse(`${where} refers to a function's attribute`);
  if (attribute.graphs.length > 0) refuse(`${where} holds a list of subgraphs, which is not supported`);
  if (attribute.g?.length) return readSubgraph(attribute.g, where, setting);
  if (attribute.t !== undefined && attribute.t !== null) return parseTensor(attribute.t, where, setting.externalData);
  switch (attribute.type) {
    case 1:
      return attribute.f;
    case 2:
      return toNumber(attribute.i);
    case 3:
      return string(attribute.s);
    case 6:
      return attribute.floats;
    case 7:
      return attribute.ints.map(toNumber);
    case 8:
      return attribute.strings.map(string);
    case 0: // files older than IR version 3 leave the type out
      return untypedAttribute(attribute);
    default:
      refuse(`${where} has attribute type ${attribute.type}, which is not supported`);
  }
}

function untypedAttribute(attribute: AttributeMessage): AttributeValue {
  if (attribute.floats.length > 0) return attribute.floats;
  if (attribute.ints.length > 0) return attribute.ints.map(toNumber);
  if (attribute.strings.length > 0) return attribute.strings.map(string);
  if (attribute.s?.length > 0) return string(attribute.s);
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

/** @param isOutput strings are answered as positions in the list of labels */
function readValue(message: ValueInfoMessage, isOutput = false): GraphValue {
  const tensorType = message.type?.tensorType;
  if (tensorType === undefined || tensorType === null) return { name: message.name, type: undefined, dims: undefined };
  const code = isOutput && tensorType.elemType === STRING ? INT64 : tensorType.elemType;
  const type = code === 0 ? undefined : elementType(code, `value '${message.name}'`);
  const dims = tensorType.shape?.dim.map((dim) => {
    const value = dim.dimValue === undefined ? 0 : toNumber(dim.dimValue);
    // Zero and negative sizes are what some exporters write for "any".
    return dim.dimParam || value <= 0 ? undefined : value;
  });
  return { name: message.name, type, dims };
}

/**
 * Kahn's algorithm from the outputs' needs: drops dead nodes, finds cycles, doubly defined names and undefined ones, which in a
 * subgraph come from outside.
 */
function executionOrder(
  nodes: readonly GraphNode[],
  inputs: readonly GraphValue[],
  outputs: readonly GraphValue[],
  constants: ReadonlyMap<string, Tensor>,
  message: GraphMessage,
  capture: ((name: string) => void) | undefined,
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
    if (node === undefined && capture !== undefined) {
      capture(name);
      return undefined;
    }
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
