import { buildBn128, type Curve, type CurveMemory } from 'ffjavascript';

export type Group = 'G1' | 'G2';
/** Bytes of an affine point in the iden3 files: Montgomery form, little-endian. */
export const POINT_BYTES: Readonly<Record<Group, number>> = { G1: 64, G2: 128 };
const SCALAR_BITS = 254;
const SCALAR_BYTES = 32;
const BATCH = 1 << 12;
/**
 * The curve's own routines take scratch memory above what they have allocated, 64 bytes a point of a batch: nothing of ours may lie
 * there. Room for the largest batch, a whole row of the largest table, four times over.
 */
const SCRATCH_BYTES = 8 << 20;

/** Window that needs the fewest additions for `count` scalars, tables included. */
function bestWindow(count: number): number {
  const additions = (w: number): number => Math.ceil(SCALAR_BITS / w) * (2 ** w + count);
  let best = 4;
  for (let w = 5; w <= 15; w++) if (additions(w) < additions(best)) best = w;
  return best;
}

/** Memory of the curve's own WebAssembly instance, grown as needed; addresses stay valid, views do not. */
class Arena {
  private readonly memory: CurveMemory;
  private at: number;

  constructor(curve: Curve) {
    this.memory = curve.tm.memory;
    this.at = this.memory.buffer.byteLength + SCRATCH_BYTES;
  }

  allocate(bytes: number): number {
    const from = this.at;
    this.at += (bytes + 7) & ~7;
    const missing = this.at - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    return from;
  }

  view(from: number, bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, from, bytes);
  }
}

/** Digit of `w` bits number `j` of a little-endian scalar of 32 bytes, w ≤ 16. */
function digit(scalars: Uint8Array, offset: number, j: number, w: number): number {
  const bit = j * w;
  const byte = bit >> 3;
  let value = scalars[offset + byte]!;
  if (byte + 1 < SCALAR_BYTES) value |= scalars[offset + byte + 1]! << 8;
  if (byte + 2 < SCALAR_BYTES) value |= scalars[offset + byte + 2]! << 16;
  return (value >> (bit & 7)) & (2 ** w - 1);
}

/** Multiplies the generator of one group by many scalars, by windows of precomputed multiples. */
export class FixedBase {
  private readonly exports: Readonly<Record<string, (...args: number[]) => number>>;
  private readonly prefix: string;
  private readonly window: number;
  private readonly windows: number;
  private readonly table: number;
  private readonly batch: number;
  private readonly arena: Arena;
  private readonly affine: number;
  private readonly jacobian: number;

  private constructor(curve: Curve, group: Group, count: number) {
    this.exports = curve.tm.instance.exports;
    this.prefix = group === 'G1' ? 'g1m' : 'g2m';
    this.affine = POINT_BYTES[group];
    this.jacobian = (this.affine / 2) * 3;
    this.window = bestWindow(count);
    this.windows = Math.ceil(SCALAR_BITS / this.window);
    this.arena = new Arena(curve);
    this.table = this.arena.allocate(this.windows * 2 ** this.window * this.affine);
    this.batch = this.arena.allocate(BATCH * this.jacobian);
    this.fill(curve[group].g);
  }

  static async create(group: Group, count: number): Promise<FixedBase> {
    return new FixedBase(await buildBn128(true), group, count);
  }

  /** @param scalars 32 little-endian bytes each, below the field's prime @returns affine points in the form of the iden3 files */
  multiply(scalars: Uint8Array, done: (points: number) => void): Uint8Array {
    const count = scalars.length / SCALAR_BYTES;
    const out = new Uint8Array(count * this.affine);
    for (let from = 0; from < count; from += BATCH) {
      const size = Math.min(BATCH, count - from);
      for (let i = 0; i < size; i++) this.one(scalars, (from + i) * SCALAR_BYTES, this.batch + i * this.jacobian);
      this.call('batchToAffine', this.batch, size, this.batch);
      out.set(this.arena.view(this.batch, size * this.affine), from * this.affine);
      done(size);
    }
    return out;
  }

  private one(scalars: Uint8Array, offset: number, target: number): void {
    const addMixed = this.exports[`${this.prefix}_addMixed`]!;
    this.call('zero', target);
    for (let j = 0; j < this.windows; j++) {
      const d = digit(scalars, offset, j, this.window);
      if (d !== 0) addMixed(target, this.table + ((j << this.window) + d) * this.affine, target);
    }
  }

  /** Entry (j, d) is d·2^(window·j) times the generator; entry (j, 0) is never read. */
  private fill(generator: Uint8Array): void {
    const size = 2 ** this.window;
    const base = this.arena.allocate(this.jacobian);
    const row = this.arena.allocate(size * this.jacobian);
    this.arena.view(base, this.jacobian).set(generator);
    for (let j = 0; j < this.windows; j++) {
      this.call('zero', row);
      for (let d = 1; d < size; d++) this.call('add', row + (d - 1) * this.jacobian, base, row + d * this.jacobian);
      this.call('add', row + (size - 1) * this.jacobian, base, base);
      this.call('batchToAffine', row, size, row);
      const at = this.table + j * size * this.affine;
      this.arena.view(at, size * this.affine).set(this.arena.view(row, size * this.affine));
    }
  }

  private call(name: string, ...args: number[]): void {
    this.exports[`${this.prefix}_${name}`]!(...args);
  }
}
