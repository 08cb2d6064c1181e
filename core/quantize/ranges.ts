import type { Values } from '../onnx/lower/evaluate.ts';
import type { Net } from '../onnx/lower/net.ts';
import { liveElements } from './live.ts';
import { MASK, type Range } from './quantization.ts';

/** Standard deviations from the mean that a value may be away: of a million normal ones, none is further. */
const DEVIATIONS = 5;
/** What lies this far below a row's largest value has no weight in its softmax. */
const WEIGHTLESS = 20;

/** Width of rows of tensors that only softmax reads, by node. */
function softmaxRows(net: Net): (number | undefined)[] {
  const width: (number | undefined)[] = net.nodes.map(() => undefined);
  const other = new Set(net.outputs.map((output) => output.node));
  for (const node of net.nodes)
    for (const source of node.sources) {
      if (node.kind === 'softmax' && !node.logarithm) width[source] = node.width;
      else other.add(source);
    }
  return width.map((own, id) => (other.has(id) ? undefined : own));
}

/** What was seen of one tensor, or of one column of it. */
export class Tally {
  masked = false;
  low = 0;
  high = 0;
  /** Over all rows, also those that only widen what may come. */
  least = 0;
  most = 0;
  count = 0;
  sum = 0;
  squares = 0;

  add(v: number, isFitted: boolean): void {
    if (v < -MASK) {
      this.masked = true;
      return;
    }
    this.count++;
    this.sum += v;
    this.squares += v * v;
    if (v < this.least) this.least = v;
    else if (v > this.most) this.most = v;
    if (!isFitted) return;
    if (v < this.low) this.low = v;
    else if (v > this.high) this.high = v;
  }

  range(): Range {
    const { low, high, masked, least, most } = this;
    const mean = this.sum / Math.max(1, this.count);
    const far = DEVIATIONS * Math.sqrt(Math.max(0, this.squares / Math.max(1, this.count) - mean * mean));
    const reach = { low: least < 0 ? Math.min(least, mean - far) : 0, high: most > 0 ? Math.max(most, mean + far) : 0 };
    return { low, high, masked, reach };
  }
}

/** Least and greatest value of every tensor over the runs that it is shown, zero included. */
export class Ranges {
  readonly live: readonly (Uint8Array | undefined)[];
  private readonly rows: readonly (number | undefined)[];
  private readonly tallies: readonly Tally[];

  constructor(net: Net) {
    this.live = liveElements(net);
    this.rows = softmaxRows(net);
    this.tallies = net.nodes.map(() => new Tally());
  }

  /**
   * @param values of all tensors of the network in one run
   * @param isFitted whether weights are fitted to the run; others only tell how far values may reach
   */
  see(values: readonly Values[], isFitted: boolean): void {
    values.forEach((tensor, id) => {
      const tally = this.tallies[id]!;
      const live = this.live[id];
      const width = this.rows[id];
      let floor = Number.NEGATIVE_INFINITY;
      for (let e = 0; e < tensor.length; e++) {
        if (live?.[e] === 0) continue;
        if (width !== undefined && e % width === 0) floor = rowFloor(tensor, e, width);
        tally.add(Math.max(floor, tensor[e]!), isFitted);
      }
    });
  }

  all(): readonly Range[] {
    return this.tallies.map((tally) => tally.range());
  }
}

/** Values below it count as if they were at it: masks of −10,000 and the like say nothing of a range. */
function rowFloor(tensor: Values, from: number, width: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < width; i++) top = Math.max(top, tensor[from + i]!);
  return top < -MASK ? Number.NEGATIVE_INFINITY : top - WEIGHTLESS;
}
