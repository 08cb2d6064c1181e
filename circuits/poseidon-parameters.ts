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
