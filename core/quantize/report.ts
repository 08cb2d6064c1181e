import type { Values } from '../onnx/lower/evaluate.ts';
import type { Net } from '../onnx/lower/net.ts';
import { TYPE_MAXIMUM, TYPE_MINIMUM } from '../tensor.ts';
import type { Quantizer } from './quantizer.ts';

/** What became of one tensor of the network. */
export interface LayerReport {
  readonly node: string;
  readonly kind: string;
  readonly instruction: number;
  readonly type: string;
  readonly scale: number;
  readonly low: number;
  readonly high: number;
  /** Share of values at the end of the type's range, where the float value lies beyond it. */
  readonly saturation: number;
  /** Signal to noise against the float network, in decibels; everything before this layer included. */
  readonly decibels: number;
}

export interface OutputReport {
  readonly name: string;
  /** Root-mean-square error over the range of the float outputs. */
  readonly relativeError: number;
  readonly decibels: number;
  /** Share of rows (last axis) whose largest value is at the same place; undefined where a row has one value. */
  readonly agreement: number | undefined;
  /** Rows that agreement counts. */
  readonly rows: number;
  /** Agreement to expect over many rows, from how close the float network's decisions are and how far errors move them. */
  readonly expectedAgreement?: number;
}

export interface ScoreReport {
  readonly cases: number;
  /** Where the scored cases come from. They never took part in calibration. */
  readonly from: 'held out' | 'neighbours of the calibration cases';
  readonly outputs: readonly OutputReport[];
  /** Share of labelled cases answered right, float and integer. */
  readonly floatTop1?: number;
  readonly integerTop1?: number;
}

export interface CompileReport {
  readonly mode: 'narrow' | 'wide';
  readonly weightLimit: number;
  readonly calibrationCases: number;
  readonly syntheticCases: number;
  readonly layers: readonly LayerReport[];
  readonly score: ScoreReport;
  /** The layers that lost most, worst first. */
  readonly losses: readonly { readonly node: string; readonly lost: number }[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

export function decibels(signal: number, noise: number): number {
  if (noise === 0) return 200;
  return signal === 0 ? -200 : Math.max(-200, Math.min(200, 10 * Math.log10(signal / noise)));
}

function layerReport(q: Quantizer, id: number): LayerReport {
  const node = q.net.nodes[id]!;
  const tensor = q.tensors[id]!;
  const { type, scale } = tensor.quantization;
  const of = tensor.channels ?? [tensor.quantization];
  let signal = 0;
  let noise = 0;
  let ends = 0;
  let total = 0;
  q.runs.forEach((values, c) => {
    const real = values[id]!;
    const integers = q.emitter.values[c]![tensor.position]!;
    for (let e = 0; e < real.length; e++) {
      if (q.live[id]?.[e] === 0) continue;
      const float = Math.max(-1e6, real[e]!);
      if (float <= -1e6) continue;
      const own = of[e % of.length]!;
      const difference = (integers[e]! - own.zero) * own.scale - float;
      signal += float * float;
      noise += difference * difference;
      total++;
      if ((integers[e] === TYPE_MAXIMUM[type] && difference < -own.scale) || (integers[e] === TYPE_MINIMUM[type] && difference > own.scale))
        ends++;
    }
  });
  const { low, high } = q.ranges[id]!;
  return {
    node: node.label || ('name' in node ? node.name : ''),
    kind: node.kind,
    instruction: tensor.position,
    type,
    scale,
    low,
    high,
    saturation: ends / Math.max(1, total),
    decibels: decibels(signal, noise),
  };
}

export function layerReports(q: Quantizer): LayerReport[] {
  return q.net.nodes.map((_, id) => layerReport(q, id));
}

/** Where accuracy went: how far each layer falls below the worst of its sources. */
export function lossesOf(net: Net, layers: readonly LayerReport[]): { node: string; lost: number }[] {
  return net.nodes
    .map((node, id) => ({
      node: layers[id]!.node,
      lost: Math.min(60, ...node.sources.map((source) => layers[source]!.decibels)) - layers[id]!.decibels,
    }))
    .filter(({ lost }) => lost > 1)
    .sort((a, b) => b.lost - a.lost)
    .slice(0, 5);
}

/** Adds up errors of one output over many cases. */
export class OutputScore {
  private signal = 0;
  private noise = 0;
  private count = 0;
  private low = Number.POSITIVE_INFINITY;
  private high = Number.NEGATIVE_INFINITY;
  private same = 0;
  private rows = 0;
  readonly name: string;
  private readonly width: number;

  constructor(name: string, dims: readonly number[]) {
    this.name = name;
    this.width = dims.length === 0 ? 1 : dims[dims.length - 1]!;
  }

  add(float: Values, integer: ArrayLike<number>): void {
    for (let e = 0; e < float.length; e++) {
      const difference = integer[e]! - float[e]!;
      this.signal += float[e]! ** 2;
      this.noise += difference ** 2;
      this.low = Math.min(this.low, float[e]!);
      this.high = Math.max(this.high, float[e]!);
      this.count++;
    }
    if (this.width < 2) return;
    for (let from = 0; from < float.length; from += this.width) {
      this.rows++;
      if (bestOf(float, from, this.width) === bestOf(integer, from, this.width)) this.same++;
    }
  }

  report(): OutputReport {
    const range = this.high - this.low || Math.abs(this.high) || 1;
    return {
      name: this.name,
      relativeError: Math.sqrt(this.noise / Math.max(1, this.count)) / range,
      decibels: decibels(this.signal, this.noise),
      agreement: this.rows === 0 ? undefined : this.same / this.rows,
      rows: this.rows,
    };
  }
}

export function bestOf(values: ArrayLike<number>, from: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) if (values[from + i]! > values[from + best]!) best = i;
  return best;
}
