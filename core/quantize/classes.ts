import type { Held, Net, NetNode } from '../onnx/lower/net.ts';
import type { ElementType } from '../tensor.ts';
import { exactType, settleTypes } from './element-types.ts';
import { mixedJoins } from './mixed.ts';
import { MASK, type Mode, type QuantizationClass, type Range } from './quantization.ts';

class UnionFind {
  private readonly parent: number[];
  constructor(size: number) {
    this.parent = Array.from({ length: size }, (_, i) => i);
  }
  find(id: number): number {
    let at = id;
    while (this.parent[at] !== at) at = this.parent[at] = this.parent[this.parent[at]!]!;
    return at;
  }
  join(a: number, b: number): void {
    this.parent[this.find(b)] = this.find(a);
  }
}

/** Functions whose results are integers. */
const WHOLE = new Set(['Truncate', 'NonZero', 'Round', 'Floor', 'Ceil', 'Sign']);

/** Whether a node's values are integers that stand for themselves. */
function exactNodes(net: Net): boolean[] {
  const exact: boolean[] = [];
  const isInteger = (v: number): boolean => Number.isInteger(v);
  for (const node of net.nodes) {
    const all = node.sources.length > 0 && node.sources.every((source) => exact[source]);
    switch (node.kind) {
      case 'input':
        exact.push(node.integer);
        break;
      case 'compare':
      case 'arg':
      case 'tree':
        exact.push(true);
        break;
      case 'lookup':
        exact.push(node.integer && node.table.every(isInteger));
        break;
      case 'unary':
        exact.push(WHOLE.has(node.name) || (all && (node.name === 'Abs' || node.name === 'Square')));
        break;
      case 'map':
        exact.push(node.sources.every((source) => exact[source]) && node.constants.every((c) => isInteger(c) && Math.abs(c) < MASK));
        break;
      case 'max':
        exact.push(all);
        break;
      case 'gather':
        exact.push(exact[node.sources[0]!]!);
        break;
      case 'select':
        exact.push(exact[node.sources[1]!]! && exact[node.sources[2]!]!);
        break;
      case 'rescale':
        exact.push(all && node.a.every(isInteger) && node.b.every(isInteger) && node.bias.every(isInteger));
        break;
      case 'multiply':
      case 'sum':
        exact.push(all && isInteger(node.scale));
        break;
      default:
        exact.push(false);
    }
  }
  return exact;
}

/** Sources whose values the node copies unchanged. */
function copied(node: NetNode): readonly number[] {
  switch (node.kind) {
    case 'max':
    case 'map':
      return node.sources;
    case 'gather':
      return [node.sources[0]!];
    case 'select':
      return [node.sources[1]!, node.sources[2]!];
    default:
      return [];
  }
}

/**
 * Tensors between which values are copied, joined. A source much smaller than what it is copied into would lose its
 * resolution: it keeps a quantization of its own and is converted; 16 bits have room for more difference than 8.
 */
function joined(net: Net, ranges: readonly Range[], exact: readonly boolean[], mode: Mode, mixed: readonly boolean[]): number[] {
  const alone = settleTypes(
    net,
    net.nodes.map((_, id) => id),
    net.nodes.map(() => 1),
    mode,
    mixed,
  );
  const sets = new UnionFind(net.nodes.length);
  net.nodes.forEach((node, id) => {
    for (const source of mixed[id] ? [] : copied(node)) {
      const [own, theirs] = [ranges[id]!, ranges[source]!];
      const least = alone[id] !== 'u8' && alone[source] !== 'u8' ? (mode === 'wide' ? 0.6 : 0.02) : 0.3;
      const small = theirs.high - theirs.low < least * (own.high - own.low);
      if (exact[source] === exact[id] && (node.kind === 'max' || node.kind === 'gather' || exact[id] || !small)) sets.join(source, id);
    }
  });
  return net.nodes.map((_, id) => sets.find(id));
}

/** The file's own quantization of a tensor; an input that the file only quantizes enters in that form. */
function heldBy(net: Net, id: number): Held | undefined {
  const node = net.nodes[id]!;
  if (node.held !== undefined || node.kind !== 'input') return node.held;
  const readers = net.nodes.filter((reader) => reader.sources.includes(id));
  const held = readers[0]?.held;
  const same = readers.every(
    (reader) =>
      reader.kind === 'rescale' &&
      reader.a.every((a) => a === 1) &&
      reader.bias.every((b) => b === 0) &&
      reader.held?.scale === held?.scale &&
      reader.held?.zero === held?.zero,
  );
  return same ? held : undefined;
}

/** Groups the network's tensors into quantization classes and gives each its type. */
export function classify(
  net: Net,
  ranges: readonly Range[],
  mode: Mode,
): { classes: QuantizationClass[]; classOf: number[]; mixed: boolean[] } {
  const exact = exactNodes(net);
  const mixed = mixedJoins(net, ranges, exact);
  const rootOf = joined(net, ranges, exact, mode, mixed);
  const roots = [...new Set(rootOf)];
  const position = new Map(roots.map((root, c) => [root, c]));
  const classOf = rootOf.map((root) => position.get(root)!);
  const members: number[][] = roots.map(() => []);
  classOf.forEach((c, id) => {
    members[c]!.push(id);
  });
  const types = settleTypes(
    net,
    classOf,
    members.map((ids) => ids.length),
    mode,
    mixed,
  );
  const classes = members.map((ids, c): QuantizationClass => {
    const low = Math.min(...ids.map((id) => ranges[id]!.low - (ranges[id]!.masked ? 20 : 0)));
    const high = Math.max(...ids.map((id) => ranges[id]!.high));
    const reach = {
      low: Math.min(low, ...ids.map((id) => ranges[id]!.reach.low)),
      high: Math.max(high, ...ids.map((id) => ranges[id]!.reach.high)),
    };
    const isExact = ids.every((id) => exact[id]);
    // A quantized file's own scale is taken over, rounding included.
    const held = isExact ? undefined : ids.map((id) => heldBy(net, id)).find((own) => own !== undefined);
    if (held !== undefined)
      return { members: ids, low, high, reach, exact: false, type: 'u8', steps: 256, quantization: { type: 'u8', ...held } };
    const type = isExact ? exactType(low, high) : types[c]!;
    return {
      members: ids,
      low,
      high,
      reach,
      exact: isExact,
      type,
      steps: stepsOf(net, ids, type, mode),
      quantization: isExact ? { type, scale: 1, zero: 0 } : undefined,
    };
  });
  return { classes, classOf, mixed };
}

const TABLE_STEPS = 4096;

/** Tensors that only tables read need no more steps than a table has entries. */
function stepsOf(net: Net, ids: readonly number[], type: ElementType, mode: Mode): number {
  if (type === 'u8') return 256;
  if (type === 'i32') return 2 ** 31;
  const members = new Set(ids);
  const outputs = net.outputs.some((output) => members.has(output.node));
  const readers = net.nodes.flatMap((node, id) =>
    node.sources.some((source) => members.has(source)) && !members.has(id) ? [node.kind] : [],
  );
  const tablesOnly = !outputs && readers.length > 0 && readers.every((kind) => kind === 'unary');
  return tablesOnly && mode === 'narrow' ? TABLE_STEPS : 65536;
}
