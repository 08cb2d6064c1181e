import type { Values } from '../onnx/lower/evaluate.ts';
import type { NetNode } from '../onnx/lower/net.ts';
import { bestOf } from './report.ts';

/** Probabilities below this decide nothing. */
const LEAST_PROBABILITY = 1e-3;
/** Longer rows are more likely signals than votes, unless they are probabilities. */
const MAX_CLASSES = 256;
/** Rows whose margins are kept: enough for a share, whatever a segmentation has of them. */
const MAX_ROWS = 4096;

/** Upper tail of the normal distribution (Abramowitz and Stegun 26.2.17, error below 1e-7). */
export function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z >= 0 ? tail : 1 - tail;
}

/**
 * How often the largest value of a row can be expected to stay the largest. A few rows that agree say little about thousands; the float
 * network's margins over all known rows, against the spread of errors in differences of two values, say more.
 */
export class Margins {
  private readonly leads: Float64Array[] = [];
  private square = 0;
  private count = 0;
  private readonly width: number;
  private readonly ofProbabilities: boolean;

  constructor(width: number, node: NetNode) {
    this.ofProbabilities = node.kind === 'softmax' && !node.logarithm;
    this.width = width <= MAX_CLASSES || this.ofProbabilities ? width : 0;
  }

  /** Notes how far the largest value of every row leads the others. */
  row(float: Values): void {
    if (this.width < 2) return;
    for (let from = 0; from + this.width <= float.length && this.leads.length < MAX_ROWS; from += this.width) {
      const values = this.logits(float, from);
      const top = values[bestOf(values, 0, this.width)]!;
      this.leads.push(values.map((v) => top - v));
    }
  }

  /** Notes how errors change the lead of the largest value over each of the others. */
  error(float: Values, integer: ArrayLike<number>): void {
    if (this.width < 2) return;
    for (let from = 0; from + this.width <= float.length; from += this.width) {
      const [a, b] = [this.logits(float, from), this.logits(integer, from)];
      const best = bestOf(a, 0, this.width);
      for (let i = 0; i < this.width; i++) {
        if (i === best) continue;
        this.square += (b[best]! - b[i]! - (a[best]! - a[i]!)) ** 2;
        this.count++;
      }
    }
  }

  /** Undefined where rows have one value or nothing was noted. */
  expectedAgreement(): number | undefined {
    if (this.count === 0 || this.leads.length === 0) return undefined;
    const deviation = Math.sqrt(this.square / this.count);
    if (deviation === 0) return 1;
    let lost = 0;
    for (const leads of this.leads) {
      // The leader itself is a tie with itself: half a loss too many.
      let chance = -0.5;
      for (const lead of leads) chance += normalTail(lead / deviation);
      lost += Math.min(1, Math.max(0, chance));
    }
    return 1 - lost / this.leads.length;
  }

  /** A row on the scale in which errors do not depend on the values: logarithms of probabilities. */
  private logits(values: ArrayLike<number>, from: number): Float64Array {
    return Float64Array.from({ length: this.width }, (_, i) => {
      const v = values[from + i]!;
      return this.ofProbabilities ? Math.log(Math.max(v, LEAST_PROBABILITY)) : v;
    });
  }
}
