import { allocate, type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../../core/tensor.ts';

/** Small seeded generator (mulberry32): the same seed gives the same tests on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** 32 random bits. */
  bits(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor((this.bits() / 2 ** 32) * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.bits() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  /** Integer in [low, high] that is an extreme or close to zero more often than chance. */
  extreme(low: number, high: number): number {
    const style = this.integer(0, 9);
    if (style === 0) return low;
    if (style === 1) return high;
    if (style <= 3) return Math.min(high, Math.max(low, this.integer(-3, 3)));
    if (style <= 5) {
      const size = 2 ** this.integer(0, 31);
      return Math.min(high, Math.max(low, this.integer(-size, size)));
    }
    return this.integer(low, high);
  }

  /** A tensor: uniform, constant at an extreme, or a mixture of extremes and small values. */
  tensor(type: ElementType, length: number): TypedArray {
    const [low, high] = [TYPE_MINIMUM[type], TYPE_MAXIMUM[type]];
    const values = allocate(type, length);
    const style = this.integer(0, 9);
    const constant = this.pick([low, high]);
    for (let i = 0; i < length; i++) values[i] = style === 0 ? constant : style < 5 ? this.integer(low, high) : this.extreme(low, high);
    return values;
  }
}
