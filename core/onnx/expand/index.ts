import { AssayError } from '../../errors.ts';
import type { GraphNode } from '../graph.ts';
import { refuseNode } from '../refuse.ts';
import type { Tensor } from '../tensor.ts';
import { ATTENTION } from './attention.ts';
import { Builder, type Expansion, type Given, type Run } from './builder.ts';
import { CONTRACTION } from './contraction.ts';
import { CONTROL } from './control.ts';
import { ELEMENTWISE_EXPANSIONS } from './elementwise.ts';
import { FUSED } from './fused.ts';
import { INTERPOLATION } from './interpolate.ts';
import { LEARNING_EXPANSIONS } from './learning.ts';
import { QUANTIZED_EXPANSIONS } from './quantized.ts';
import { RANKING } from './ranking.ts';
import { REDUCED } from './reduced.ts';
import { SCATTER } from './scatter.ts';
import { VOLUME } from './volume.ts';

/** Operators that are written in others, by domain. */
const EXPANSIONS: Readonly<Record<string, Readonly<Record<string, Expansion>>>> = {
  '': {
    ...ATTENTION.main,
    ...CONTRACTION,
    ...CONTROL,
    ...ELEMENTWISE_EXPANSIONS,
    ...INTERPOLATION,
    ...RANKING,
    ...REDUCED,
    ...SCATTER,
    ...VOLUME,
  },
  'ai.onnx.ml': LEARNING_EXPANSIONS,
  'com.microsoft': { ...ATTENTION.contributed, ...FUSED, ...QUANTIZED_EXPANSIONS },
};

/** The expansion that may apply to a node, judged without shapes. */
export function expansionOf(node: GraphNode): Expansion | undefined {
  const found = EXPANSIONS[node.domain]?.[node.operator];
  return found === undefined || found.when?.(node) === false ? undefined : found;
}

/** Names of a domain's operators that are written in others. */
export function expandedOperators(domain: string): string[] {
  return Object.keys(EXPANSIONS[domain] ?? {});
}

export interface Expanded {
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** Attributes and shapes that make no sense together surface wherever they are first used. */
function attempt(expansion: Expansion, b: Builder): readonly string[] | undefined {
  try {
    return expansion.expand(b);
  } catch (error) {
    if (error instanceof AssayError) throw error;
    refuseNode(b.node, `its inputs and attributes do not fit: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The plain nodes that stand for one node, ending in its outputs; undefined where it is plain already. */
export function expandNode(expansion: Expansion, node: GraphNode, given: readonly (Given | undefined)[], run: Run): Expanded | undefined {
  const b = new Builder(node, given, run);
  const results = attempt(expansion, b);
  if (results === undefined) return undefined;
  const made = new Set(b.nodes.flatMap((inner) => inner.outputs));
  const renamed = new Map<string, string>();
  node.outputs.forEach((output, i) => {
    if (output === '') return;
    const result = results[i] ?? '';
    if (result === '') refuseNode(node, `output ${i} is not supported`);
    if (made.has(result) && !renamed.has(result)) renamed.set(result, output);
    else b.nodes.push({ ...node, operator: 'Identity', domain: '', inputs: [result], outputs: [output], attributes: new Map() });
  });
  const rename = (name: string): string => renamed.get(name) ?? name;
  const nodes = b.nodes.map((inner) => ({ ...inner, inputs: inner.inputs.map(rename), outputs: inner.outputs.map(rename) }));
  return { nodes, constants: b.constants };
}
