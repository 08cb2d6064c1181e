import type { Graph, GraphNode } from '../graph.ts';
import { normalizeAxis, type Tensor } from '../tensor.ts';

type DimsOf = (name: string) => readonly number[] | undefined;

/** `(x − mean(x)) / √(variance + ε)` over some axes, or `x / √(mean(x²) + ε)` without the centering. */
interface Normalized {
  readonly x: string;
  readonly axes: readonly number[];
  readonly epsilon: number;
  readonly centered: boolean;
}

class Finder {
  private readonly producers = new Map<string, GraphNode>();
  private readonly graph: Graph;
  readonly dimsOf: DimsOf;

  constructor(graph: Graph, dimsOf: DimsOf) {
    this.graph = graph;
    this.dimsOf = dimsOf;
    for (const node of graph.nodes) for (const output of node.outputs) this.producers.set(output, node);
  }

  producer(name: string | undefined, operator: string): GraphNode | undefined {
    const node = name === undefined ? undefined : this.producers.get(name);
    return node?.operator === operator && node.domain === '' ? node : undefined;
  }

  constant(name: string | undefined): Tensor | undefined {
    return name === undefined ? undefined : this.graph.constants.get(name);
  }

  /** The one value of a constant. */
  scalar(name: string | undefined): number | undefined {
    const value = this.constant(name);
    return value?.data.length === 1 ? value.data[0] : undefined;
  }

  /** Of an operator of two operands in any order: the varying and the constant scalar one. */
  withScalar(name: string | undefined, operator: string): { other: string; scalar: number } | undefined {
    const [a, b] = this.producer(name, operator)?.inputs ?? [];
    const [left, right] = [this.scalar(a), this.scalar(b)];
    if (a === undefined || b === undefined) return undefined;
    if (right !== undefined) return { other: a, scalar: right };
    return left === undefined ? undefined : { other: b, scalar: left };
  }

  /** Input and axes of a ReduceMean that keeps its dimensions. */
  mean(name: string | undefined): { x: string; axes: number[] } | undefined {
    const node = this.producer(name, 'ReduceMean');
    const x = node?.inputs[0];
    const dims = x === undefined ? undefined : this.dimsOf(x);
    if (node === undefined || x === undefined || dims === undefined || (node.attributes.get('keepdims') ?? 1) !== 1) return undefined;
    const given = this.constant(node.inputs[1])?.data ?? (node.attributes.get('axes') as readonly number[] | undefined);
    if (given === undefined || given.length === 0) return undefined;
    return { x, axes: Array.from(given, (axis) => normalizeAxis(axis, dims.length)).sort((p, q) => p - q) };
  }

  /** `x − mean(x)` */
  centered(name: string | undefined): { x: string; axes: number[] } | undefined {
    const difference = this.producer(name, 'Sub');
    const mean = this.mean(difference?.inputs[1]);
    return mean !== undefined && mean.x === difference?.inputs[0] ? mean : undefined;
  }

  squared(name: string | undefined): string | undefined {
    const power = this.producer(name, 'Pow');
    if (power !== undefined) return this.scalar(power.inputs[1]) === 2 ? power.inputs[0] : undefined;
    const product = this.producer(name, 'Mul');
    return product !== undefined && product.inputs[0] === product.inputs[1] ? product.inputs[0] : undefined;
  }

  /** What lies under a root, written as Sqrt or as a power. */
  under(name: string | undefined, exponent: 0.5 | -0.5): string | undefined {
    const root = this.producer(name, 'Sqrt');
    if (exponent === 0.5 && root !== undefined) return root.inputs[0];
    const power = this.producer(name, 'Pow');
    return power !== undefined && this.scalar(power.inputs[1]) === exponent ? power.inputs[0] : undefined;
  }

  /** `mean(square) + ε` */
  private spread(name: string | undefined): Normalized | undefined {
    const sum = this.withScalar(name, 'Add');
    const mean = this.mean(sum?.other);
    const base = this.squared(mean?.x);
    if (sum === undefined || mean === undefined || base === undefined) return undefined;
    const inner = this.centered(base);
    if (inner === undefined) return { x: base, axes: mean.axes, epsilon: sum.scalar, centered: false };
    return inner.axes.join() === mean.axes.join() ? { x: inner.x, axes: mean.axes, epsilon: sum.scalar, centered: true } : undefined;
  }

  deviation(name: string | undefined): Normalized | undefined {
    return this.spread(this.under(name, 0.5));
  }

  /** One over the deviation, in the spellings of exporters. */
  inverse(name: string | undefined): Normalized | undefined {
    const reciprocal = this.producer(name, 'Reciprocal');
    if (reciprocal !== undefined) return this.deviation(reciprocal.inputs[0]);
    const quotient = this.producer(name, 'Div');
    if (quotient !== undefined) return this.scalar(quotient.inputs[0]) === 1 ? this.deviation(quotient.inputs[1]) : undefined;
    return this.spread(this.under(name, -0.5));
  }
}

/** Whether `name` is what the deviation was taken of. */
function fits(find: Finder, name: string | undefined, found: Normalized | undefined): Normalized | undefined {
  if (found === undefined) return undefined;
  if (!found.centered) return name === found.x ? found : undefined;
  const inner = find.centered(name);
  return inner !== undefined && inner.x === found.x && inner.axes.join() === found.axes.join() ? found : undefined;
}

function normalization(find: Finder, node: GraphNode): Normalized | undefined {
  const [a, b] = node.inputs;
  if (node.domain !== '') return undefined;
  if (node.operator === 'Div') return fits(find, a, find.deviation(b));
  if (node.operator === 'Mul') return fits(find, a, find.inverse(b)) ?? fits(find, b, find.inverse(a));
  return undefined;
}

/** `x·s + (β − mean·s)` with `s = γ / deviation`, as Keras writes it: the normalized x, γ and β. */
function foldedNormalization(find: Finder, node: GraphNode): { found: Normalized; gamma: string | undefined; beta: string } | undefined {
  if (node.operator !== 'Add' || node.domain !== '') return undefined;
  for (const [first, second] of [node.inputs, [...node.inputs].reverse()]) {
    const difference = find.producer(second, 'Sub');
    const product = find.producer(difference?.inputs[1], 'Mul');
    const scaled = find.producer(first, 'Mul');
    if (difference === undefined || product === undefined || scaled === undefined) continue;
    const shared = scaled.inputs.find((name) => product.inputs.includes(name));
    const x = scaled.inputs.find((name) => name !== shared);
    const mean = find.mean(product.inputs.find((name) => name !== shared));
    const factor = find.producer(shared, 'Mul');
    const direct = find.inverse(shared);
    const split = factor?.inputs.map((name) => find.inverse(name));
    const at = split?.findIndex((one) => one !== undefined) ?? -1;
    const found = direct ?? split?.[at];
    if (found === undefined || !found.centered || found.x !== x || mean?.x !== x || mean.axes.join() !== found.axes.join()) continue;
    return { found, gamma: direct === undefined ? factor!.inputs[1 - at] : undefined, beta: difference.inputs[0]! };
  }
  return undefined;
}

/** The operator that normalizes trailing axes, between transpositions where the axes lie elsewhere. */
function written(find: Finder, node: GraphNode, { x, axes, epsilon, centered }: Normalized, output: string): GraphNode[] {
  const rank = find.dimsOf(x)?.length ?? 0;
  const make = (operator: string, input: string, made: string, attributes: Record<string, number | readonly number[]>): GraphNode => ({
    ...node,
    operator,
    opset: 23,
    inputs: [input],
    outputs: [made],
    attributes: new Map(Object.entries(attributes)),
  });
  const operator = centered ? 'LayerNormalization' : 'RMSNormalization';
  const axis = rank - axes.length;
  if (axes.every((one, i) => one === axis + i)) return [make(operator, x, output, { axis, epsilon })];
  const perm = [...Array.from({ length: rank }, (_, i) => i).filter((i) => !axes.includes(i)), ...axes];
  const back = perm.map((_, i) => perm.indexOf(i));
  return [
    make('Transpose', x, `${output}/turned`, { perm }),
    make(operator, `${output}/turned`, `${output}/normal`, { axis, epsilon }),
    make('Transpose', `${output}/normal`, output, { perm: back }),
  ];
}

/**
 * Replaces operator groups that exporters write for one operator (LayerNormalization as nine nodes, InstanceNormalization, RMSNormalization)
 * by that operator, because it has an integer form of its own that keeps more precision than the group. Functions of one value (Gelu, Silu, Mish) need no
 * pattern: they are merged into one table later, whatever their spelling.
 */
export function recognize(graph: Graph, dimsOf: DimsOf): Graph {
  const find = new Finder(graph, dimsOf);
  const nodes = graph.nodes.flatMap((node): readonly GraphNode[] => {
    const output = node.outputs[0]!;
    const plain = normalization(find, node);
    if (plain !== undefined) return written(find, node, plain, output);
    const folded = foldedNormalization(find, node);
    if (folded === undefined) return [node];
    const { found, gamma, beta } = folded;
    const normal = `${output}/rows`;
    const binary = (operator: string, inputs: readonly string[], made: string): GraphNode => ({
      ...node,
      operator,
      inputs,
      outputs: [made],
    });
    const scaled = gamma === undefined ? normal : `${output}/scaled`;
    return [
      ...written(find, node, found, normal),
      ...(gamma === undefined ? [] : [binary('Mul', [normal, gamma], scaled)]),
      binary('Add', [scaled, beta], output),
    ];
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
