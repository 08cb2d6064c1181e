import type { LinearNode, Net } from '../onnx/lower/net.ts';
import { patchRows, pixelCount } from '../onnx/lower/patches.ts';
import { refuse } from '../onnx/refuse.ts';
import { ACCUMULATOR_LIMIT, magnitude } from '../ops/operation.ts';
import type { IntegerTensor, Quantization } from './emitter.ts';
import { errorFactor, gram, roundRow } from './gptq.ts';
import { type CommonScale, gateRanges, inCommonScale } from './mixed.ts';
import type { Extent, QuantizationClass } from './quantization.ts';
import { classOf, coveringSeen, inType, integerBounds, type Quantizer } from './quantizer.ts';

/** Rows that a layer is fitted on. */
const MAX_ROWS = 4096;
const GRAM_BUDGET = 5e8;
const MAX_FAN = 1024;
/** Multiply-adds that error compensation may take over all layers. */
const COMPENSATION_BUDGET = 4e9;

/** The largest fan-in for which error compensation of all layers up to it stays in the budget. */
export function compensatedFan(net: Net): number {
  const fans = net.nodes.flatMap((node) =>
    node.kind === 'linear' && fanOf(node) <= MAX_FAN ? [{ fan: fanOf(node), groups: node.groups }] : [],
  );
  fans.sort((a, b) => a.fan - b.fan);
  let total = 0;
  for (const { fan, groups } of fans) {
    total += groups * fan ** 3;
    if (total > COMPENSATION_BUDGET) return fan - 1;
  }
  return MAX_FAN;
}

/** Inputs of one group as rows: integers less their zero point, and the float network's values at the same places. */
interface Samples {
  readonly count: number;
  readonly integers: Float32Array;
  readonly meanInteger: Float64Array;
  readonly meanFloat: Float64Array;
  readonly meanSquare: Float64Array;
}

function fanOf(node: LinearNode): number {
  return node.weights.length / node.outChannels;
}

function collectSamples(q: Quantizer, { node, factor, offset }: CommonScale, source: IntegerTensor, group: number, most: number): Samples {
  const perGroup = node.window.channels / node.groups;
  const fan = fanOf(node);
  const pixels = pixelCount(node.window);
  const cases = q.runs.length;
  const each = Math.min(pixels, Math.max(1, Math.floor(most / cases)));
  const count = each * cases;
  const integers = new Float32Array(count * fan);
  const meanInteger = new Float64Array(fan);
  const meanFloat = new Float64Array(fan);
  const meanSquare = new Float64Array(fan);
  const { zero } = source.quantization;
  for (let c = 0; c < cases; c++) {
    const chosen =
      each === pixels ? undefined : Int32Array.from({ length: each }, (_, i) => Math.floor(((i + (c % 7) / 7) * pixels) / each));
    const rows = patchRows(q.emitter.values[c]![source.position]!, node.window, group * perGroup, perGroup, zero, chosen);
    const real = patchRows(q.runs[c]![node.sources[0]!]!, node.window, group * perGroup, perGroup, 0, chosen);
    for (let i = 0; i < each * fan; i++) {
      const value = rows[i]! - zero;
      integers[c * each * fan + i] = value;
      meanInteger[i % fan]! += value / count;
      const channel = group * perGroup + (i % perGroup);
      meanFloat[i % fan]! += (real[i]! - offset[channel]!) / (factor[channel]! * count);
      meanSquare[i % fan]! += (value * value) / count;
    }
  }
  return { count, integers, meanInteger, meanFloat, meanSquare };
}

interface Format {
  /** Largest |w| of a stored weight. */
  readonly limit: number;
  readonly bytes: 1 | 2;
  readonly maxShift: number;
}

function formatOf(q: Quantizer, source: Quantization): Format {
  if (q.options.mode === 'wide' && source.type === 'i16') return { limit: 32767, bytes: 2, maxShift: 30 };
  return { limit: source.type === 'u8' ? q.options.weightLimit : 127, bytes: 1, maxShift: source.type === 'u8' ? 14 : 24 };
}

/** What one output channel needs to know of its own weights. */
interface Channel {
  readonly largest: number;
  readonly sum: number;
  readonly bias: number;
}

function channelsOf(node: LinearNode): Channel[] {
  const fan = fanOf(node);
  return Array.from({ length: node.outChannels }, (_, o) => {
    let largest = 0;
    let sum = 0;
    for (let i = 0; i < fan; i++) {
      const w = Math.abs(node.weights[o * fan + i]!);
      largest = Math.max(largest, w);
      sum += w;
    }
    return { largest, sum, bias: Math.abs(node.bias[o]!) };
  });
}

/** Greatest shift at which weights, bias and accumulator stay in bounds; undefined when even 0 is too much. */
function shiftOf(channel: Channel, source: Quantization, out: Quantization, format: Format, fan: number): number | undefined {
  for (let shift = format.maxShift; shift >= 0; shift--) {
    const perUnit = (source.scale * 2 ** shift) / out.scale;
    if (channel.largest * perUnit > format.limit + 0.499) continue;
    const bias = (channel.bias / out.scale + Math.abs(out.zero)) * 2 ** shift * 1.05;
    const bound = (channel.sum * perUnit + fan * 0.6) * magnitude(source.type, source.zero) + bias + 2 ** shift;
    if (bound < ACCUMULATOR_LIMIT * 0.98) return shift;
  }
  return undefined;
}

/** Expected squared error of the layer in reals: rounding of weights against the inputs' power, and of the output. */
function expectedError(
  channels: readonly Channel[],
  power: number,
  source: Quantization,
  out: Quantization,
  format: Format,
  fan: number,
): number {
  let error = 0;
  for (const channel of channels) {
    const shift = shiftOf(channel, source, out, format, fan);
    if (shift === undefined) return Number.POSITIVE_INFINITY;
    const unit = out.scale * 2 ** -shift;
    error += (unit * unit * power + out.scale * out.scale) / 12;
  }
  return error;
}

/** The output scale with the least expected error among eighth octaves above the one that just covers the range. */
function searchScale(
  q: Quantizer,
  own: Extent & Pick<QuantizationClass, 'type' | 'steps'>,
  channels: readonly Channel[],
  power: number,
  source: Quantization,
  format: Format,
  fan: number,
): Quantization {
  let best = coveringSeen(q, own.type, own, own.steps);
  let least = Number.POSITIVE_INFINITY;
  for (let step = 0; step <= 64; step++) {
    if (step > 8 && least < Number.POSITIVE_INFINITY) break;
    const candidate = coveringSeen(q, own.type, own, own.steps, 2 ** (step / 8));
    const error = expectedError(channels, power, source, candidate, format, fan);
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return best;
}

/** One scale for the whole layer: the accumulator itself is the result. */
function accumulatorScale(node: LinearNode, channels: readonly Channel[], source: Quantization, format: Format, fan: number): Quantization {
  const largest = Math.max(...channels.map((c) => c.largest), 1e-30);
  let unit = (source.scale * largest) / (format.limit + 0.499);
  while (
    channels.some(
      (channel) => shiftOf(channel, source, { type: 'i32', scale: unit, zero: 0 }, { ...format, maxShift: 0 }, fan) === undefined,
    )
  ) {
    unit *= 1.05;
    // Weights or a bias that are no numbers fit no unit.
    if (!(unit < 1e38)) refuse(`'${node.label}' has weights or a bias that are not finite`, { node: node.label });
  }
  return { type: 'i32', scale: unit, zero: 0 };
}

interface Fitted {
  readonly weights: Float64Array;
  readonly bias: number;
  readonly shift: number;
}

/** Rounds one channel's weights and corrects its bias so that the mean output is the float network's. */
function fitChannel(
  node: LinearNode,
  o: number,
  samples: Samples,
  factor: Float64Array | undefined,
  channel: Channel,
  source: Quantization,
  out: Quantization,
  format: Format,
): Fitted {
  const fan = fanOf(node);
  let shift = shiftOf(channel, source, out, { ...format, maxShift: out.type === 'i32' ? 0 : format.maxShift }, fan) ?? 0;
  for (; ; shift--) {
    const unit = out.scale * 2 ** -shift;
    const exact = Float64Array.from({ length: fan }, (_, i) => (node.weights[o * fan + i]! * source.scale) / unit);
    const weights = roundRow(exact, format.limit, factor);
    let target = node.bias[o]!;
    let got = 0;
    let sum = 0;
    for (let i = 0; i < fan; i++) {
      target += node.weights[o * fan + i]! * samples.meanFloat[i]!;
      got += weights[i]! * samples.meanInteger[i]!;
      sum += Math.abs(weights[i]!);
    }
    const bias = Math.round(target / unit - got) + out.zero * 2 ** shift;
    const bound = sum * magnitude(source.type, source.zero) + Math.abs(bias) + (shift > 0 ? 2 ** (shift - 1) : 0);
    if (bound < ACCUMULATOR_LIMIT || shift === 0) return { weights, bias, shift };
  }
}

function encode(rows: readonly Fitted[], bytes: 1 | 2): Uint8Array {
  const fan = rows[0]!.weights.length;
  const stride = fan * bytes + 5;
  const out = new Uint8Array(stride * rows.length);
  const view = new DataView(out.buffer);
  rows.forEach((row, o) => {
    row.weights.forEach((w, i) => {
      if (bytes === 1) view.setInt8(o * stride + i, w);
      else view.setInt16(o * stride + 2 * i, w, true);
    });
    view.setInt32(o * stride + fan * bytes, row.bias, true);
    view.setUint8(o * stride + fan * bytes + 4, row.shift);
  });
  return out;
}

/**
 * Quantizes one dense or convolution layer: the output scale and per-channel shifts by joint search, error-compensated
 * rounding, bias correction against the float network.
 */
export function quantizeLinear(q: Quantizer, id: number, given: LinearNode): IntegerTensor {
  const source = inType(q, given.sources[0]!, q.options.mode === 'wide' ? ['i16', 'u8'] : ['u8', 'i16']);
  const common = inCommonScale(given, source);
  const { node } = common;
  const fan = fanOf(node);
  const channels = channelsOf(node);
  const format = formatOf(q, source.quantization);
  const gptq = fan <= q.options.compensatedFan && fan > 1;
  const most = Math.max(64, Math.min(MAX_ROWS, Math.floor(GRAM_BUDGET / (fan * fan * node.groups))));
  const groups = Array.from({ length: node.groups }, (_, group) => collectSamples(q, common, source, group, most));
  const power = groups.reduce((sum, samples) => sum + samples.meanSquare.reduce((a, b) => a + b, 0), 0) / node.groups;
  const own = classOf(q, id);
  const search = (range: Extent, chosen: readonly Channel[]): Quantization =>
    searchScale(q, { ...range, type: own.type, steps: own.steps }, chosen, power, source.quantization, format, fan);
  if (own.type === 'i32') own.quantization = accumulatorScale(node, channels, source.quantization, format, fan);
  const blocks = own.quantization === undefined ? gateRanges(q, id) : undefined;
  const gates = blocks?.map((range, k) => search(range, channels.slice(k * range.width, (k + 1) * range.width)));
  own.quantization ??= search(own, channels);
  const out = own.quantization;
  const outs = channels.map((_, o) => gates?.[Math.floor(o / blocks![0]!.width)] ?? out);
  const outPerGroup = node.outChannels / node.groups;
  const rows: Fitted[] = [];
  for (let g = 0; g < node.groups; g++) {
    const samples = groups[g]!;
    const damping = Math.min(1, 0.01 + (0.05 * fan) / samples.count);
    const factor = gptq ? errorFactor(gram(samples.integers, samples.count, fan), fan, damping) : undefined;
    for (let o = g * outPerGroup; o < (g + 1) * outPerGroup; o++)
      rows.push(fitChannel(node, o, samples, factor, channels[o]!, source.quantization, outs[o]!, format));
  }
  const position = q.emitter.emit(
    'linear',
    out.type,
    node.length,
    [source.position],
    {
      ...node.window,
      outChannels: node.outChannels,
      groups: node.groups,
      zeroPoint: source.quantization.zero,
      weightBytes: format.bytes,
      ...integerBounds(out, node.bounds),
    },
    encode(rows, format.bytes),
  );
  return { position, quantization: out, ...(gates !== undefined && { channels: outs }) };
}
