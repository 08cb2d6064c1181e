import { FIELD_PRIME, inverse, inverses, power, reduce, rootOfUnity, TWO_ADICITY } from '../../circuits/field.ts';

/** constant + Σ coefficient·wire over the field, for wires that are not known yet. Never changed once made. */
export interface Affine {
  readonly constant: bigint;
  readonly terms: ReadonlyMap<number, bigint>;
}

export const ZERO: Affine = { constant: 0n, terms: new Map() };

export function isConstant(form: Affine): boolean {
  return form.terms.size === 0;
}

/** a + factor·b. */
export function plus(a: Affine, b: Affine, factor = 1n): Affine {
  const terms = new Map(a.terms);
  for (const [wire, coefficient] of b.terms) {
    const sum = reduce((terms.get(wire) ?? 0n) + factor * coefficient);
    if (sum === 0n) terms.delete(wire);
    else terms.set(wire, sum);
  }
  return { constant: reduce(a.constant + factor * b.constant), terms };
}

export function times(a: Affine, factor: bigint): Affine {
  return plus(ZERO, a, factor);
}

/** The form with another put in the place of a wire. */
export function replace(form: Affine, wire: number, by: Affine): Affine {
  const coefficient = form.terms.get(wire);
  if (coefficient === undefined) return form;
  const terms = new Map(form.terms);
  terms.delete(wire);
  return plus({ constant: form.constant, terms }, by, coefficient);
}

/** λ with a = λ·b, or undefined. */
export function ratio(a: Affine, b: Affine): bigint | undefined {
  const [wire, coefficient] = b.terms.entries().next().value ?? [];
  if (wire === undefined || a.terms.size !== b.terms.size) return undefined;
  const factor = reduce((a.terms.get(wire) ?? 0n) * inverse(coefficient!));
  return plus(a, b, -factor).terms.size === 0 && reduce(a.constant - factor * b.constant) === 0n ? factor : undefined;
}

/** A square root in the field by Tonelli and Shanks, or undefined where there is none. */
export function squareRoot(value: bigint): bigint | undefined {
  if (value === 0n) return 0n;
  if (power(value, (FIELD_PRIME - 1n) / 2n) !== 1n) return undefined;
  const odd = (FIELD_PRIME - 1n) >> BigInt(TWO_ADICITY);
  let root = power(value, (odd + 1n) / 2n);
  let rest = power(value, odd);
  let unit = rootOfUnity(TWO_ADICITY);
  let order = TWO_ADICITY;
  while (rest !== 1n) {
    let least = 0;
    for (let square = rest; square !== 1n; square = (square * square) % FIELD_PRIME) least++;
    const step = power(unit, 1n << BigInt(order - least - 1));
    root = (root * step) % FIELD_PRIME;
    unit = (step * step) % FIELD_PRIME;
    rest = (rest * unit) % FIELD_PRIME;
    order = least;
  }
  return root;
}

/** Steps of a search for bits; binary sums take one or two a bit. */
const MOST_VISITS = 2000;

/**
 * All choices of bits that make constant + Σ c·b zero, up to `limit`; undefined where no scale makes the coefficients small enough for a
 * sum of integers, or where they are too entangled to search.
 */
export function bitSolutions(form: Affine, limit: number): Map<number, bigint>[] | undefined {
  const integers = asIntegers(form);
  if (integers === undefined) return undefined;
  const terms = [...integers.terms].sort(([, a], [, b]) => (abs(a) < abs(b) ? 1 : -1));
  // A negative term is its size with the opposite bit.
  let target = -integers.constant;
  for (const [, c] of terms) if (c < 0n) target -= c;
  const left = new Array<bigint>(terms.length + 1).fill(0n);
  for (let i = terms.length - 1; i >= 0; i--) left[i] = left[i + 1]! + abs(terms[i]![1]);
  const found: Map<number, bigint>[] = [];
  const chosen: bigint[] = [];
  let visits = 0;
  const visit = (i: number, rest: bigint): void => {
    if (rest < 0n || rest > left[i]! || found.length >= limit || ++visits > MOST_VISITS) return;
    if (i === terms.length) {
      found.push(new Map(terms.map(([wire, c], j) => [wire, c < 0n ? 1n - chosen[j]! : chosen[j]!])));
      return;
    }
    for (const bit of [0n, 1n]) {
      chosen[i] = bit;
      visit(i + 1, rest - bit * abs(terms[i]![1]));
    }
  };
  visit(0, target);
  return visits > MOST_VISITS ? undefined : found;
}

const abs = (v: bigint): bigint => (v < 0n ? -v : v);
const near = (v: bigint): bigint => (v > FIELD_PRIME / 2n ? v - FIELD_PRIME : v);

/** Bits that can have one value only if the form is to be zero, by the bounds of the others; undefined where no bits reach zero. */
export function forcedBits(form: Affine): Map<number, bigint> | undefined {
  const forced = new Map<number, bigint>();
  const integers = asIntegers(form);
  if (integers === undefined) return forced;
  const [low, high] = rangeOf(integers);
  if (low > 0n || high < 0n) return undefined;
  for (const [wire, c] of integers.terms) {
    // Moving the bit from where it is in the extreme takes |c| off it.
    if (low + abs(c) > 0n) forced.set(wire, c < 0n ? 1n : 0n);
    else if (high - abs(c) < 0n) forced.set(wire, c < 0n ? 0n : 1n);
  }
  return forced;
}

/** A form of bits as a multiple of small integers. */
interface Integers {
  readonly scale: bigint;
  readonly constant: bigint;
  readonly terms: ReadonlyMap<number, bigint>;
}

/** scale·form with integer coefficients so small that their sum holds in the field only where it holds over the integers. */
function asIntegers(form: Affine): Integers | undefined {
  const plain = integersAt(form, 1n);
  if (size(plain) < FIELD_PRIME / 4n) return plain;
  const scales = inverses([...new Set(form.terms.values())]);
  for (const scale of scales) {
    const scaled = integersAt(form, scale);
    if (size(scaled) < FIELD_PRIME / 4n) return scaled;
  }
  return undefined;
}

function integersAt(form: Affine, scale: bigint): Integers {
  const terms = new Map([...form.terms].map(([wire, c]) => [wire, near(reduce(c * scale))]));
  return { scale, constant: near(reduce(form.constant * scale)), terms };
}

/** Most that the terms can amount to. */
function size({ terms }: Integers): bigint {
  let sum = 0n;
  for (const c of terms.values()) sum += abs(c);
  return sum;
}

function rangeOf({ constant, terms }: Integers): readonly [bigint, bigint] {
  let [low, high] = [constant, constant];
  for (const c of terms.values()) {
    if (c < 0n) low += c;
    else high += c;
  }
  return [low, high];
}

/** Whether a·b = c can hold for no bits at all, because integers of such sizes cannot be equal. */
export function isOutOfReach(a: Affine, b: Affine, c: Affine): boolean {
  const [left, right] = [asIntegers(a), asIntegers(b)];
  if (left === undefined || right === undefined) return false;
  const result = integersAt(c, reduce(left.scale * right.scale));
  const [la, ha] = rangeOf(left);
  const [lb, hb] = rangeOf(right);
  const corners = [la * lb, la * hb, ha * lb, ha * hb];
  const least = corners.reduce((x, y) => (x < y ? x : y));
  const most = corners.reduce((x, y) => (x > y ? x : y));
  const [low, high] = rangeOf(result);
  if (high - least >= FIELD_PRIME || most - low >= FIELD_PRIME) return false;
  return most < low || least > high;
}
