import { invariant } from '../core/errors.ts';
import { FIELD_PRIME, reduce } from './field.ts';
import { GrowableFloat64, GrowableInt32 } from './growable.ts';
import { HINT_CODES, type HintName } from './hint-codes.ts';
import { type Coefficient, type LinearForm, plusCoefficient, timesCoefficient, ZERO_FORM } from './linear-form.ts';

/** Coefficients with a smaller absolute value are stored as they are, others as an index into a dictionary. */
const DIRECT = 2 ** 30;

/** The three linear forms of a row ⟨A,w⟩·⟨B,w⟩ = ⟨C,w⟩. */
export const PART_A = 0;
export const PART_B = 1;
export const PART_C = 2;

/**
 * A rank-1 constraint system over BN254, in growable typed arrays: eight bytes a term. Wire 0 is one, wires
 * 1..publicCount are the public signals in order. Every wire carries proved integer bounds (infinite for a field element), and the
 * hint stream says how a witness is computed, in wire order.
 */
export class ConstraintSystem {
  readonly publicCount: number;
  /** Terms of all rows: part A, B, C of row 0, then of row 1, … */
  readonly termWires = new GrowableInt32(1 << 16);
  readonly termCodes = new GrowableInt32(1 << 16);
  /** Where the parts start: entry 3·row + part; one closing entry. */
  readonly partStarts = new GrowableInt32(1 << 14);
  readonly wireLow = new GrowableFloat64();
  readonly wireHigh = new GrowableFloat64();
  readonly hints = new GrowableInt32(1 << 14);
  /** Large coefficients, reduced to [0, p); their small reading beside them where they have one, otherwise NaN. */
  readonly dictionary: bigint[] = [];
  readonly dictionarySmall: number[] = [];
  /** Rows by purpose: what a report shows. */
  readonly rowsByPurpose = new Map<string, number>();
  /** First row of each stretch of rows with one purpose, ascending: names a violated row. */
  private readonly stretches: { readonly from: number; readonly purpose: string }[] = [];
  /** Nonzero terms of the A and B parts: they make the proving key grow, those of C do not. */
  nonzerosAB = 0;

  private readonly dictionaryIndex = new Map<bigint, number>();
  private purpose = 'other';
  private slot = new Int32Array(1 << 12);
  private stamp = new Int32Array(1 << 12);
  private stampNow = 0;

  constructor(publicCount: number) {
    this.publicCount = publicCount;
    this.partStarts.push(0);
    this.wireOf(1, 1);
    for (let i = 0; i < publicCount; i++) this.wireOf(-Infinity, Infinity);
  }

  get wireCount(): number {
    return this.wireLow.length;
  }

  get rowCount(): number {
    return (this.partStarts.length - 1) / 3;
  }

  /** A new wire. The bounds are a promise of the caller: its constraints must force the wire into [low, high]. */
  wireOf(low: number, high: number): number {
    this.wireLow.push(low);
    this.wireHigh.push(high);
    return this.wireLow.length - 1;
  }

  /** A new wire forced to 0 or 1. Cost: one row. The caller's hint must set it. */
  bit(): number {
    const wire = this.wireOf(0, 1);
    const form = this.form(wire);
    this.row(form, form, form);
    return wire;
  }

  /** Consecutive bit wires; returns the first. */
  bits(count: number): number {
    const first = this.wireCount;
    for (let i = 0; i < count; i++) this.bit();
    return first;
  }

  form(wire: number, coefficient: Coefficient = 1): LinearForm {
    return { wires: [wire], coefficients: [coefficient], ...this.termBounds(wire, coefficient) };
  }

  /** Appends the row ⟨a⟩·⟨b⟩ = ⟨c⟩ and returns its number. */
  row(a: LinearForm, b: LinearForm, c: LinearForm): number {
    const row = this.rowCount;
    if (this.stretches.at(-1)?.purpose !== this.purpose) this.stretches.push({ from: row, purpose: this.purpose });
    const before = this.termWires.length;
    this.pushPart(a);
    this.pushPart(b);
    this.nonzerosAB += this.termWires.length - before;
    this.pushPart(c);
    this.rowsByPurpose.set(this.purpose, (this.rowsByPurpose.get(this.purpose) ?? 0) + 1);
    return row;
  }

  /** Appends 0·0 = ⟨c⟩: a linear row lives in C alone, where its terms cost neither key bytes nor proving time. */
  linearRow(c: LinearForm): number {
    return this.row(ZERO_FORM, ZERO_FORM, c);
  }

  /** Rows appended by `build` are counted under `purpose`. */
  withPurpose<T>(purpose: string, build: () => T): T {
    const before = this.purpose;
    this.purpose = purpose;
    try {
      return build();
    } finally {
      this.purpose = before;
    }
  }

  /** What a row is for. */
  purposeOf(row: number): string {
    return this.stretches.findLast((stretch) => stretch.from <= row)?.purpose ?? 'none';
  }

  hint(name: HintName, ...args: readonly number[]): void {
    this.hints.push(HINT_CODES[name]);
    this.hints.push(args.length);
    for (const arg of args) this.hints.push(arg);
  }

  /** The sum of the terms: merges repeated wires, drops zeros, and computes the exact bounds from those of the wires. */
  combine(wires: ArrayLike<number>, coefficients: ArrayLike<Coefficient>, count = wires.length): LinearForm {
    this.growStamps();
    const now = ++this.stampNow;
    const outWires: number[] = [];
    const outCoefficients: Coefficient[] = [];
    let merged = false;
    for (let i = 0; i < count; i++) {
      const wire = wires[i]!;
      const coefficient = coefficients[i]!;
      if (this.stamp[wire] === now) {
        const at = this.slot[wire]!;
        merged = true;
        outCoefficients[at] = plusCoefficient(outCoefficients[at]!, coefficient);
      } else {
        this.stamp[wire] = now;
        this.slot[wire] = outWires.length;
        outWires.push(wire);
        outCoefficients.push(coefficient);
      }
    }
    return this.finish(outWires, outCoefficients, merged);
  }

  /** Σ scale·form. Its bounds are the tighter of what its wires and what the parts promise. */
  sum(...parts: readonly (readonly [form: LinearForm, scale?: Coefficient])[]): LinearForm {
    const wires: number[] = [];
    const coefficients: Coefficient[] = [];
    let low = 0;
    let high = 0;
    for (const [form, scale = 1] of parts) {
      for (let i = 0; i < form.wires.length; i++) {
        wires.push(form.wires[i]!);
        coefficients.push(timesCoefficient(form.coefficients[i]!, scale));
      }
      if (form.wires.length === 0) continue;
      const factor = Number(scale);
      low += factor * (factor < 0 ? form.high : form.low);
      high += factor * (factor < 0 ? form.low : form.high);
    }
    const sum = this.combine(wires, coefficients);
    return { ...sum, low: Math.max(sum.low, low), high: Math.min(sum.high, high) };
  }

  /** Σ_{i<count} 2^i·wire(first + i), as a form. */
  binary(first: number, count: number): LinearForm {
    const wires = Array.from({ length: count }, (_, i) => first + i);
    return { wires, coefficients: wires.map((_, i) => 2 ** i), low: 0, high: 2 ** count - 1 };
  }

  /** Value of a stored coefficient code as a small integer, NaN where it has none. */
  smallCoefficient(code: number): number {
    return code < DIRECT ? code : this.dictionarySmall[code - DIRECT]!;
  }

  bigCoefficient(code: number): bigint {
    return code < DIRECT ? BigInt(code) : this.dictionary[code - DIRECT]!;
  }

  /** Stored terms of one part of a row. */
  part(row: number, part: number): { from: number; to: number } {
    return { from: this.partStarts.data[3 * row + part]!, to: this.partStarts.data[3 * row + part + 1]! };
  }

  private termBounds(wire: number, coefficient: Coefficient): { low: number; high: number } {
    const bound = this.wireLow.data[wire]!;
    if (bound === -Infinity) return { low: -Infinity, high: Infinity };
    const scale = Number(coefficient);
    const a = scale * bound;
    const b = scale * this.wireHigh.data[wire]!;
    return a < b ? { low: a, high: b } : { low: b, high: a };
  }

  private finish(wires: number[], coefficients: Coefficient[], merged: boolean): LinearForm {
    let low = 0;
    let high = 0;
    let kept = 0;
    for (let i = 0; i < wires.length; i++) {
      const coefficient = coefficients[i]!;
      // Only a sum of big coefficients can be a multiple of the prime without being zero.
      if (coefficient === 0 || coefficient === 0n) continue;
      if (merged && typeof coefficient === 'bigint' && coefficient % FIELD_PRIME === 0n) continue;
      const bounds = this.termBounds(wires[i]!, coefficient);
      low += bounds.low;
      high += bounds.high;
      wires[kept] = wires[i]!;
      coefficients[kept++] = coefficient;
    }
    wires.length = kept;
    coefficients.length = kept;
    return { wires, coefficients, low, high };
  }

  private pushPart(form: LinearForm): void {
    const { wires, coefficients } = form;
    this.termWires.reserve(wires.length);
    this.termCodes.reserve(wires.length);
    for (let i = 0; i < wires.length; i++) {
      if (coefficients[i] === 0) continue;
      this.termWires.push(wires[i]!);
      this.termCodes.push(this.encode(coefficients[i]!));
    }
    this.partStarts.push(this.termWires.length);
  }

  private encode(coefficient: Coefficient): number {
    if (typeof coefficient === 'number' && coefficient < DIRECT && coefficient > -DIRECT) return coefficient;
    const value = BigInt(coefficient);
    const residue = value >= 0n && value < FIELD_PRIME ? value : reduce(value);
    invariant(residue !== 0n, 'a zero coefficient reached a constraint');
    const known = this.dictionaryIndex.get(residue);
    if (known !== undefined) return DIRECT + known;
    const index = this.dictionary.push(residue) - 1;
    const near = residue > FIELD_PRIME / 2n ? residue - FIELD_PRIME : residue;
    const small = Number(near);
    this.dictionarySmall.push(Number.isSafeInteger(small) ? small : Number.NaN);
    this.dictionaryIndex.set(residue, index);
    return DIRECT + index;
  }

  private growStamps(): void {
    if (this.slot.length >= this.wireCount) return;
    this.slot = new Int32Array(this.wireCount * 2);
    this.stamp = new Int32Array(this.wireCount * 2);
    this.stampNow = 0;
  }
}
