import type { Net, NetNode } from '../onnx/lower/net.ts';
import type { ElementType } from '../tensor.ts';
import type { Mode } from './quantization.ts';

/** Kinds that hand on what they read, whole or added up. */
const ADDING = new Set<NetNode['kind']>(['sum', 'rescale', 'max', 'map', 'select', 'gather']);

const ORDER: readonly ElementType[] = ['u8', 'i16', 'i32'];

function wider(a: ElementType, b: ElementType): ElementType {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}

/** What choosing types needs to know of the network beyond its nodes. */
interface Uses {
  readonly net: Net;
  readonly mode: Mode;
  /** Kinds that read each node. */
  readonly readers: readonly (readonly NetNode['kind'][])[];
  /** Whether a comparison or a tree reads a node, directly or through copies and sums. */
  readonly compared: readonly boolean[];
}

function usesOf(net: Net, mode: Mode): Uses {
  const readers: NetNode['kind'][][] = net.nodes.map(() => []);
  const compared = net.nodes.map(() => false);
  for (let id = net.nodes.length - 1; id >= 0; id--) {
    const { kind, sources } = net.nodes[id]!;
    for (const source of sources) {
      readers[source]!.push(kind);
      if (kind === 'compare' || kind === 'tree' || (ADDING.has(kind) && compared[id])) compared[source] = true;
    }
  }
  return { net, mode, readers, compared };
}

/** The type in which a consumer wants its n-th source; `out` is the type of the consumer's own result. */
function wanted({ net, mode, compared }: Uses, id: number, position: number, out: ElementType): ElementType {
  switch (net.nodes[id]!.kind) {
    case 'linear':
      return mode === 'wide' ? 'i16' : 'u8';
    case 'matmul':
      return position === 0 || mode === 'wide' ? 'i16' : 'u8';
    case 'sum':
      return out === 'i32' ? 'i32' : mode === 'wide' ? 'i16' : 'u8';
    case 'rescale':
    case 'max':
    case 'map':
      return out;
    case 'tree':
    case 'compare':
      return 'i32';
    case 'select':
      return position === 0 ? 'u8' : out;
    case 'gather':
      return position === 0 ? out : 'u8';
    case 'multiply':
      // A product that is compared keeps the bits of what a flag selects.
      if (out === 'i32' && compared[id]) return 'i32';
      // Of a product that is added up, the second factor may keep its bits.
      return out === 'i32' && mode === 'wide' && position === 1 ? 'i32' : 'i16';
    default:
      return 'i16';
  }
}

/** Kinds that take 32 bits as they are: rounding to 16 first would gain nothing. */
const TAKES_32 = new Set<NetNode['kind']>(['sum', 'rescale', 'compare']);

/** The least type a producer can write well. */
function produced({ net, mode, readers }: Uses, id: number): ElementType {
  const node = net.nodes[id]!;
  const isAdded = readers[id]!.length > 0 && readers[id]!.every((kind) => TAKES_32.has(kind));
  if (mode === 'wide' && isAdded && (node.kind === 'multiply' || node.kind === 'matmul' || node.kind === 'sum')) return 'i32';
  switch (node.kind) {
    case 'lookup':
      // Votes of trees are added up: nothing is gained by rounding them first.
      return net.nodes[node.sources[0]!]!.kind === 'tree' ? 'i32' : 'u8';
    case 'multiply':
    case 'matmul':
    case 'divide':
    case 'softmax':
    case 'normalize':
      return 'i16';
    default:
      return 'u8';
  }
}

/**
 * Raises types until every consumer is content.
 * @param groupOf which tensors share one type
 * @param sizes members of each group
 * @param mixed nodes that join tensors of different scales: as wide as the widest of them, 16 bits at most
 */
export function settleTypes(
  net: Net,
  groupOf: readonly number[],
  sizes: readonly number[],
  mode: Mode,
  mixed: readonly boolean[],
): ElementType[] {
  const uses = usesOf(net, mode);
  const types: ElementType[] = sizes.map(() => 'u8');
  net.nodes.forEach((_, id) => {
    types[groupOf[id]!] = wider(types[groupOf[id]!]!, produced(uses, id));
  });
  const outputs = new Set(net.outputs.map((output) => output.node));
  for (let changed = true; changed; ) {
    changed = false;
    const raise = (group: number, type: ElementType): void => {
      const next = wider(types[group]!, type);
      if (next === types[group]) return;
      types[group] = next;
      changed = true;
    };
    for (let id = net.nodes.length - 1; id >= 0; id--) {
      const node = net.nodes[id]!;
      const own = groupOf[id]!;
      if (outputs.has(id)) raise(own, outputType(net, node, uses.readers[id]!.length > 0, sizes[own]!));
      node.sources.forEach((source, position) => {
        raise(groupOf[source]!, wanted(uses, id, position, types[own]!));
        if (mixed[id] && types[groupOf[source]!] !== 'u8') raise(own, 'i16');
      });
    }
  }
  return types;
}

/** Results of linear layers and sums leave as they are, in 32 bits: 8 bits would tie. */
function outputType(net: Net, node: NetNode, consumed: boolean, members: number): ElementType {
  const isSum = ({ kind }: NetNode): boolean => kind === 'linear' || kind === 'sum' || kind === 'matmul';
  const raw = isSum(node) || (node.kind === 'rescale' && node.sources.every((source) => isSum(net.nodes[source]!)));
  return raw && !consumed && members === 1 ? 'i32' : 'i16';
}

export function exactType(low: number, high: number): ElementType {
  if (low >= 0 && high <= 255) return 'u8';
  return low >= -32768 && high <= 32767 ? 'i16' : 'i32';
}
