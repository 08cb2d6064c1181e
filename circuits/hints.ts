import { invariant } from '../core/errors.ts';
import { integerSquareRoot } from '../core/ops/isqrt.ts';
import { type Assignment, bigPart, smallPart } from './assignment.ts';
import { type ConstraintSystem, PART_A, PART_B, PART_C } from './constraint-system.ts';
import { centered, inverse } from './field.ts';
import { HINT_CODES, type HintName } from './hint-codes.ts';

/** What a witness starts from. */
export interface Given {
  readonly context: bigint;
  /** All input elements, inputs joined in order. */
  readonly inputs: Float64Array;
}

interface Solving {
  readonly cs: ConstraintSystem;
  readonly values: Assignment;
  readonly given: Given;
  /** Arguments of the hint, starting at `at`. */
  readonly args: Int32Array;
}

type Solver = (s: Solving, at: number) => void;

/** A bounded value; where its terms are too large for doubles (and cancel), by way of the field. */
function small(s: Solving, row: number, part: number): number {
  const value = smallPart(s.cs, s.values, row, part);
  if (!Number.isNaN(value)) return value;
  const exact = Number(centered(bigPart(s.cs, s.values, row, part)));
  invariant(Number.isSafeInteger(exact), 'a hint needs a small integer and met a field element');
  return exact;
}

/** Writes `count` bits of a non-negative integer, the lowest `skip` ones left out. */
function writeBits(s: Solving, value: number, first: number, count: number, skip = 0): void {
  let rest = skip === 0 ? value : Math.floor(value / 2 ** skip);
  for (let i = 0; i < count; i++) {
    const half = Math.floor(rest / 2);
    s.values.setSmall(first + i, rest - 2 * half);
    rest = half;
  }
}

function coefficientCode(cs: ConstraintSystem, row: number, wire: number): number {
  const { from, to } = cs.part(row, PART_C);
  for (let i = to - 1; i >= from; i--) if (cs.termWires.data[i] === wire) return cs.termCodes.data[i]!;
  throw new RangeError(`wire ${wire} is not in the C part of row ${row}`);
}

function solve(s: Solving, at: number): void {
  const [row, wire] = [s.args[at]!, s.args[at + 1]!];
  const code = coefficientCode(s.cs, row, wire);
  const factor = s.cs.smallCoefficient(code);
  const missing = smallPart(s.cs, s.values, row, PART_A) * smallPart(s.cs, s.values, row, PART_B) - smallPart(s.cs, s.values, row, PART_C);
  if (Math.abs(missing) < 2 ** 53 && (factor === 1 || factor === -1)) {
    s.values.setSmall(wire, missing * factor);
    return;
  }
  const big = bigPart(s.cs, s.values, row, PART_A) * bigPart(s.cs, s.values, row, PART_B) - bigPart(s.cs, s.values, row, PART_C);
  s.values.set(wire, factor === 1 ? big : big * inverse(s.cs.bigCoefficient(code)));
}

/** Splits off the lowest `shift` bits of a value (with sign −1: what is missing to the next multiple) and returns the quotient. */
function remainderBits(s: Solving, value: number, first: number, shift: number, sign: number): number {
  const quotient = sign === 1 ? Math.floor(value / 2 ** shift) : Math.ceil(value / 2 ** shift);
  writeBits(s, sign * (value - quotient * 2 ** shift), first, shift);
  return quotient;
}

function positive(s: Solving, at: number): void {
  const [row, remainder, shift, magnitude, count, wire, sign] = s.args.subarray(at, at + 7) as unknown as [number, ...number[]];
  const q = remainderBits(s, small(s, row, PART_C), remainder!, shift!, sign!);
  writeBits(s, Math.abs(q), magnitude!, count!);
  s.values.setSmall(wire!, Math.max(q, 0));
}

function clampBoth(s: Solving, at: number): void {
  const [row, remainder, shift, low, width, h, spare, tau, sigma, wire] = s.args.subarray(at, at + 10) as unknown as [number, ...number[]];
  const q = remainderBits(s, small(s, row, PART_C), remainder!, shift!, 1);
  const top = Math.floor(q / 2 ** width!);
  const rest = q - top * 2 ** width!;
  writeBits(s, rest, low!, width!);
  writeBits(s, Math.max(Math.abs(top) - 1, 0), h!, spare!);
  s.values.setSmall(tau!, Math.sign(top));
  s.values.setSmall(sigma!, top === 0 ? 0 : 1);
  s.values.setSmall(wire!, top === 0 ? rest : top > 0 ? 2 ** width! - 1 : 0);
}

function divide(s: Solving, at: number): void {
  const [row, quotient, remainder] = [s.args[at]!, s.args[at + 1]!, s.args[at + 2]!];
  const n = small(s, row, PART_C);
  const d = small(s, row, PART_A);
  let q = Math.floor(n / d);
  // The double quotient may be off by one next to an integer.
  if (q * d > n) q--;
  if ((q + 1) * d <= n) q++;
  s.values.setSmall(quotient, q);
  s.values.setSmall(remainder, n - q * d);
}

const SOLVERS: { readonly [K in HintName]: Solver } = {
  solve,
  input(s, at) {
    const [element, wire, first, bits] = [s.args[at]!, s.args[at + 1]!, s.args[at + 2]!, s.args[at + 3]!];
    const value = s.given.inputs[element]!;
    s.values.setSmall(wire, value);
    writeBits(s, value < 0 ? value + 2 ** bits : value, first, bits - 1, 1);
  },
  bits(s, at) {
    const [row, part, first, count, skip] = [s.args[at]!, s.args[at + 1]!, s.args[at + 2]!, s.args[at + 3]!, s.args[at + 4]!];
    writeBits(s, small(s, row, part), first, count, skip);
  },
  shift(s, at) {
    const [row, remainder, shift, quotient] = [s.args[at]!, s.args[at + 1]!, s.args[at + 2]!, s.args[at + 3]!];
    s.values.setSmall(quotient, remainderBits(s, small(s, row, PART_C), remainder, shift, 1));
  },
  positive,
  clamp: clampBoth,
  divide,
  squareRoot(s, at) {
    const [row, root, excess] = [s.args[at]!, s.args[at + 1]!, s.args[at + 2]!];
    const value = small(s, row, PART_C);
    const r = integerSquareRoot(value);
    s.values.setSmall(root, r);
    s.values.setSmall(excess, value - r * r);
  },
  context(s, at) {
    s.values.set(s.args[at]!, s.given.context);
  },
  isZero(s, at) {
    s.values.setSmall(s.args[at + 1]!, small(s, s.args[at]!, PART_B) === 0 ? 1 : 0);
  },
  positivePart(s, at) {
    s.values.setSmall(s.args[at + 1]!, Math.max(small(s, s.args[at]!, PART_B), 0));
  },
};

const BY_CODE: Solver[] = [];
for (const [name, code] of Object.entries(HINT_CODES)) BY_CODE[code] = SOLVERS[name as HintName];

/** Runs the hint stream: every wire gets the value its gadget prescribes. One pass, linear in the number of terms. */
export function runHints(cs: ConstraintSystem, values: Assignment, given: Given): void {
  const args = cs.hints.data;
  const solving: Solving = { cs, values, given, args };
  for (let at = 0; at < cs.hints.length; at += 2 + args[at + 1]!) BY_CODE[args[at]!]!(solving, at + 2);
}
