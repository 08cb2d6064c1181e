import type { Values } from '../onnx/lower/evaluate.ts';
import type { Net } from '../onnx/lower/net.ts';
import { liveElements } from './live.ts';
import { MASK, type Range } from './quantization.ts';

/** Standard deviations from the mean that a value may be away: of a million normal ones, none is further. */
const DEVIATIONS = 5;

/** Least and greatest value of every tensor over the runs that it is shown, zero included. */
export class Ranges {
  readonly live: readonly (Uint8Array | undefined)[];
  private readonly seen: { low: number; high: number; masked: boolean; count: number; sum: number; squares: number }[];

  constructor(net: Net) {
    this.live = liveElements(net);
    this.seen = net.nodes.map(() => ({ low: 0, high: 0, masked: false, count: 0, sum: 0, squares: 0 }));
  }

  /** @param values of all tensors of the network in one run */
  see(values: readonly Values[]): void {
    values.forEach((tensor, id) => {
      const range = this.seen[id]!;
      const live = this.live[id];
      for (let e = 0; e < tensor.length; e++) {
        const v = tensor[e]!;
        if (live?.[e] === 0) continue;
        if (v < -MASK) {
          range.masked = true;
          continue;
        }
        range.count++;
        range.sum += v;
        range.squares += v * v;
        if (v < range.low) range.low = v;
        else if (v > range.high) range.high = v;
      }
    });
  }

  all(): readonly Range[] {
    return this.seen.map(({ low, high, masked, count, sum, squares }) => {
      const mean = sum / Math.max(1, count);
      const far = DEVIATIONS * Math.sqrt(Math.max(0, squares / Math.max(1, count) - mean * mean));
      const reach = { low: low < 0 ? Math.min(low, mean - far) : 0, high: high > 0 ? Math.max(high, mean + far) : 0 };
      return { low, high, masked, reach };
    });
  }
}
