import type { ConstraintSystem } from '../constraint-system.ts';
import { power } from '../field.ts';
import { type Coefficient, constantForm, fieldConstantOf, type LinearForm } from '../linear-form.ts';
import { type PoseidonParameters, poseidonParameters } from '../poseidon-parameters.ts';

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

function mix(cs: ConstraintSystem, state: readonly LinearForm[], { matrix }: PoseidonParameters): LinearForm[] {
  return matrix.map((row) => cs.sum(...state.map((part, j): [LinearForm, Coefficient] => [part, row[j]!])));
}

/**
 * Poseidon of 16 field elements (t = 17, eight full and 68 partial rounds), equal to circomlibjs's `poseidon(inputs)`.
 * No precondition. Unique: every wire is a function of the inputs. Cost: at most (8·17 + 68)·3 = 612 rows, three less for each
 * constant input; the mixing is linear and free, its
 * long forms stand in the A and B parts of the partial rounds (about 25,000 terms in the key).
 */
export function poseidon16(cs: ConstraintSystem, inputs: readonly LinearForm[]): LinearForm {
  const parameters = poseidonParameters(17);
  let state: LinearForm[] = [constantForm(0), ...inputs];
  const { width, fullRounds, partialRounds, constants } = parameters;
  for (let round = 0; round < fullRounds + partialRounds; round++) {
    state = state.map((part, i) => cs.sum([part], [constantForm(1n), constants[round * width + i]!]));
    const full = round < fullRounds / 2 || round >= fullRounds / 2 + partialRounds;
    state = state.map((part, i) => (full || i === 0 ? fifthPower(cs, part) : part));
    state = mix(cs, state, parameters);
  }
  return state[0]!;
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
