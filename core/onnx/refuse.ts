import { AssayError, type ErrorFacts } from '../errors.ts';
import type { GraphNode } from './graph.ts';

/** Refuses a model: what is wrong, where, and what the user can do about it. */
export function refuse(
  reason: string,
  facts: ErrorFacts = {},
  fix = 'export the model anew; docs/operators.md says what can be compiled',
): never {
  throw new AssayError(reason, { code: 'MODEL_REFUSED', facts, fix });
}

/** Refuses a model because of one operator; the node and operator always stand in the facts. */
export function refuseNode(node: GraphNode, reason: string, facts: ErrorFacts = {}, fix?: string): never {
  const operator = node.domain === '' ? node.operator : `${node.domain}::${node.operator}`;
  refuse(`node '${node.name}' (${operator}, opset ${node.opset}): ${reason}`, { node: node.name, operator, ...facts }, fix);
}
