import { type GraphNode, intsAttribute } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import type { Tensor } from '../tensor.ts';

/** One operator in float arithmetic: the inputs present (undefined where optional and absent) to its outputs. */
export type Evaluate = (node: GraphNode, inputs: readonly (Tensor | undefined)[]) => Tensor[];

export type OperatorTable = Readonly<Record<string, Evaluate>>;

/** A mandatory input; refused by name when the file leaves it out. */
export function input(node: GraphNode, inputs: readonly (Tensor | undefined)[], position: number): Tensor {
  const value = inputs[position];
  if (value === undefined) refuseNode(node, `input ${position} is missing`);
  return value;
}

/** Axes given as attribute (older operator sets) or as an input (newer ones). */
export function axesOf(node: GraphNode, inputs: readonly (Tensor | undefined)[], position = 1): number[] | undefined {
  const given = inputs[position];
  if (given !== undefined) return Array.from(given.data);
  const attribute = intsAttribute(node, 'axes');
  return attribute === undefined ? undefined : [...attribute];
}
