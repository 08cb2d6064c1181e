import { FIELD_PRIME } from './field.ts';

/** The wire that always carries 1. */
export const ONE = 0;

/** A coefficient: a safe integer where possible, otherwise a big one; both are read modulo the field. */
export type Coefficient = number | bigint;

/**
 * Σ coefficient·wire, a constant being a term of wire ONE; each wire at most once, no zero coefficients.
 * `low` and `high` bound its value as an integer over all honest and dishonest assignments that satisfy the constraints so
 * far; infinite where the value is a field element without a small reading.
 */
export interface LinearForm {
  readonly wires: ArrayLike<number>;
  readonly coefficients: ArrayLike<Coefficient>;
  readonly low: number;
  readonly high: number;
}

export const ZERO_FORM: LinearForm = { wires: [], coefficients: [], low: 0, high: 0 };

export function constantForm(value: Coefficient): LinearForm {
  if (value === 0 || value === 0n) return ZERO_FORM;
  const small = typeof value === 'number';
  return { wires: [ONE], coefficients: [value], low: small ? value : -Infinity, high: small ? value : Infinity };
}

/** The form's value when it is the same integer under every assignment. */
export function constantOf(form: LinearForm): number | undefined {
  return form.low === form.high ? form.low : undefined;
}

/** The form's value as a field element when it has no terms but a constant. */
export function fieldConstantOf(form: LinearForm): bigint | undefined {
  if (form.wires.length === 0) return 0n;
  return form.wires.length === 1 && form.wires[0] === ONE ? BigInt(form.coefficients[0]!) : undefined;
}

/** Product of coefficients modulo the field: leaves small integers small. */
export function timesCoefficient(a: Coefficient, b: Coefficient): Coefficient {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product;
  }
  return (BigInt(a) * BigInt(b)) % FIELD_PRIME;
}

export function plusCoefficient(a: Coefficient, b: Coefficient): Coefficient {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return BigInt(a) + BigInt(b);
}
