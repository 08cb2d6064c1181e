import { type LinearRow, linearRow } from '../../core/ops/linear.ts';
import { eachTap } from '../../core/ops/window.ts';
import type { Instruction } from '../../core/program/types.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { type LinearForm, ONE } from '../linear-form.ts';
import { type Cell, type LoweringContext, materializeNarrow, requantizedCell } from './cell.ts';

/** The taps of one output pixel and group, flattened once for all its channels. */
interface Taps {
  /** Per term of the taps' forms. */
  readonly wires: Int32Array;
  readonly coefficients: Float64Array;
  /** Which weight of a row multiplies the term. */
  readonly weights: Int32Array;
  /** Weights in use (taps inside the image) with the bounds of what they multiply. */
  readonly used: Int32Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** No wire occurs twice: the sum needs no merging. */
  readonly distinct: boolean;
}

function flatten(cs: ConstraintSystem, cells: readonly Cell[], weightIndices: readonly number[]): Taps {
  const wires: number[] = [];
  const coefficients: number[] = [];
  const weights: number[] = [];
  const low = new Float64Array(cells.length);
  const high = new Float64Array(cells.length);
  cells.forEach((cell, t) => {
    // Long forms would be repeated in every channel's sum.
    const form = materializeNarrow(cs, cell);
    low[t] = form.low;
    high[t] = form.high;
    for (let i = 0; i < form.wires.length; i++) {
      wires.push(form.wires[i]!);
      coefficients.push(Number(form.coefficients[i]!));
      weights.push(weightIndices[t]!);
    }
  });
  return {
    wires: Int32Array.from(wires),
    coefficients: Float64Array.from(coefficients),
    weights: Int32Array.from(weights),
    used: Int32Array.from(weightIndices),
    low,
    high,
    distinct: !wires.includes(ONE) && new Set(wires).size === wires.length,
  };
}

/** Σ (x − zeroPoint)·w + bias over the taps, with the exact bounds that the taps' own bounds give. */
function accumulate(cs: ConstraintSystem, taps: Taps, row: LinearRow, zeroPoint: number): LinearForm {
  const n = taps.wires.length;
  const wires = new Int32Array(n + 1);
  const coefficients = new Float64Array(n + 1);
  wires.set(taps.wires);
  for (let i = 0; i < n; i++) coefficients[i] = taps.coefficients[i]! * row.weights[taps.weights[i]!]!;
  let constant = row.bias;
  let low = 0;
  let high = 0;
  for (let t = 0; t < taps.used.length; t++) {
    const w = row.weights[taps.used[t]!]!;
    constant -= zeroPoint * w;
    low += w * (w < 0 ? taps.high[t]! : taps.low[t]!);
    high += w * (w < 0 ? taps.low[t]! : taps.high[t]!);
  }
  wires[n] = ONE;
  coefficients[n] = constant;
  if (taps.distinct) return { wires, coefficients, low: low + constant, high: high + constant };
  const merged = cs.combine(wires, coefficients);
  return { ...merged, low: Math.max(merged.low, low + constant), high: Math.min(merged.high, high + constant) };
}

/** Dense and convolution layers: public weights are coefficients, so only the activation costs rows. */
export function lowerLinear(context: LoweringContext, instruction: Instruction<'linear'>, sources: readonly (readonly Cell[])[]): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const x = sources[0]!;
  const rows = Array.from({ length: a.outChannels }, (_, channel) => linearRow(instruction, channel));
  const perGroup = a.channels / a.groups;
  const outPerGroup = a.outChannels / a.groups;
  const out: Cell[] = [];
  for (let n = 0; n < a.batch; n++)
    for (let oy = 0; oy < a.outHeight; oy++)
      for (let ox = 0; ox < a.outWidth; ox++)
        for (let group = 0; group < a.groups; group++) {
          const cells: Cell[] = [];
          const weights: number[] = [];
          eachTap(a, n, oy, ox, (offset, tap) => {
            for (let c = 0; c < perGroup; c++) {
              cells.push(x[offset + group * perGroup + c]!);
              weights.push(tap * perGroup + c);
            }
          });
          const taps = flatten(cs, cells, weights);
          for (let o = group * outPerGroup; o < (group + 1) * outPerGroup; o++) {
            const row = rows[o]!;
            const acc = accumulate(cs, taps, row, a.zeroPoint);
            out.push(requantizedCell(context, { acc, shift: row.shift, low: a.low, high: a.high }));
          }
        }
  return out;
}
