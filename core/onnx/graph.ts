import type { ElementType, Tensor } from './tensor.ts';

export type AttributeValue = number | string | readonly number[] | readonly string[] | Tensor | Graph;

/** One operator. Outputs that a graph leaves out are empty names; so are optional inputs. */
export interface GraphNode {
  /** The file's own name, or `<operator>#<position>` where it has none: what error messages say. */
  readonly name: string;
  readonly operator: string;
  /** '' for ai.onnx; otherwise as written ('ai.onnx.ml', 'com.microsoft'). */
  readonly domain: string;
  /** Version of the operator set that the model imports for `domain`. */
  readonly opset: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

export interface GraphValue {
  readonly name: string;
  /** undefined for a sequence or map output (ZipMap). */
  readonly type: ElementType | undefined;
  /** A dynamic dimension is undefined. Undefined altogether: the file does not say. */
  readonly dims: readonly (number | undefined)[] | undefined;
}

/** A validated ONNX graph: acyclic, nodes in execution order, every input name defined, every constant finite and complete. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly opsets: ReadonlyMap<string, number>;
  /** Constants of strings, which `constants` has as positions in these lists: the labels of classes. */
  readonly strings?: ReadonlyMap<string, readonly string[]>;
  /** Of a subgraph: names it uses from outside. They stand behind the own inputs of the node that holds it. */
  readonly captures?: readonly string[];
}

export function intAttribute(node: GraphNode, name: string, fallback: number): number {
  const value = node.attributes.get(name);
  return typeof value === 'number' ? value : fallback;
}

export function intsAttribute(node: GraphNode, name: string): readonly number[] | undefined {
  const value = node.attributes.get(name);
  return Array.isArray(value) && (value.length === 0 || typeof value[0] === 'number') ? (value as readonly number[]) : undefined;
}

export function stringAttribute(node: GraphNode, name: string, fallback: string): string {
  const value = node.attributes.get(name);
  return typeof value === 'string' ? value : fallback;
}

export function stringsAttribute(node: GraphNode, name: string): readonly string[] | undefined {
  const value = node.attributes.get(name);
  return Array.isArray(value) && typeof value[0] === 'string' ? (value as readonly string[]) : undefined;
}

export function tensorAttribute(node: GraphNode, name: string): Tensor | undefined {
  const value = node.attributes.get(name);
  return typeof value === 'object' && 'dims' in value ? value : undefined;
}

export function graphAttribute(node: GraphNode, name: string): Graph | undefined {
  const value = node.attributes.get(name);
  return typeof value === 'object' && 'nodes' in value ? value : undefined;
}
