import { randomBytes } from 'node:crypto';
import { type ConstraintSystem, PART_A, PART_B, PART_C } from '../constraint-system.ts';
import { FIELD_PRIME, inverse, inverses, power, reduce, rootOfUnity } from '../field.ts';

/** The secrets of a setup. Whoever knows them proves anything: only development keys are made this way. */
export interface Toxic {
  readonly tau: bigint;
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly delta: bigint;
}

export function drawToxic(): Toxic {
  const draw = (): bigint => 1n + (BigInt(`0x${randomBytes(48).toString('hex')}`) % (FIELD_PRIME - 1n));
  return { tau: draw(), alpha: draw(), beta: draw(), delta: draw() };
}

/** Every Lagrange polynomial (or every odd one) of the domain of 2^bits points, evaluated at tau: L_i = ω^i(τ^n − 1)/(n(τ − ω^i)). */
export function lagrangeAt(tau: bigint, bits: number, oddOnly = false): bigint[] {
  const n = 2 ** bits;
  const root = rootOfUnity(bits);
  const step = oddOnly ? (root * root) % FIELD_PRIME : root;
  const roots: bigint[] = [];
  const differences: bigint[] = [];
  let at = oddOnly ? root : 1n;
  for (let i = 0; i < (oddOnly ? n / 2 : n); i++) {
    roots.push(at);
    differences.push(reduce(tau - at));
    at = (at * step) % FIELD_PRIME;
  }
  const scale = (reduce(power(tau, BigInt(n)) - 1n) * inverse(BigInt(n))) % FIELD_PRIME;
  const inverted = inverses(differences);
  return roots.map((w, i) => (((w * scale) % FIELD_PRIME) * inverted[i]!) % FIELD_PRIME);
}

/** A_i(τ), B_i(τ), C_i(τ) of every wire; the row that binds each public signal is added to A, after the circuit's own. */
export interface WireScalars {
  readonly a: bigint[];
  readonly b: bigint[];
  readonly c: bigint[];
}

export function wireScalars(cs: ConstraintSystem, lagrange: readonly bigint[]): WireScalars {
  const parts = [PART_A, PART_B, PART_C].map(() => new Array<bigint>(cs.wireCount).fill(0n));
  for (let row = 0; row < cs.rowCount; row++) {
    const weight = lagrange[row]!;
    for (const part of [PART_A, PART_B, PART_C]) {
      const sums = parts[part]!;
      const { from, to } = cs.part(row, part);
      // Sums stay unreduced while they grow by small multiples: one reduction a wire.
      for (let i = from; i < to; i++) {
        const wire = cs.termWires.data[i]!;
        const code = cs.termCodes.data[i]!;
        sums[wire] = sums[wire]! + (code === 1 ? weight : weight * cs.bigCoefficient(code));
      }
    }
  }
  for (let wire = 0; wire <= cs.publicCount; wire++) parts[0]![wire] = parts[0]![wire]! + lagrange[cs.rowCount + wire]!;
  const [a, b, c] = parts.map((sums) => sums.map(reduce));
  return { a: a!, b: b!, c: c! };
}
