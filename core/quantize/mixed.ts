import type { LinearNode, MapNode, Net } from '../onnx/lower/net.ts';
import { encodeMap } from '../ops/map.ts';
import type { WindowAttributes } from '../ops/window.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { toInteger } from './integers.ts';
import type { Extent, Range } from './quantization.ts';
import { classOf, converted, covering, coveringSeen, inType, positive, type Quantizer } from './quantizer.ts';

/*
 * Tensors of very different ranges that are joined for a linear layer (an input beside a recurrent state, branches of a network) need no
 * common scale: the layer's weights take up the difference, channel by channel.
 */

/** A source whose range is a smaller part than this of the greatest would lose its resolution under a common scale. */
const SMALL = 0.3;

function hasPadding(w: WindowAttributes): boolean {
  const reach = (out: number, stride: number, kernel: number, dilation: number, pad: number): number =>
    (out - 1) * stride + (kernel - 1) * dilation - pad;
  return (
    w.padTop > 0 ||
    w.padLeft > 0 ||
    reach(w.outHeight, w.strideHeight, w.kernelHeight, w.dilationHeight, w.padTop) >= w.height ||
    reach(w.outWidth, w.strideWidth, w.kernelWidth, w.dilationWidth, w.padLeft) >= w.width
  );
}

/** Which source every channel of a join comes from (−1: constants); undefined where a channel has several. */
function sourceOfChannels(net: Net, node: MapNode, channels: number): Int32Array | undefined {
  const starts: number[] = [];
  let total = 0;
  for (const source of node.sources) {
    starts.push(total);
    total += net.nodes[source]!.length;
  }
  const owner = new Int32Array(channels).fill(-1);
  for (let e = 0; e < node.length; e++) {
    const from = node.index[e]!;
    if (from >= total) continue;
    let s = node.sources.length - 1;
    while (from < starts[s]!) s--;
    const c = e % channels;
    if (owner[c] !== -1 && owner[c] !== s) return undefined;
    owner[c] = s;
  }
  return owner;
}

function isMixed(net: Net, id: number, readers: readonly number[], ranges: readonly Range[], exact: readonly boolean[]): boolean {
  const node = net.nodes[id]!;
  if (node.kind !== 'map' || node.sources.length < 2 || readers.length === 0) return false;
  if (node.sources.some((source) => exact[source] || ranges[source]!.masked || net.nodes[source]!.held !== undefined)) return false;
  if (net.outputs.some((output) => output.node === id)) return false;
  const layers = readers.map((reader) => net.nodes[reader]!);
  if (!layers.every((layer): layer is LinearNode => layer.kind === 'linear')) return false;
  const { channels } = layers[0]!.window;
  if (layers.some(({ window }) => window.channels !== channels) || node.length % channels !== 0) return false;
  const spans = node.sources.map((source) => ranges[source]!.high - ranges[source]!.low);
  if (Math.min(...spans) >= SMALL * Math.max(...spans)) return false;
  // Padding is zero, and one zero point serves all channels.
  if (layers.some(({ window }) => hasPadding(window)) && node.sources.some((source) => ranges[source]!.low < 0)) return false;
  return sourceOfChannels(net, node, channels) !== undefined;
}

/** The joins of the network whose sources keep their scales. */
export function mixedJoins(net: Net, ranges: readonly Range[], exact: readonly boolean[]): boolean[] {
  const readers: number[][] = net.nodes.map(() => []);
  net.nodes.forEach((node, id) => {
    for (const source of node.sources) readers[source]!.push(id);
  });
  return net.nodes.map((_, id) => isMixed(net, id, readers[id]!, ranges, exact));
}

/** Joins tensors as they are; every channel keeps the quantization of the tensor it comes from. */
export function mixedMap(q: Quantizer, id: number, node: MapNode): IntegerTensor {
  const { type } = classOf(q, id);
  const reader = q.net.nodes.find((other): other is LinearNode => other.kind === 'linear' && other.sources[0] === id)!;
  const { channels } = reader.window;
  const owner = sourceOfChannels(q.net, node, channels)!;
  const isPadded = q.net.nodes.some((other) => other.kind === 'linear' && other.sources[0] === id && hasPadding(other.window));
  const parts = node.sources.map((source) => {
    const part = inType(q, source, [type]);
    if (!isPadded || part.quantization.zero === 0) return part;
    return converted(q, part, coveringSeen(q, type, positive(q.ranges[source]!)));
  });
  const constants = node.constants.reduce((most, c) => Math.max(most, Math.abs(c)), 0);
  const alone: Quantization = covering(type, type === 'u8' && isPadded ? 0 : -constants, constants, 65536);
  const own = Array.from(owner, (s) => (s < 0 ? alone : parts[s]!.quantization));
  // A constant is written under the quantization of the channel it falls into: one copy for every channel.
  const total = node.sources.reduce((sum, source) => sum + q.net.nodes[source]!.length, 0);
  const values: number[] = [];
  const written = new Map<string, number>();
  const index = Uint32Array.from(node.index, (from, e) => {
    if (from < total) return from;
    const c = e % channels;
    const key = `${from}:${own[c]!.scale}:${own[c]!.zero}`;
    const known = written.get(key);
    if (known !== undefined) return known;
    values.push(toInteger(node.constants[from - total]!, own[c]!));
    written.set(key, total + values.length - 1);
    return total + values.length - 1;
  });
  const stored = type === 'u8' ? Uint8Array.from(values) : Int16Array.from(values);
  const position = q.emitter.emit(
    'map',
    type,
    node.length,
    parts.map((part) => part.position),
    {},
    encodeMap(index, stored),
  );
  const scale = Math.max(...own.map((one) => one.scale));
  return {
    position,
    quantization: { type, scale, zero: own.every((one) => one.zero === own[0]!.zero) ? own[0]!.zero : 128 },
    channels: own,
  };
}

interface GateRange extends Extent {
  /** Channels of the gate. */
  readonly width: number;
}

/** Ranges of the blocks of a layer that goes into one table a block (the gates of a recurrent step); undefined for any other layer. */
export function gateRanges(q: Quantizer, id: number): readonly GateRange[] | undefined {
  const own = classOf(q, id);
  const node = q.net.nodes[id]!;
  const readers = q.net.nodes.filter((other) => other.sources.includes(id));
  const [reader] = readers;
  if (node.kind !== 'linear' || own.type !== 'i16' || own.members.length > 1 || own.exact) return undefined;
  if (readers.length !== 1 || reader?.kind !== 'unary' || q.net.outputs.some((output) => output.node === id)) return undefined;
  const width = reader.channelInner;
  const count = reader.functions.length;
  if (count < 2 || node.outChannels !== count * width) return undefined;
  const ranges = Array.from({ length: count }, () => ({ low: 0, high: 0 }));
  for (const values of q.runs)
    values[id]!.forEach((v, e) => {
      const range = ranges[Math.floor(e / width) % count]!;
      range.low = Math.min(range.low, v);
      range.high = Math.max(range.high, v);
    });
  return ranges.map((range) => ({ ...range, reach: range, width }));
}

export interface CommonScale {
  readonly node: LinearNode;
  readonly factor: Float64Array;
  readonly offset: Float64Array;
}

/**
 * A layer that reads such a tensor, as one that reads a tensor of a single scale: channel c stands for `(x − offset[c]) / factor[c]`, and
 * weights and bias make up for it.
 */
export function inCommonScale(node: LinearNode, source: IntegerTensor): CommonScale {
  const { scale, zero } = source.quantization;
  const own = source.channels ?? [];
  const factor = Float64Array.from({ length: node.window.channels }, (_, c) => (own[c]?.scale ?? scale) / scale);
  const offset = Float64Array.from({ length: node.window.channels }, (_, c) =>
    own[c] === undefined ? 0 : own[c].scale * (zero - own[c].zero),
  );
  if (source.channels === undefined) return { node, factor, offset };
  const fan = node.weights.length / node.outChannels;
  const perGroup = node.window.channels / node.groups;
  const outPerGroup = node.outChannels / node.groups;
  const bias = Float64Array.from(node.bias);
  const weights = Float64Array.from(node.weights, (w, i) => {
    const o = Math.floor(i / fan);
    const c = Math.floor(o / outPerGroup) * perGroup + ((i % fan) % perGroup);
    bias[o]! += w * offset[c]!;
    return w * factor[c]!;
  });
  return { node: { ...node, weights, bias }, factor, offset };
}
