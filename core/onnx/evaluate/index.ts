import { AssayError } from '../../errors.ts';
import { expandNode, expansionOf } from '../expand/index.ts';
import type { Graph, GraphNode } from '../graph.ts';
import { refuse, refuseNode } from '../refuse.ts';
import type { Tensor } from '../tensor.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { LEARNING } from './learning.ts';
import { LINEAR } from './linear.ts';
import { LOOKUP } from './lookup.ts';
import { MOVEMENT, SHAPES } from './movement.ts';
import { NORMALIZATION } from './normalization.ts';
import type { Evaluate, OperatorTable } from './operator.ts';
import { QUANTIZED } from './quantized.ts';
import { RECURRENT } from './recurrent.ts';
import { REDUCTION } from './reduction.ts';
import { scalarFunction } from './unary.ts';

const MAIN: OperatorTable = {
  ...ELEMENTWISE,
  ...MOVEMENT,
  ...SHAPES,
  ...LINEAR,
  ...REDUCTION,
  ...NORMALIZATION,
  ...LOOKUP,
  ...RECURRENT,
  ...QUANTIZED,
};

function evaluatorOf(node: GraphNode): Evaluate | undefined {
  if (node.domain === 'ai.onnx.ml') return LEARNING[node.operator];
  const known = MAIN[node.operator];
  if (known !== undefined) return known;
  const scalar = scalarFunction(node);
  if (scalar === undefined) return undefined;
  return (_, inputs) => {
    const x = inputs[0] ?? refuseNode(node, 'input 0 is missing');
    return [{ ...x, data: x.data.map(scalar) }];
  };
}

/** Whether the importer knows the operator at all. */
export function isKnown(node: GraphNode): boolean {
  return evaluatorOf(node) !== undefined || expansionOf(node) !== undefined;
}

/** Runs the plain nodes that stand for one; undefined where the node is plain already. */
function evaluateExpanded(node: GraphNode, inputs: readonly (Tensor | undefined)[]): Tensor[] | undefined {
  const expansion = expansionOf(node);
  if (expansion === undefined || (evaluatorOf(node) !== undefined && expansion.replaces !== true)) return undefined;
  const given = inputs.map((value, i) => value && { name: node.inputs[i]!, dims: value.dims, type: value.type, constant: value });
  const expanded = expandNode(expansion, node, given, evaluateNode);
  if (expanded === undefined) return undefined;
  const constants = new Map(expanded.constants);
  for (const value of given) if (value !== undefined) constants.set(value.name, value.constant);
  const outputs = node.outputs.filter((name) => name !== '').map((name) => ({ name, type: undefined, dims: undefined }));
  const results = evaluateGraph({ nodes: expanded.nodes, inputs: [], outputs, constants, opsets: new Map() }, new Map());
  return node.outputs.map((name) => results.get(name)!);
}

/**
 * Runs one node in float arithmetic.
 * @throws AssayError MODEL_REFUSED naming the node when the operator is unknown or its inputs do not fit.
 */
export function evaluateNode(node: GraphNode, inputs: readonly (Tensor | undefined)[]): Tensor[] {
  const evaluate = evaluatorOf(node);
  try {
    const expanded = evaluateExpanded(node, inputs);
    if (expanded !== undefined) return expanded;
    if (evaluate === undefined) refuseNode(node, 'this operator is not supported', {}, 'docs/operators.md lists what can be compiled');
    return evaluate(node, inputs);
  } catch (error) {
    if (error instanceof AssayError) throw error;
    refuseNode(node, `its inputs do not fit: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export type Feeds = ReadonlyMap<string, Tensor>;

/**
 * Runs the whole graph: the float reference that the integer program is held against.
 * @param feeds one tensor per graph input
 * @param onTensor sees every computed tensor as it is made
 * @returns the outputs by name; one node's result is freed once nothing needs it any more
 */
export function evaluateGraph(graph: Graph, feeds: Feeds, onTensor?: (name: string, value: Tensor) => void): Map<string, Tensor> {
  const values = new Map<string, Tensor>(graph.constants);
  for (const input of graph.inputs) {
    const value = feeds.get(input.name);
    if (value === undefined)
      refuse(`no value is given for the input '${input.name}'`, { input: input.name }, 'name every input of the model in the case');
    values.set(input.name, value);
  }
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const name of node.inputs) uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const output of graph.outputs) uses.set(output.name, Number.POSITIVE_INFINITY);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
    const results = evaluateNode(node, inputs);
    node.outputs.forEach((name, i) => {
      const result = results[i];
      if (name === '') return;
      if (result === undefined) {
        if ((uses.get(name) ?? 0) > 0) refuseNode(node, `output ${i} is not supported`);
        return;
      }
      values.set(name, result);
      onTensor?.(name, result);
    });
    for (const name of node.inputs) {
      const left = (uses.get(name) ?? 0) - 1;
      uses.set(name, left);
      if (left === 0 && !graph.constants.has(name)) values.delete(name);
    }
  }
  return new Map(graph.outputs.map((output) => [output.name, values.get(output.name)!]));
}
