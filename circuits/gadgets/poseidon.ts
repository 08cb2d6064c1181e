import type { ConstraintSystem } from '../constraint-system.ts';
import { power } from '../field.ts';
import { type Coefficient, constantForm, fieldConstantOf, type LinearForm } from '../linear-form.ts';
import { partialRoundsOf, poseidonParameters } from '../poseidon-parameters.ts';

function fieldProduct(cs: ConstraintSystem, a: LinearForm, b: LinearForm): LinearForm {
  const wire = cs.wireOf(-Infinity, Infinity);
  cs.hint('solve', cs.row(a, b, cs.form(wire)), wire);
  return cs.form(wire);
}

function fifthPower(cs: ConstraintSystem, x: LinearForm): LinearForm {
  const known = fieldConstantOf(x);
  if (known !== undefined) return constantForm(power(known, 5n));
  const square = fieldProduct(cs, x, x);
  return fieldProduct(cs, fieldProduct(cs, square, square), x);
}

/** Σ row[i]·parts[i] + constant. */
function affine(cs: ConstraintSystem, parts: readonly LinearForm[], row: readonly bigint[], constant: bigint): LinearForm {
  const terms = parts.map((part, i): [LinearForm, Coefficient] => [part, row[i]!]);
  return cs.sum(...terms, [constantForm(1n), constant]);
}

const WIDTH = 17;

/** A half of the full rounds: S-boxes on the whole state, mixing in between and, with `mixLast`, after the last. */
function fullRounds(cs: ConstraintSystem, start: readonly LinearForm[], firstRound: number, mixLast: boolean): LinearForm[] {
  const { fullRounds: rounds, constants, matrix } = poseidonParameters(WIDTH);
  let state = [...start];
  for (let i = 0; i < rounds / 2; i++) {
    state = state.map((part) => fifthPower(cs, part));
    if (i === rounds / 2 - 1 && !mixLast) return state;
    // The constants of the next round are added along with the mixing; after the last round there are none.
    const next = (firstRound + i + 1) * WIDTH;
    state = matrix.map((row, j) => affine(cs, state, row, constants[next + j] ?? 0n));
  }
  return state;
}

/** The partial rounds: only the S-boxes make wires, everything between them is a precomputed form. */
function partialRounds(cs: ConstraintSystem, x: readonly LinearForm[]): LinearForm[] {
  const p = partialRoundsOf(WIDTH);
  const q: LinearForm[] = [];
  p.inputs.forEach((row, round) => {
    const past = q.map((_, i) => p.history[round - 1 - i]!);
    q.push(fifthPower(cs, affine(cs, [...x, ...q], [...row, ...past], p.constants[round]!)));
  });
  return p.lastInputs.map((row, k) => {
    const past = q.map((_, i) => p.lastHistory[q.length - 1 - i]![k]!);
    return affine(cs, [...x, ...q], [...row, ...past], p.lastConstants[k]!);
  });
}

/**
 * Poseidon of 16 field elements (t = 17, eight full and 68 partial rounds), equal to circomlibjs's `poseidon(inputs)`.
 * No precondition. Unique: every wire is a function of the inputs. Cost: at most (8·17 + 68)·3 = 612 rows, three less for each constant
 * input; the mixing is linear and free, its long forms stand in the A and B parts of the later rounds (about 25,000 terms in the key).
 */
export function poseidon16(cs: ConstraintSystem, inputs: readonly LinearForm[]): LinearForm {
  const { fullRounds: full, partialRounds: partial, constants } = poseidonParameters(WIDTH);
  const start = [constantForm(0), ...inputs].map((part, i) => cs.sum([part], [constantForm(1n), constants[i]!]));
  const middle = partialRounds(cs, fullRounds(cs, start, 0, false));
  return fullRounds(cs, middle, full / 2 + partial, true)[0]!;
}

/** Elements absorbed by one permutation beside the running hash. */
export const GROUP = 15;

/**
 * The input commitment: h = byteLength, then h = Poseidon(h, g_0 … g_14) for each group of 15 packed elements, zero-padded.
 * The plain side is circuits/input-commitment.ts. Cost: 612 rows for every 465 bytes.
 */
export function commitPacked(cs: ConstraintSystem, byteLength: number, elements: readonly LinearForm[]): LinearForm {
  let state: LinearForm = constantForm(byteLength);
  for (let from = 0; from < elements.length; from += GROUP) {
    const group = Array.from({ length: GROUP }, (_, i) => elements[from + i] ?? constantForm(0));
    state = poseidon16(cs, [state, ...group]);
  }
  return state;
}
