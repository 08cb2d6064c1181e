import type { Bounds, Net, NetNode, UnaryNode } from './net.ts';

/** A tensor as a function, value by value, of one other tensor. */
interface Expression {
  readonly root: number;
  readonly f: (x: number) => number;
  readonly operations: number;
  /** Whether more than an affine map and bounds is involved: only then is a table worth it. */
  readonly curved: boolean;
}

function clamped({ low, high }: Bounds, value: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Integers that stand for themselves are left alone: a table would round them. */
function standsForItself(node: NetNode): boolean {
  return (
    node.kind === 'compare' ||
    node.kind === 'arg' ||
    node.kind === 'tree' ||
    (node.kind === 'input' && node.integer) ||
    (node.kind === 'lookup' && node.integer)
  );
}

function combined(node: NetNode, parts: readonly Expression[]): Expression | undefined {
  const [a, b] = parts as [Expression, Expression | undefined];
  const operations = 1 + parts.reduce((sum, part) => sum + part.operations, 0);
  const curved = parts.some((part) => part.curved);
  const { root } = a;
  if (b !== undefined && b.root !== root) return undefined;
  if (node.kind === 'unary' && node.functions.length === 1) {
    const g = node.functions[0]!;
    return { root, operations, curved: true, f: (x) => g(a.f(x)) };
  }
  if (node.kind === 'rescale' && node.a.length === 1 && node.innerB === 1) {
    const [scaleA, scaleB, bias] = [node.a[0]!, node.b[0]!, node.bias[0]!];
    return { root, operations, curved, f: (x) => clamped(node.bounds, scaleA * a.f(x) + (b === undefined ? 0 : scaleB * b.f(x)) + bias) };
  }
  if (node.kind === 'multiply' && node.innerB === 1 && b !== undefined) {
    return { root, operations, curved: true, f: (x) => clamped(node.bounds, node.scale * a.f(x) * b.f(x)) };
  }
  if (node.kind === 'divide' && node.innerB === 1 && b !== undefined) return { root, operations, curved: true, f: (x) => a.f(x) / b.f(x) };
  return undefined;
}

/**
 * Merges chains that compute one value from one value (Gelu, Silu, Mish and the like, however the exporter spelled
 * them) into a single function, which becomes one table.
 */
export function fuseScalars(net: Net): Net {
  const expressions: (Expression | undefined)[] = [];
  const nodes = net.nodes.map((node, id): NetNode => {
    const parts = node.sources.map(
      (source): Expression => expressions[source] ?? { root: source, f: (x) => x, operations: 0, curved: false },
    );
    const whole = node.sources.length > 0 && node.sources.every((source) => net.nodes[source]!.length === node.length);
    const made = whole ? combined(node, parts) : undefined;
    if (made === undefined || standsForItself(net.nodes[made.root]!)) return node;
    if (node.held !== undefined) return node;
    expressions[id] = made;
    if (!made.curved || made.operations < 2) return node;
    const name = node.kind === 'unary' ? node.name : 'Function';
    const fused: UnaryNode = {
      kind: 'unary',
      label: node.label,
      length: node.length,
      sources: [made.root],
      name,
      functions: [made.f],
      channelInner: 1,
    };
    return fused;
  });
  return { ...net, nodes };
}
