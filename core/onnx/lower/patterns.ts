import type { Graph, GraphNode } from '../graph.ts';
import type { Tensor } from '../tensor.ts';

interface Finder {
  producer(name: string | undefined, operator: string): GraphNode | undefined;
  constant(name: string | undefined): Tensor | undefined;
}

function finder(graph: Graph): Finder {
  const producers = new Map<string, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node);
  return {
    producer: (name, operator) => {
      const node = name === undefined ? undefined : producers.get(name);
      return node?.operator === operator && node.domain === '' ? node : undefined;
    },
    constant: (name) => (name === undefined ? undefined : graph.constants.get(name)),
  };
}

/** Whether a ReduceMean folds exactly the last axis and keeps it. */
function overLastAxis(find: Finder, node: GraphNode): boolean {
  const axes = find.constant(node.inputs[1])?.data ?? (node.attributes.get('axes') as readonly number[] | undefined);
  return axes?.length === 1 && axes[0] === -1 && (node.attributes.get('keepdims') ?? 1) === 1;
}

/** `x − mean(x)` over the last axis: x's name. */
function centered(find: Finder, name: string | undefined): string | undefined {
  const difference = find.producer(name, 'Sub');
  const mean = find.producer(difference?.inputs[1], 'ReduceMean');
  if (difference === undefined || mean === undefined || mean.inputs[0] !== difference.inputs[0] || !overLastAxis(find, mean))
    return undefined;
  return difference.inputs[0];
}

function squared(find: Finder, name: string | undefined): string | undefined {
  const power = find.producer(name, 'Pow');
  const exponent = find.constant(power?.inputs[1]);
  if (power !== undefined && exponent?.data.length === 1 && exponent.data[0] === 2) return power.inputs[0];
  const product = find.producer(name, 'Mul');
  return product !== undefined && product.inputs[0] === product.inputs[1] ? product.inputs[0] : undefined;
}

/** `(x − mean) / √(mean((x − mean)²) + ε)` as exporters write LayerNormalization: the input and ε. */
function normalization(find: Finder, node: GraphNode): { x: string; epsilon: number } | undefined {
  if (node.operator !== 'Div') return undefined;
  const x = centered(find, node.inputs[0]);
  const root = find.producer(node.inputs[1], 'Sqrt');
  const shifted = find.producer(root?.inputs[0], 'Add');
  if (x === undefined || shifted === undefined) return undefined;
  const constantFirst = find.constant(shifted.inputs[0]) !== undefined;
  const epsilon = find.constant(shifted.inputs[constantFirst ? 0 : 1]);
  const variance = find.producer(shifted.inputs[constantFirst ? 1 : 0], 'ReduceMean');
  if (epsilon?.data.length !== 1 || variance === undefined || !overLastAxis(find, variance)) return undefined;
  return centered(find, squared(find, variance.inputs[0])) === x ? { x, epsilon: epsilon.data[0]! } : undefined;
}

/**
 * Replaces operator groups that exporters write for one operator (LayerNormalization as nine nodes) by that operator,
 * because it has an integer form of its own that keeps more precision than the group. Functions of one value (Gelu, Silu, Mish) need no
 * pattern: they are merged into one table later, whatever their spelling.
 */
export function recognize(graph: Graph): Graph {
  const find = finder(graph);
  const nodes = graph.nodes.map((node): GraphNode => {
    const found = normalization(find, node);
    if (found === undefined) return node;
    const attributes = new Map<string, number>([
      ['axis', -1],
      ['epsilon', found.epsilon],
    ]);
    return { ...node, operator: 'LayerNormalization', opset: 17, inputs: [found.x], attributes };
  });
  return { ...graph, nodes: withoutDead(nodes, graph) };
}

function withoutDead(nodes: readonly GraphNode[], graph: Graph): GraphNode[] {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const kept: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    kept.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return kept.reverse();
}
