import { refuse } from './refuse.ts';
import {
  type AttributeMessage,
  decodeFunction,
  decodeGraph,
  encodeGraph,
  type FunctionMessage,
  type GraphMessage,
  type NodeMessage,
} from './schema.ts';

const MAX_NODES = 20_000;
/** Functions that call functions. */
const MAX_DEPTH = 16;

type Functions = ReadonlyMap<string, FunctionMessage>;

function keyOf(domain: string, name: string): string {
  return `${domain === 'ai.onnx' ? '' : domain}::${name}`;
}

/** A copy with some fields changed. A decoded message holds the defaults of absent fields in its prototype, which a plain copy would lose. */
function changed<Message extends object>(message: Message, fields: Partial<Message>): Message {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, fields);
}

/** The attributes of a node inside a function, with those that refer to the caller's filled in; absent ones disappear. */
function filled(node: NodeMessage, given: ReadonlyMap<string, AttributeMessage>): AttributeMessage[] {
  return node.attribute.flatMap((attribute) => {
    if (!attribute.refAttrName) return [attribute];
    const value = given.get(attribute.refAttrName);
    return value === undefined ? [] : [changed(value, { name: attribute.name })];
  });
}

function renamedNode(
  node: NodeMessage,
  name: string,
  attributes: readonly AttributeMessage[],
  rename: (name: string) => string,
): NodeMessage {
  return changed(node, {
    name,
    input: node.input.map(rename),
    output: node.output.map(rename),
    attribute: attributes.map((attribute) => renamedAttribute(attribute, rename)),
  });
}

/** A node's subgraphs see the names around them, so those change there as well. */
function renamedAttribute(attribute: AttributeMessage, rename: (name: string) => string): AttributeMessage {
  if (!attribute.g?.length) return attribute;
  const graph = decodeGraph(attribute.g);
  const node = graph.node.map((inner) => renamedNode(inner, inner.name, inner.attribute, rename));
  const output = graph.output.map((value) => changed(value, { name: rename(value.name) }));
  return changed(attribute, { g: encodeGraph(changed(graph, { node, output })) });
}

function readFunction(bytes: Uint8Array): FunctionMessage {
  try {
    return decodeFunction(bytes);
  } catch (error) {
    refuse(`a function of the model cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The nodes of one call. */
function bodyOf(call: NodeMessage, definition: FunctionMessage, prefix: string): NodeMessage[] {
  const given = new Map(definition.attributeProto.map((attribute) => [attribute.name, attribute]));
  for (const attribute of call.attribute) given.set(attribute.name, attribute);
  const names = new Map<string, string>([['', '']]);
  for (const [i, name] of definition.input.entries()) names.set(name, call.input[i] ?? '');
  definition.output.forEach((name, i) => {
    if (call.output[i]) names.set(name, call.output[i]);
  });
  // A name that is neither given nor answered is the function's own.
  const own = new Set(definition.node.flatMap((node) => node.output));
  const rename = (name: string): string => names.get(name) ?? (own.has(name) ? `${prefix}/${name}` : name);
  return definition.node.map((node, i) => {
    const name = `${call.name === '' ? call.opType : call.name}/${node.name === '' ? `${node.opType}#${i}` : node.name}`;
    return renamedNode(node, name, filled(node, given), rename);
  });
}

function inlined(nodes: readonly NodeMessage[], functions: Functions, prefix: string, depth: number): NodeMessage[] {
  if (depth > MAX_DEPTH) refuse(`functions of the model call each other more than ${MAX_DEPTH} deep`);
  const result: NodeMessage[] = [];
  nodes.forEach((node, i) => {
    const definition = functions.get(keyOf(node.domain, node.opType));
    if (definition === undefined) result.push(node);
    else {
      const inner = `${prefix}${definition.name}#${i}`;
      result.push(...inlined(bodyOf(node, definition, inner), functions, `${inner}/`, depth + 1));
    }
    if (result.length > MAX_NODES) refuse(`with its functions written out the graph has more than ${MAX_NODES} nodes`);
  });
  return result;
}

/**
 * Writes the functions that a model defines for itself in place of their calls. Calls inside subgraphs stay and are refused
 * later as unknown operators.
 * @throws AssayError MODEL_REFUSED when they call themselves or grow beyond 20,000 nodes
 */
export function inlineFunctions(graph: GraphMessage, encoded: readonly Uint8Array[]): GraphMessage {
  if (encoded.length === 0) return graph;
  const functions = new Map(
    encoded.map((bytes) => {
      const definition = readFunction(bytes);
      return [keyOf(definition.domain, definition.name), definition] as const;
    }),
  );
  return changed(graph, { node: inlined(graph.node, functions, '', 0) });
}
