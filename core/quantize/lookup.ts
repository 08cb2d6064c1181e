import type {
  ArgNode,
  GatherNode,
  LookupNode,
  MapNode,
  MaxNode,
  SelectNode,
  TreeBranch,
  TreeNetNode,
  UnaryNode,
} from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { encodeMap } from '../ops/map.ts';
import { encodeTreeNodes } from '../ops/tree.ts';
import { allocate, type ElementType, TYPE_MAXIMUM, toBytes } from '../tensor.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { toInteger, toIntegers } from './integers.ts';
import { gateRanges } from './mixed.ts';
import { classOf, converted, inType, integerTensor, type Quantizer, quantizationOf } from './quantizer.ts';

/** A table of the function over every integer that the source's class can hold. */
export function unary(q: Quantizer, id: number, node: UnaryNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const source = inType(q, node.sources[0]!, ['i16', 'u8']);
  const gates = source.channels === undefined ? undefined : gateRanges(q, node.sources[0]!);
  const from = node.functions.map((_, c) => source.channels?.[c * node.channelInner] ?? source.quantization);
  const own = classOf(q, node.sources[0]!);
  // As far as the source's quantization goes; coarser ones go on beyond what was seen, for half as much again.
  const extents = node.functions.map((_, c) => {
    const { low, high, reach } = gates?.[c] ?? own;
    return own.steps < 65536
      ? { low: low * 1.5, high: high * 1.5 }
      : { low: Math.min(low * 1.5, reach.low), high: Math.max(high * 1.5, reach.high) };
  });
  const least = Math.min(...from.map((quantization, c) => toInteger(extents[c]!.low, quantization)));
  const most = Math.max(...from.map((quantization, c) => toInteger(extents[c]!.high, quantization)));
  const entries = most - least + 1;
  const values = allocate(out.type, node.functions.length * entries);
  node.functions.forEach((f, c) => {
    const { zero, scale } = from[c]!;
    for (let i = 0; i < entries; i++) {
      const y = f((least + i - zero) * scale);
      values[c * entries + i] = toInteger(Number.isFinite(y) ? y : y > 0 ? 1e30 : Number.isNaN(y) ? 0 : -1e30, out);
    }
  });
  const attributes = { offset: least, entries, width: 1, channels: node.functions.length, channelInner: node.channelInner };
  return { position: q.emitter.emit('table', out.type, node.length, [source.position], attributes, toBytes(values)), quantization: out };
}

export function lookup(q: Quantizer, id: number, node: LookupNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const id0 = node.sources[0]!;
  const source = node.channels > 1 ? integerTensor(q, id0) : node.offset === 0 ? fromStart(q, id0, node.entries) : wholeNumbers(q, id0);
  const attributes = { offset: node.offset, entries: node.entries, width: node.width, channels: node.channels, channelInner: 1 };
  return {
    position: q.emitter.emit('table', out.type, node.length, [source.position], attributes, toBytes(toIntegers(node.table, out))),
    quantization: out,
  };
}

export function max(q: Quantizer, id: number, node: MaxNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const source = converted(q, integerTensor(q, node.sources[0]!), out);
  return {
    position: q.emitter.emit('max', out.type, node.length, [source.position], { ...node.window, minimum: node.minimum ? 1 : 0 }),
    quantization: out,
  };
}

export function map(q: Quantizer, id: number, node: MapNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const sources = node.sources.map((source) => converted(q, integerTensor(q, source), out));
  const parameters = encodeMap(Uint32Array.from(node.index), toIntegers(node.constants, out));
  return {
    position: q.emitter.emit(
      'map',
      out.type,
      node.length,
      sources.map((s) => s.position),
      {},
      parameters,
    ),
    quantization: out,
  };
}

/** A tensor of indices as integers that stand for themselves. */
function wholeNumbers(q: Quantizer, id: number): IntegerTensor {
  const { low, high, exact } = classOf(q, id);
  const type: ElementType = low >= 0 && high <= 255 ? 'u8' : 'i16';
  return exact ? integerTensor(q, id) : converted(q, integerTensor(q, id), { type, scale: 1, zero: 0 });
}

/** An index tensor whose negative values count from the end, as ONNX has them; unchanged where calibration saw none. */
function fromStart(q: Quantizer, id: number, size: number): IntegerTensor {
  const index = wholeNumbers(q, id);
  if (classOf(q, id).low >= 0) return index;
  const type: ElementType = size <= 256 ? 'u8' : size <= 32768 ? 'i16' : 'i32';
  const values = allocate(type, 2 * size);
  for (let i = 0; i < 2 * size; i++) values[i] = i % size;
  const length = q.emitter.length(index.position);
  const position = q.emitter.emit(
    'table',
    type,
    length,
    [index.position],
    { offset: -size, entries: 2 * size, width: 1, channels: 1, channelInner: 1 },
    toBytes(values),
  );
  return { position, quantization: { type, scale: 1, zero: 0 } };
}

export function gather(q: Quantizer, id: number, node: GatherNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const data = converted(q, integerTensor(q, node.sources[0]!), out);
  const index = fromStart(q, node.sources[1]!, node.axis);
  const attributes = {
    outer: node.outer,
    axis: node.axis,
    width: node.width,
    count: node.count,
    perOuter: node.perOuter ? 1 : 0,
    offset: 0,
  };
  return { position: q.emitter.emit('gather', out.type, node.length, [data.position, index.position], attributes), quantization: out };
}

export function select(q: Quantizer, id: number, node: SelectNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const condition = integerTensor(q, node.sources[0]!);
  const parts = [1, 2].map((i) => converted(q, integerTensor(q, node.sources[i]!), out));
  const sources = [condition.position, ...parts.map((part) => part.position)];
  return {
    position: q.emitter.emit('select', out.type, node.length, sources, { threshold: condition.quantization.zero }),
    quantization: out,
  };
}

export function arg(q: Quantizer, id: number, node: ArgNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const own = quantizationOf(q, id);
  const type: ElementType = node.axis - 1 > TYPE_MAXIMUM[own.type] ? (node.axis <= 32768 ? 'i16' : 'i32') : own.type;
  const quantization = { type, scale: 1, zero: 0 };
  const attributes = { outer: node.outer, axis: node.axis, inner: node.inner, minimum: node.minimum ? 1 : 0 };
  return { position: q.emitter.emit('arg', type, node.length, [source.position], attributes), quantization };
}

/**
 * The integer up to which a feature goes left. A value that is the threshold itself is rounded as the threshold is; integers that stand for
 * themselves are not rounded at all.
 */
function integerThreshold(
  { threshold, strict }: Pick<TreeBranch, 'threshold' | 'strict'>,
  { scale, zero }: Quantization,
  isWhole: boolean,
): number {
  const last = strict
    ? (isWhole ? Math.ceil(threshold) : Math.round(threshold / scale)) - 1
    : isWhole
      ? Math.floor(threshold)
      : Math.round(threshold / scale);
  return Math.min(2147483647, Math.max(-2147483648, last + zero));
}

export function tree(q: Quantizer, id: number, node: TreeNetNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const isWhole = classOf(q, node.sources[0]!).exact;
  const nodes = Math.max(...node.trees.map((branches) => branches.length));
  if (nodes > 32768) refuse(`'${node.label}' has a tree of ${nodes} nodes, more than 32768`, { node: node.label, nodes });
  const padded = node.trees.flatMap((branches) =>
    Array.from({ length: nodes }, (_, i) => {
      const { feature, left, right, ...own } = branches[i] ?? { feature: 0, threshold: 0, strict: false, left: i, right: i };
      const quantization = source.channels?.[feature] ?? source.quantization;
      return { feature, left, right, threshold: integerThreshold(own, quantization, isWhole) };
    }),
  );
  const type: ElementType = nodes <= 256 ? 'u8' : 'i16';
  const attributes = { rows: node.rows, features: node.features, trees: node.trees.length, nodes, depth: node.depth };
  quantizationOf(q, id);
  return {
    position: q.emitter.emit('tree', type, node.length, [source.position], attributes, encodeTreeNodes(padded)),
    quantization: { type, scale: 1, zero: 0 },
  };
}
