import { FIELD_PRIME, inverse } from './field.ts';

/** Round constants and mixing matrix of one Poseidon instance over BN254 (S-box x^5, security 128). */
export interface PoseidonParameters {
  /** State elements: inputs + 1. */
  readonly width: number;
  readonly fullRounds: number;
  readonly partialRounds: number;
  /** `width` constants a round. */
  readonly constants: readonly bigint[];
  readonly matrix: readonly (readonly bigint[])[];
}

const FIELD_BITS = 254;
const FULL_ROUNDS = 8;
/** Partial rounds of widths 2 to 17, as circomlib rounds them. */
const PARTIAL_ROUNDS: readonly number[] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];

/** The Grain LFSR in self-shrinking mode: the generator that the Poseidon paper (eprint 2019/458, appendix E) prescribes. */
function grain(width: number, partialRounds: number): () => number {
  const state: number[] = [];
  const push = (value: number, bits: number): void => {
    for (let i = bits - 1; i >= 0; i--) state.push((value >> i) & 1);
  };
  push(1, 2);
  push(0, 4);
  push(FIELD_BITS, 12);
  push(width, 12);
  push(FULL_ROUNDS, 10);
  push(partialRounds, 10);
  for (let i = 0; i < 30; i++) state.push(1);
  const register = Uint8Array.from(state);
  let at = 0;
  const tap = (i: number): number => register[at + i < 80 ? at + i : at + i - 80]!;
  const next = (): number => {
    const bit = tap(62) ^ tap(51) ^ tap(38) ^ tap(23) ^ tap(13) ^ tap(0);
    register[at] = bit;
    at = at === 79 ? 0 : at + 1;
    return bit;
  };
  for (let i = 0; i < 160; i++) next();
  return () => {
    while (next() === 0) next();
    return next();
  };
}

function draw(bit: () => number): bigint {
  let text = '0b';
  for (let i = 0; i < FIELD_BITS; i++) text += bit();
  return BigInt(text);
}

function generate(width: number): PoseidonParameters {
  const partialRounds = PARTIAL_ROUNDS[width - 2]!;
  const bits = grain(width, partialRounds);
  const constants: bigint[] = [];
  while (constants.length < width * (FULL_ROUNDS + partialRounds)) {
    const value = draw(bits);
    if (value < FIELD_PRIME) constants.push(value);
  }
  // A Cauchy matrix 1 / (x_i + y_j) of distinct draws.
  let draws: bigint[];
  do draws = Array.from({ length: 2 * width }, () => draw(bits) % FIELD_PRIME);
  while (new Set(draws).size !== draws.length);
  const matrix = draws.slice(0, width).map((x) => draws.slice(width).map((y) => inverse(x + y)));
  return { width, fullRounds: FULL_ROUNDS, partialRounds, constants, matrix };
}

const cache = new Map<number, PoseidonParameters>();

/** Parameters for 1 to 16 inputs; generated once a process, in some milliseconds. */
export function poseidonParameters(width: number): PoseidonParameters {
  const known = cache.get(width) ?? generate(width);
  cache.set(width, known);
  return known;
}

/**
 * The partial rounds as linear algebra, computed once. With x the outputs of the S-boxes before them and q_i the outputs of their own,
 * the input of S-box p is inputs[p]·x + Σ_{i<p} history[p−1−i]·q_i + constants[p], and the state after all of them
 * lastInputs·x + Σ_i lastHistory[P−1−i]·q_i + lastConstants (with the constants of the next round).
 */
export interface PartialRounds {
  readonly inputs: readonly (readonly bigint[])[];
  readonly history: readonly bigint[];
  readonly constants: readonly bigint[];
  readonly lastInputs: readonly (readonly bigint[])[];
  readonly lastHistory: readonly (readonly bigint[])[];
  readonly lastConstants: readonly bigint[];
}

function dot(a: readonly bigint[], b: readonly bigint[]): bigint {
  let sum = 0n;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum % FIELD_PRIME;
}

const column = (matrix: Matrix, j: number): bigint[] => matrix.map((row) => row[j]!);
const rowTimes = (row: readonly bigint[], matrix: readonly (readonly bigint[])[]): bigint[] =>
  row.map((_, j) => dot(row, column(matrix, j)));
const timesColumn = (matrix: Matrix, vector: readonly bigint[]): bigint[] => matrix.map((row) => dot(row, vector));

type Matrix = readonly (readonly bigint[])[];

function multiply(a: Matrix, b: Matrix): Matrix {
  const columns = b.map((_, j) => column(b, j));
  return a.map((row) => columns.map((entries) => dot(row, entries)));
}

function matrixPower(base: Matrix, exponent: number): Matrix {
  if (exponent === 1) return base;
  const half = matrixPower(base, Math.floor(exponent / 2));
  const square = multiply(half, half);
  return exponent % 2 === 1 ? multiply(square, base) : square;
}

function linearize({ width, fullRounds, partialRounds, constants, matrix }: PoseidonParameters): PartialRounds {
  // What a partial round does to the state beside its S-box: the matrix without its first column.
  const passive = matrix.map((row) => [0n, ...row.slice(1)]);
  const active = column(matrix, 0);
  const roundConstants = (p: number): readonly bigint[] => constants.slice((fullRounds / 2 + p) * width, (fullRounds / 2 + p + 1) * width);
  const inputs: bigint[][] = [];
  const history: bigint[] = [];
  const lastHistory: bigint[][] = [];
  const sboxConstants: bigint[] = [];
  let unit: bigint[] = Array.from({ length: width }, (_, i) => (i === 0 ? 1n : 0n));
  let impulse = active;
  let state: bigint[] = [...roundConstants(0)];
  for (let p = 0; p < partialRounds; p++) {
    inputs.push(rowTimes(unit, matrix));
    history.push(dot(unit, active));
    unit = rowTimes(unit, passive);
    lastHistory.push(impulse);
    impulse = timesColumn(passive, impulse);
    sboxConstants.push(state[0]!);
    const next = roundConstants(p + 1);
    state = timesColumn(passive, state).map((value, i) => (value + next[i]!) % FIELD_PRIME);
  }
  return {
    inputs,
    history,
    constants: sboxConstants,
    lastInputs: multiply(matrixPower(passive, partialRounds), matrix),
    lastHistory,
    lastConstants: state,
  };
}

const linearized = new Map<number, PartialRounds>();

export function partialRoundsOf(width: number): PartialRounds {
  const known = linearized.get(width) ?? linearize(poseidonParameters(width));
  linearized.set(width, known);
  return known;
}
