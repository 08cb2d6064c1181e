import type {
  ArgNode,
  CompareNode,
  DivideNode,
  GatherNode,
  InputNode,
  LookupNode,
  MapNode,
  MatmulNode,
  MaxNode,
  MultiplyNode,
  NetNode,
  RescaleNode,
  SelectNode,
  SumNode,
  TreeNetNode,
  UnaryNode,
} from '../onnx/lower/net.ts';
import { refuse } from '../onnx/refuse.ts';
import { encodeMap } from '../ops/map.ts';
import { ACCUMULATOR_LIMIT, EXACT_LIMIT, magnitude } from '../ops/operation.ts';
import { encodeTreeNodes } from '../ops/tree.ts';
import { allocate, type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray, toBytes } from '../tensor.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { quantizeLinear } from './linear.ts';
import { normalizeProgram } from './normalize.ts';
import {
  classOf,
  converted,
  covering,
  emitRescale,
  inType,
  integerBounds,
  integerTensor,
  observed,
  type Quantizer,
  quantizationOf,
  type RealRow,
} from './quantizer.ts';
import { softmaxProgram } from './softmax.ts';

/** Nearest integer of a real under a quantization, clamped to the type. */
export function toInteger(value: number, { type, scale, zero }: Quantization): number {
  return Math.min(TYPE_MAXIMUM[type], Math.max(TYPE_MINIMUM[type], Math.round(value / scale) + zero));
}

export function toIntegers(values: ArrayLike<number>, quantization: Quantization): TypedArray {
  const out = allocate(quantization.type, values.length);
  for (let i = 0; i < out.length; i++) out[i] = toInteger(values[i]!, quantization);
  return out;
}

/** Step of a grid of at most 256 values on which all the given ones lie (pixels), or undefined. */
function pixelGrid(runs: readonly ArrayLike<number>[]): { step: number; low: number } | undefined {
  const seen = new Set<number>();
  for (const values of runs)
    for (let i = 0; i < values.length; i++) {
      seen.add(values[i]!);
      if (seen.size > 256) return undefined;
    }
  const sorted = [...seen].sort((a, b) => a - b);
  if (sorted.length < 8) return undefined;
  let step = Number.POSITIVE_INFINITY;
  for (let i = 1; i < sorted.length; i++) step = Math.min(step, sorted[i]! - sorted[i - 1]!);
  const low = sorted[0]!;
  const high = sorted[sorted.length - 1]!;
  // Neighbouring floats differ by rounding: the step is refined from the whole span.
  const count = Math.round((high - low) / step);
  if (count > 255 || count < 1) return undefined;
  const fine = (high - low) / count;
  return sorted.every((v) => Math.abs((v - low) / fine - Math.round((v - low) / fine)) < 0.02) ? { step: fine, low } : undefined;
}

function input(q: Quantizer, id: number, node: InputNode): IntegerTensor {
  const own = classOf(q, id);
  const runs = q.runs.map((values) => values[id]!);
  if (!own.exact && own.type === 'u8') {
    const grid = pixelGrid(runs);
    const zero = grid === undefined ? 0 : Math.round(-grid.low / grid.step);
    if (grid !== undefined && zero >= 0 && zero <= 255 && Math.abs(grid.low + zero * grid.step) < 0.01 * grid.step)
      own.quantization = { type: 'u8', scale: grid.step, zero };
    else if (grid !== undefined && grid.low < 0) own.quantization = { type: 'u8', scale: grid.step, zero };
  }
  // Powers of two keep most float32 values exact, so that a threshold is met where it was met.
  if (!own.exact && own.type === 'i32')
    own.quantization = { type: 'i32', scale: 2 ** (Math.ceil(Math.log2(Math.max(-own.low, own.high, 1e-30) * 4)) - 30), zero: 0 };
  const quantization = quantizationOf(q, id);
  q.emitter.label = node.name;
  return {
    position: q.emitter.input(
      quantization.type,
      node.length,
      runs.map((values) => toIntegers(values, quantization)),
    ),
    quantization,
  };
}

function rescale(q: Quantizer, id: number, node: RescaleNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const rows: RealRow[] = Array.from(node.a, (a, c) => ({ a, b: node.b[c]!, bias: node.bias[c]! }));
  const sources = node.sources.map((source) => integerTensor(q, source));
  return { position: emitRescale(q, sources, rows, out, node.bounds, node), quantization: out };
}

/** multiplier and shift of a ratio such that `bits` of the multiplier are used and the product stays exact. */
export function ratioOf(ratio: number, most: number, bits: number, biasUnits = 0): { multiplier: number; shift: number; bias: number } {
  let shift = Math.min(47, Math.max(0, Number.isInteger(ratio) ? 0 : bits - Math.ceil(Math.log2(Math.abs(ratio) || 1))));
  for (; ; shift--) {
    const multiplier = Math.round(ratio * 2 ** shift);
    const bias = Math.round(biasUnits * 2 ** shift);
    const fits =
      Math.abs(multiplier) * most + Math.abs(bias) + 2 ** shift < EXACT_LIMIT && Math.abs(multiplier) < 2 ** 31 && Math.abs(bias) < 2 ** 31;
    if (fits || shift === 0) return { multiplier, shift, bias };
  }
}

function multiply(q: Quantizer, id: number, node: MultiplyNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const [a, b] = [inType(q, node.sources[0]!, ['i16', 'u8']), inType(q, node.sources[1]!, ['i16', 'u8'])];
  const most = magnitude(a.quantization.type, a.quantization.zero) * magnitude(b.quantization.type, b.quantization.zero);
  const ratio = (node.scale * a.quantization.scale * b.quantization.scale) / out.scale;
  const { multiplier, shift, bias } = ratioOf(ratio, most, 18, out.zero);
  const attributes = {
    multiplier,
    shift,
    bias,
    zeroPointA: a.quantization.zero,
    zeroPointB: b.quantization.zero,
    innerB: node.innerB,
    ...integerBounds(out, node.bounds),
  };
  return { position: q.emitter.emit('multiply', out.type, node.length, [a.position, b.position], attributes), quantization: out };
}

function divide(q: Quantizer, id: number, node: DivideNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const { low } = observed(q, node.sources[1]!);
  if (low < 0)
    refuse(
      `'${node.label}' divides by values that may be negative`,
      { node: node.label, least: low },
      'only positive divisors (norms, deviations, sums of squares) can be compiled',
    );
  const numerator = inType(q, node.sources[0]!, ['i16', 'u8']);
  const plain = integerTensor(q, node.sources[1]!);
  const divisor =
    plain.quantization.zero === 0
      ? plain
      : converted(q, plain, covering('i16', 0, observed(q, node.sources[1]!).high * q.options.headroom, 65536));
  const ratio = numerator.quantization.scale / (divisor.quantization.scale * out.scale);
  const attributes = {
    multiplier: Math.round(ratio),
    zeroPoint: numerator.quantization.zero,
    innerB: node.innerB,
    offset: out.zero,
    ...integerBounds(out, { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }),
  };
  return {
    position: q.emitter.emit('divide', out.type, node.length, [numerator.position, divisor.position], attributes),
    quantization: out,
  };
}

/** A table of the function over every integer that the source's class can hold. */
function unary(q: Quantizer, id: number, node: UnaryNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const source = inType(q, node.sources[0]!, ['i16', 'u8']);
  const from = source.quantization;
  const { low, high } = classOf(q, node.sources[0]!);
  const least = toInteger(Math.min(0, low) * 1.5, from);
  const most = toInteger(Math.max(0, high) * 1.5, from);
  const entries = most - least + 1;
  const values = allocate(out.type, node.functions.length * entries);
  node.functions.forEach((f, c) => {
    for (let i = 0; i < entries; i++) {
      const y = f((least + i - from.zero) * from.scale);
      values[c * entries + i] = toInteger(Number.isFinite(y) ? y : y > 0 ? 1e30 : Number.isNaN(y) ? 0 : -1e30, out);
    }
  });
  const attributes = { offset: least, entries, width: 1, channels: node.functions.length, channelInner: node.channelInner };
  return { position: q.emitter.emit('table', out.type, node.length, [source.position], attributes, toBytes(values)), quantization: out };
}

function lookup(q: Quantizer, id: number, node: LookupNode): IntegerTensor {
  const own = classOf(q, id);
  if (own.type === 'i32' && !own.exact) {
    const most = node.table.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-30);
    own.quantization ??= { type: 'i32', scale: most / 2 ** 24, zero: 0 };
  }
  const out = quantizationOf(q, id);
  const source = integerTensor(q, node.sources[0]!);
  const attributes = { offset: node.offset, entries: node.entries, width: node.width, channels: node.channels, channelInner: 1 };
  return {
    position: q.emitter.emit('table', out.type, node.length, [source.position], attributes, toBytes(toIntegers(node.table, out))),
    quantization: out,
  };
}

function max(q: Quantizer, id: number, node: MaxNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const source = converted(q, integerTensor(q, node.sources[0]!), out);
  return {
    position: q.emitter.emit('max', out.type, node.length, [source.position], { ...node.window, minimum: node.minimum ? 1 : 0 }),
    quantization: out,
  };
}

function sum(q: Quantizer, id: number, node: SumNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const from = source.quantization;
  const own = classOf(q, id);
  const taps = node.window.kernelHeight * node.window.kernelWidth;
  // In 32 bits nothing is lost: the sum keeps the scale of its terms.
  if (own.type === 'i32' && !own.exact && own.members.length === 1)
    own.quantization ??= { type: 'i32', scale: from.scale * Math.abs(node.scale), zero: 0 };
  const out = quantizationOf(q, id);
  const { multiplier, shift, bias } = ratioOf(
    (node.scale * from.scale) / out.scale,
    taps * magnitude(from.type, from.zero),
    out.type === 'u8' ? 12 : 18,
    out.zero,
  );
  const attributes = { ...node.window, zeroPoint: from.zero, multiplier, shift, bias, ...integerBounds(out, node.bounds) };
  return { position: q.emitter.emit('sum', out.type, node.length, [source.position], attributes), quantization: out };
}

function map(q: Quantizer, id: number, node: MapNode): IntegerTensor {
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

function gather(q: Quantizer, id: number, node: GatherNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const data = converted(q, integerTensor(q, node.sources[0]!), out);
  const index = integerTensor(q, node.sources[1]!);
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

function select(q: Quantizer, id: number, node: SelectNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const condition = integerTensor(q, node.sources[0]!);
  const parts = [1, 2].map((i) => converted(q, integerTensor(q, node.sources[i]!), out));
  const sources = [condition.position, ...parts.map((part) => part.position)];
  return {
    position: q.emitter.emit('select', out.type, node.length, sources, { threshold: condition.quantization.zero }),
    quantization: out,
  };
}

const FLAG: Quantization = { type: 'u8', scale: 1, zero: 0 };

/** Clamped differences: `A − B` cut to {0, 1}, or to {−1, 0, 1} and looked up for equality. */
function compare(q: Quantizer, node: CompareNode): IntegerTensor {
  const first = integerTensor(q, node.sources[0]!);
  const second = node.sources.length > 1 ? integerTensor(q, node.sources[1]!) : undefined;
  const difference: Quantization = node.relation === 'equal' ? { type: 'i16', scale: 1, zero: 0 } : FLAG;
  const plusOne = node.relation === 'greaterOrEqual' ? 1 : 0;
  const limits = node.relation === 'equal' ? { low: -1, high: 1 } : { low: 0, high: 1 };
  let rows: RealRow[];
  let scaled: IntegerTensor[];
  if (second === undefined) {
    // Units of the source: the row counts integers, whatever their scale.
    scaled = [{ ...first, quantization: { ...first.quantization, scale: 1 } }];
    rows = Array.from(node.constants, (c) => ({ a: 1, b: 0, bias: plusOne - Math.round(c / first.quantization.scale) }));
  } else {
    const unit = Math.min(first.quantization.scale, second.quantization.scale);
    const units = (t: IntegerTensor): number =>
      Math.round((t.quantization.scale / unit) * (first.quantization.scale === second.quantization.scale ? 1 : 256));
    scaled = [first, second].map((t) => ({ ...t, quantization: { ...t.quantization, scale: 1 } }));
    rows = [{ a: units(first), b: -units(second), bias: plusOne }];
  }
  const position = emitRescale(q, scaled, rows, difference, limits, node);
  if (node.relation !== 'equal') return { position, quantization: FLAG };
  const table = q.emitter.emit(
    'table',
    'u8',
    node.length,
    [position],
    { offset: -1, entries: 3, width: 1, channels: 1, channelInner: 1 },
    Uint8Array.of(0, 1, 0),
  );
  return { position: table, quantization: FLAG };
}

function arg(q: Quantizer, id: number, node: ArgNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const own = quantizationOf(q, id);
  const type: ElementType = node.axis - 1 > TYPE_MAXIMUM[own.type] ? (node.axis <= 32768 ? 'i16' : 'i32') : own.type;
  const quantization = { type, scale: 1, zero: 0 };
  const attributes = { outer: node.outer, axis: node.axis, inner: node.inner, minimum: node.minimum ? 1 : 0 };
  return { position: q.emitter.emit('arg', type, node.length, [source.position], attributes), quantization };
}

function matmul(q: Quantizer, id: number, node: MatmulNode): IntegerTensor {
  const out = quantizationOf(q, id);
  const b = inType(q, node.sources[1]!, ['u8']);
  let a = integerTensor(q, node.sources[0]!);
  const bound = (t: IntegerTensor): number =>
    node.inner * magnitude(t.quantization.type, t.quantization.zero) * magnitude('u8', b.quantization.zero);
  if (a.quantization.type === 'i32' || bound(a) >= ACCUMULATOR_LIMIT * 0.98) a = inType(q, node.sources[0]!, ['u8']);
  if (bound(a) >= ACCUMULATOR_LIMIT * 0.98)
    refuse(`'${node.label}' adds ${node.inner} products, more than 32 bits hold`, { node: node.label, inner: node.inner });
  // The matmul itself only shifts; a rescale brings the exact ratio where the class wants a given scale.
  const product = a.quantization.scale * b.quantization.scale * Math.abs(node.scale);
  const own = classOf(q, id);
  const attributes = {
    batch: node.batch,
    rows: node.rows,
    inner: node.inner,
    columns: node.columns,
    zeroPointA: a.quantization.zero,
    zeroPointB: b.quantization.zero,
    shareB: node.shareB ? 1 : 0,
  };
  const raw: Quantization = { type: 'i32', scale: product, zero: 0 };
  const position = q.emitter.emit('matmul', 'i32', node.length, [a.position, b.position], {
    ...attributes,
    shift: 0,
    bias: 0,
    ...integerBounds(raw, { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }),
  });
  const exact = { position, quantization: raw };
  if (own.type === 'i32' && own.members.length === 1 && node.scale > 0) {
    own.quantization = raw;
    return exact;
  }
  const rescaled = emitRescale(q, [exact], [{ a: Math.sign(node.scale), b: 0, bias: 0 }], out, node.bounds, { channelInner: 1, innerB: 1 });
  return { position: rescaled, quantization: out };
}

function tree(q: Quantizer, id: number, node: TreeNetNode): IntegerTensor {
  const source = integerTensor(q, node.sources[0]!);
  const { scale, zero } = source.quantization;
  const nodes = Math.max(...node.trees.map((branches) => branches.length));
  if (nodes > 32768) refuse(`'${node.label}' has a tree of ${nodes} nodes, more than 32768`, { node: node.label, nodes });
  const padded = node.trees.flatMap((branches) =>
    Array.from({ length: nodes }, (_, i) => {
      const { feature, threshold, left, right } = branches[i] ?? { feature: 0, threshold: 0, left: i, right: i };
      return { feature, left, right, threshold: Math.min(2147483647, Math.max(-2147483648, Math.round(threshold / scale) + zero)) };
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

/** Lowers one node of the float network to its instructions. */
export function quantizeNode(q: Quantizer, id: number, node: NetNode): IntegerTensor {
  switch (node.kind) {
    case 'input':
      return input(q, id, node);
    case 'linear':
      return quantizeLinear(q, id, node);
    case 'rescale':
      return rescale(q, id, node);
    case 'matmul':
      return matmul(q, id, node);
    case 'multiply':
      return multiply(q, id, node);
    case 'divide':
      return divide(q, id, node);
    case 'unary':
      return unary(q, id, node);
    case 'lookup':
      return lookup(q, id, node);
    case 'max':
      return max(q, id, node);
    case 'sum':
      return sum(q, id, node);
    case 'map':
      return map(q, id, node);
    case 'gather':
      return gather(q, id, node);
    case 'select':
      return select(q, id, node);
    case 'compare':
      return compare(q, node);
    case 'arg':
      return arg(q, id, node);
    case 'softmax':
      return softmaxProgram(q, id, node);
    case 'normalize':
      return normalizeProgram(q, id, node);
    case 'tree':
      return tree(q, id, node);
  }
}
