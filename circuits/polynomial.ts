import { FIELD_PRIME, inverse, inverses, reduce } from './field.ts';

/** Coefficients over the field, lowest first, in [0, p); the highest is not zero (the zero polynomial is empty). */
export type Polynomial = readonly bigint[];

function trim(coefficients: bigint[]): bigint[] {
  while (coefficients.length > 0 && coefficients[coefficients.length - 1] === 0n) coefficients.pop();
  return coefficients;
}

/** The polynomial of least degree with p(i) = values[i], by Newton's differences. Cost: about n² products. */
export function interpolate(values: readonly number[]): Polynomial {
  const n = values.length;
  const differences = values.map((value) => reduce(BigInt(value)));
  const factor = inverses(Array.from({ length: n }, (_, i) => BigInt(i + 1)));
  for (let order = 1; order < n; order++)
    for (let i = n - 1; i >= order; i--)
      differences[i] = ((differences[i]! - differences[i - 1]! + FIELD_PRIME) * factor[order - 1]!) % FIELD_PRIME;
  // Horner over the Newton basis: p = d_0 + x·(d_1 + (x − 1)·(d_2 + …)).
  let result: bigint[] = [];
  for (let i = n - 1; i >= 0; i--) {
    const next = new Array<bigint>(result.length + 1).fill(0n);
    for (let j = 0; j < result.length; j++) {
      next[j + 1] = (next[j + 1]! + result[j]!) % FIELD_PRIME;
      next[j] = (next[j]! + (FIELD_PRIME - BigInt(i)) * result[j]!) % FIELD_PRIME;
    }
    next[0] = (next[0]! + differences[i]!) % FIELD_PRIME;
    result = trim(next);
  }
  return result;
}

/** Π_{i<n} (x − i): zero on the whole domain, so that adding a multiple of it changes no value there. */
export function vanishing(n: number): Polynomial {
  let result: bigint[] = [1n];
  for (let i = 0; i < n; i++) {
    const next = new Array<bigint>(result.length + 1).fill(0n);
    for (let j = 0; j < result.length; j++) {
      next[j + 1] = (next[j + 1]! + result[j]!) % FIELD_PRIME;
      next[j] = (next[j]! + (FIELD_PRIME - BigInt(i)) * result[j]!) % FIELD_PRIME;
    }
    result = next;
  }
  return result;
}

export function addPolynomials(a: Polynomial, b: Polynomial): Polynomial {
  return trim(Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ((a[i] ?? 0n) + (b[i] ?? 0n)) % FIELD_PRIME));
}

export function scalePolynomial(a: Polynomial, factor: bigint): Polynomial {
  return trim(a.map((coefficient) => (coefficient * factor) % FIELD_PRIME));
}

/** a·x^by. */
export function shiftPolynomial(a: Polynomial, by: number): Polynomial {
  return a.length === 0 ? a : [...new Array<bigint>(by).fill(0n), ...a];
}

/** Quotient and remainder by a monic polynomial. */
export function divideMonic(a: Polynomial, divisor: Polynomial): { quotient: Polynomial; remainder: Polynomial } {
  const rest = [...a];
  const degree = divisor.length - 1;
  const quotient = new Array<bigint>(Math.max(rest.length - degree, 0)).fill(0n);
  for (let i = rest.length - 1; i >= degree; i--) {
    const factor = rest[i]!;
    quotient[i - degree] = factor;
    if (factor === 0n) continue;
    for (let j = 0; j <= degree; j++) rest[i - degree + j] = reduce(rest[i - degree + j]! - factor * divisor[j]!);
  }
  return { quotient: trim(quotient), remainder: trim(rest.slice(0, degree)) };
}

const matrices = new Map<number, readonly Polynomial[]>();

/** Row j holds the weights by which the values at 0..n−1 make the coefficient of x^j: the inverse Vandermonde matrix. Cached. */
export function interpolationMatrix(n: number): readonly Polynomial[] {
  const known = matrices.get(n);
  if (known !== undefined) return known;
  const zero = vanishing(n);
  const lagrange = Array.from({ length: n }, (_, node) => {
    // Π_{i≠node} (x − i) by synthetic division, over its value at the node.
    const { quotient } = divideMonic(zero, [reduce(-BigInt(node)), 1n]);
    let value = 0n;
    for (let i = quotient.length - 1; i >= 0; i--) value = reduce(value * BigInt(node) + quotient[i]!);
    const scale = inverse(value);
    return quotient.map((coefficient) => (coefficient * scale) % FIELD_PRIME);
  });
  const matrix = Array.from({ length: n }, (_, j) => lagrange.map((polynomial) => polynomial[j] ?? 0n));
  matrices.set(n, matrix);
  return matrix;
}
