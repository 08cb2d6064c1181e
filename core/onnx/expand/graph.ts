import { evaluateGraph, evaluateNode, type Feeds } from '../evaluate/index.ts';
import type { Graph, GraphNode } from '../graph.ts';
import { refuse } from '../refuse.ts';
import type { Tensor } from '../tensor.ts';
import type { Given } from './builder.ts';
import { expandNode, expansionOf } from './index.ts';

const MAX_NODES = 20_000;
/** Expansions inside expansions: loops in loops, attention in a branch. */
const MAX_PASSES = 12;

/** Names of tensors that depend on the values of the model's inputs, not on their shapes alone. */
function varyingNames(graph: Graph): Set<string> {
  const varying = new Set(graph.inputs.map((input) => input.name));
  for (const node of graph.nodes) {
    if (node.operator === 'Shape' || node.operator === 'Size') continue;
    if (node.inputs.some((name) => varying.has(name))) for (const output of node.outputs) varying.add(output);
  }
  return varying;
}

/**
 * Writes every node of a wide operator (Attention, TopK, Loop, interpolation…) in plainer ones, at the shapes that one example gives.
 * @throws AssayError MODEL_REFUSED where a form is not supported or the graph grows beyond 20,000 nodes
 */
export function expandGraph(graph: Graph, feeds: Feeds): Graph {
  let current = graph;
  for (let pass = 0; pass < MAX_PASSES && current.nodes.some((node) => expansionOf(node) !== undefined); pass++) {
    const varying = varyingNames(current);
    const seen = new Map<string, Tensor>();
    const negative = new Set<string>();
    const keep = (name: string, value: Tensor): void => {
      if (value.data.some((v) => v < 0)) negative.add(name);
      seen.set(name, varying.has(name) ? { ...value, data: value.data.subarray(0, 0) } : value);
    };
    for (const input of current.inputs) keep(input.name, feeds.get(input.name)!);
    evaluateGraph(current, feeds, keep);
    const given = (name: string): Given | undefined => {
      const constant = current.constants.get(name);
      const value = constant ?? seen.get(name);
      if (value === undefined) return undefined;
      return { name, dims: value.dims, type: value.type, constant: varying.has(name) ? undefined : value, negative: negative.has(name) };
    };
    const constants = new Map(current.constants);
    let changed = false;
    const nodes = current.nodes.flatMap((node): readonly GraphNode[] => {
      const expansion = expansionOf(node);
      const expanded =
        expansion &&
        expandNode(
          expansion,
          node,
          node.inputs.map((name) => (name === '' ? undefined : given(name))),
          evaluateNode,
        );
      if (expanded === undefined) return [node];
      changed = true;
      for (const [name, value] of expanded.constants) constants.set(name, value);
      return expanded.nodes;
    });
    if (!changed) break;
    if (nodes.length > MAX_NODES)
      refuse(`written in plain operators the graph has ${nodes.length} nodes, more than ${MAX_NODES}`, { nodes: nodes.length });
    current = { ...current, nodes, constants };
  }
  return current;
}
