import type { InputNode, NetNode } from '../onnx/lower/net.ts';
import type { Quantization } from './emitter.ts';
import type { QuantizationClass } from './quantization.ts';
import { coveringSeen, type Quantizer } from './quantizer.ts';
import { Tally } from './ranges.ts';

/** Columns whose ranges differ by less than this share a scale: pixels, spectra. */
const UNEVEN = 4;
const MAX_COLUMNS = 4096;
/** Thresholds this many times beyond what was seen of a column hardly separate anything (LightGBM writes infinity). */
const FAR = 64;
/** The same for a column that was always zero. */
const FAR_FROM_ZERO = 1e6;

/** Whether a node can read columns of different scales: its weights, multipliers or thresholds take up the difference. */
function readsColumns(node: NetNode, columns: number): boolean {
  if (node.kind === 'tree') return node.features === columns;
  if (node.kind === 'linear') {
    const { window: w } = node;
    return w.channels === columns && w.kernelHeight * w.kernelWidth === 1 && w.padTop + w.padLeft === 0;
  }
  return (
    node.kind === 'rescale' && node.sources.length === 1 && (node.a.length === 1 || (node.channelInner === 1 && node.a.length === columns))
  );
}

/**
 * Quantizations of an input's columns (its last axis) where one scale would drown some of them: a table's row with an age and an income.
 * Undefined where one will do, or where something reads the input that needs one.
 */
export function columnQuantizations(q: Quantizer, id: number, node: InputNode, own: QuantizationClass): Quantization[] | undefined {
  const columns = node.dims.at(-1) ?? 1;
  const isOutput = q.net.outputs.some((output) => output.node === id);
  if (columns < 2 || columns > MAX_COLUMNS || isOutput || own.exact || own.members.length > 1) return undefined;
  const readers = q.net.nodes.filter(({ sources }) => sources.includes(id));
  if (!readers.every((reader) => readsColumns(reader, columns))) return undefined;
  const tallies = Array.from({ length: columns }, () => new Tally());
  for (const values of q.runs)
    values[id]!.forEach((v, e) => {
      tallies[e % columns]!.add(v, true);
    });
  const largest = tallies.map(({ low, high }) => Math.max(-low, high));
  // A column must reach every threshold that it is held against, whatever calibration saw of it.
  for (const reader of readers)
    if (reader.kind === 'tree')
      for (const { feature, threshold, leaf } of reader.trees.flat())
        if (!leaf && Math.abs(threshold) <= (FAR * largest[feature]! || FAR_FROM_ZERO)) tallies[feature]!.add(threshold, true);
  const ranges = tallies.map((tally) => tally.range());
  const spans = ranges.map(({ low, high }) => high - low).filter((span) => span > 0);
  if (spans.length < 2 || Math.max(...spans) < UNEVEN * Math.min(...spans)) return undefined;
  return ranges.map((range) => coveringSeen(q, own.type, range, own.steps));
}
