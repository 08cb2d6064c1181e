import { invariant } from '../../core/errors.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { FIELD_PRIME, inverse, reduce } from '../field.ts';
import { constantForm, constantOf, type LinearForm, ZERO_FORM } from '../linear-form.ts';
import { addPolynomials, divideMonic, interpolate, type Polynomial, scalePolynomial, shiftPolynomial, vanishing } from '../polynomial.ts';
import { isNonNegative } from './compare.ts';
import { type Grid, lookupGrid, planGrid } from './grid-lookup.ts';
import { positivePart } from './positive-part.ts';
import { choose } from './product.ts';
import { narrow } from './range.ts';

/** Largest domain of a lookup. */
export const LOOKUP_LIMIT = 1 << 16;
/** Largest domain of one polynomial; beyond it interpolation takes long and its terms swell the key. */
export const POLYNOMIAL_LIMIT = 512;

/** Reusable across the elements that share a table: how a polynomial is evaluated with few products. */
export interface LookupPlan {
  readonly values: readonly number[];
  readonly shape: Shape;
}

type Shape =
  | { readonly kind: 'line'; readonly slope: number; readonly start: number }
  | { readonly kind: 'two lines'; readonly at: number; readonly left: Line; readonly right: Line }
  | { readonly kind: 'grid'; readonly grid: Grid }
  | { readonly kind: 'polynomial'; readonly monic: Polynomial; readonly scale: bigint; readonly step: number; readonly levels: number };

interface Line {
  readonly start: number;
  readonly slope: number;
}

/** Rows for a polynomial of degree step·(2^levels − 1): powers, squarings of the highest, products. */
function cost(step: number, levels: number): number {
  return step - 1 + (levels - 1) + (2 ** (levels - 1) - 1);
}

/**
 * Plans y = values[x] for x in 0..n−1, n ≤ 65536: a line is free, two lines (steps, knees) need one comparison, anything else up to 512
 * entries is the interpolation polynomial, made monic of degree step·(2^levels − 1) (Paterson–Stockmeyer; 26 rows for any 256 entries),
 * and what is larger a grid of polynomials.
 */
export function planLookup(values: readonly number[]): LookupPlan {
  invariant(values.length >= 1 && values.length <= LOOKUP_LIMIT, 'lookup table out of range');
  const large = values.length > POLYNOMIAL_LIMIT;
  return { values, shape: line(values) ?? twoLines(values) ?? (large ? { kind: 'grid', grid: planGrid(values) } : polynomial(values)) };
}

function line(values: readonly number[]): Shape | undefined {
  const slope = (values[1] ?? values[0]!) - values[0]!;
  return values.every((value, i) => value === values[0]! + slope * i) ? { kind: 'line', slope, start: values[0]! } : undefined;
}

function twoLines(values: readonly number[]): Shape | undefined {
  const slope = values[1]! - values[0]!;
  let at = 1;
  while (at < values.length && values[at] === values[0]! + slope * at) at++;
  // The right piece is a line over all remaining entries; one entry alone takes the left slope.
  const rightSlope = at + 1 < values.length ? values[at + 1]! - values[at]! : slope;
  const right = { start: values[at]! - rightSlope * at, slope: rightSlope };
  for (let i = at; i < values.length; i++) if (values[i] !== right.start + right.slope * i) return undefined;
  return { kind: 'two lines', at, left: { start: values[0]!, slope }, right };
}

function polynomial(values: readonly number[]): Shape {
  const exact = interpolate(values);
  const degree = exact.length - 1;
  let best = { step: degree, levels: 1, reached: degree };
  for (let levels = 1; levels <= 8; levels++) {
    const parts = 2 ** levels - 1;
    // Exactly the degree (scaled to be monic), or at least n, by adding the vanishing polynomial.
    const candidates = degree % parts === 0 ? [degree / parts] : [];
    candidates.push(Math.ceil(values.length / parts));
    for (const step of candidates) {
      if (cost(step, levels) < cost(best.step, best.levels)) best = { step, levels, reached: step * parts };
    }
  }
  if (best.reached === degree) {
    const scale = exact[degree]!;
    return { kind: 'polynomial', monic: scalePolynomial(exact, inverse(scale)), scale, step: best.step, levels: best.levels };
  }
  const zero = shiftPolynomial(vanishing(values.length), best.reached - values.length);
  return { kind: 'polynomial', monic: addPolynomials(exact, zero), scale: 1n, step: best.step, levels: best.levels };
}

/**
 * y = table[x].
 * Precondition: x is proved to lie in 0..n−1. Outside, y is whatever the line or polynomial gives there.
 * Unique: no hints are left free, every wire is a function of x. Cost: 0 for a line, bits of the distance to their border + 1 for two lines, one more where both have a slope and a gap, otherwise
 * `cost(step, levels)`: 26 rows for 256 arbitrary entries, whatever they are; a grid beyond 512 entries.
 */
export function lookup(cs: ConstraintSystem, x: LinearForm, plan: LookupPlan): LinearForm {
  const known = constantOf(x);
  if (known !== undefined) return constantForm(plan.values[known]!);
  invariant(x.low >= 0 && x.high < plan.values.length, 'a lookup index may leave its table');
  const { shape } = plan;
  if (shape.kind === 'line') return cs.sum([x, shape.slope], [constantForm(shape.start)]);
  if (shape.kind === 'two lines') return lookupTwoLines(cs, x, plan, shape);
  const reachable = plan.values.slice(x.low, x.high + 1);
  if (shape.kind === 'grid') return lookupGrid(cs, narrow(cs, x, 1), shape.grid, extremes(reachable));
  return lookupPolynomial(cs, x, shape, reachable);
}

function extremes(values: readonly number[]): { low: number; high: number } {
  return values.reduce((e, v) => ({ low: Math.min(e.low, v), high: Math.max(e.high, v) }), { low: Infinity, high: -Infinity });
}

/** A line beyond its piece may leave the table's values, and its bounds with it: the ends of the pieces bound what is taken. */
function lookupTwoLines(cs: ConstraintSystem, x: LinearForm, plan: LookupPlan, shape: Shape & { kind: 'two lines' }): LinearForm {
  const ends = [x.low, x.high, shape.at - 1, shape.at].filter((i) => i >= x.low && i <= x.high);
  const { low, high } = extremes(ends.map((i) => plan.values[i]!));
  return { ...joinLines(cs, x, shape), low, high };
}

function joinLines(cs: ConstraintSystem, x: LinearForm, { at, left, right }: Shape & { kind: 'two lines' }): LinearForm {
  const lineOf = (l: Line): LinearForm => cs.sum([x, l.slope], [constantForm(l.start)]);
  const gap = right.start - left.start;
  const turn = right.slope - left.slope;
  const knee = -gap / turn;
  // Continuous, the lines meeting at an integer beside the border: left + turn·max(x − knee, 0).
  if (knee === at || knee === at - 1) {
    const beyond = positivePart(cs, cs.sum([x], [constantForm(-knee)]), 0, 1);
    return cs.sum([lineOf(left)], [beyond, turn]);
  }
  return choose(cs, isNonNegative(cs, cs.sum([x], [constantForm(-at)])), lineOf(right), lineOf(left));
}

interface Powers {
  /** x^1 … x^step. */
  readonly low: readonly LinearForm[];
  /** x^(step·2^i). */
  readonly doubled: readonly LinearForm[];
}

function lookupPolynomial(
  cs: ConstraintSystem,
  input: LinearForm,
  shape: Shape & { kind: 'polynomial' },
  values: readonly number[],
): LinearForm {
  const x = narrow(cs, input, 1);
  const { low, high } = extremes(values);
  const y = cs.wireOf(low, high);
  const powers = powersOf(cs, x, shape.step, shape.levels);
  const target = cs.form(y, inverse(shape.scale));
  evaluate(cs, shape.monic, shape, powers, shape.levels, target);
  return cs.form(y);
}

function field(cs: ConstraintSystem, a: LinearForm, b: LinearForm): LinearForm {
  const wire = cs.wireOf(-Infinity, Infinity);
  cs.hint('solve', cs.row(a, b, cs.form(wire)), wire);
  return cs.form(wire);
}

function powersOf(cs: ConstraintSystem, x: LinearForm, step: number, levels: number): Powers {
  const low = [x];
  for (let i = 2; i <= step; i++) {
    const half = low[Math.floor(i / 2) - 1]!;
    low.push(field(cs, half, low[Math.ceil(i / 2) - 1]!));
  }
  const doubled = [low[step - 1]!];
  for (let i = 1; i < levels; i++) doubled.push(field(cs, doubled[i - 1]!, doubled[i - 1]!));
  return { low, doubled };
}

/** Σ c_i·x^i of degree ≤ step, as a form. */
function short(cs: ConstraintSystem, p: Polynomial, powers: Powers): LinearForm {
  const parts = p.map((c, i): [LinearForm, bigint] => [i === 0 ? constantForm(1n) : powers.low[i - 1]!, c]);
  return cs.sum(...parts.filter(([, c]) => c !== 0n));
}

/**
 * Monic p of degree step·(2^levels − 1) as (x^H + c)·q + s with q, s monic of half the levels; the last product of all writes
 * `target` when given, so that the result needs no row of its own.
 */
function evaluate(
  cs: ConstraintSystem,
  p: Polynomial,
  shape: { readonly step: number },
  powers: Powers,
  levels: number,
  target?: LinearForm,
): LinearForm {
  if (levels === 1) return finish(cs, short(cs, p, powers), target);
  const high = shape.step * 2 ** (levels - 1);
  const below = shape.step * (2 ** (levels - 1) - 1);
  const q = p.slice(high);
  const rest = [...p.slice(0, high)];
  rest[below] = reduce((rest[below] ?? 0n) - 1n);
  const { quotient: c, remainder } = divideMonic(rest, q);
  const s = addPolynomials(remainder, shiftPolynomial([1n], below));
  const left = cs.sum([powers.doubled[levels - 1]!], [short(cs, c, powers)]);
  const right = evaluate(cs, q, shape, powers, levels - 1);
  const sum = evaluate(cs, s, shape, powers, levels - 1);
  if (target === undefined) return cs.sum([field(cs, left, right)], [sum]);
  const result = target.wires[0]!;
  cs.hint('solve', cs.row(left, right, cs.sum([target], [sum, FIELD_PRIME - 1n])), result);
  return ZERO_FORM;
}

function finish(cs: ConstraintSystem, form: LinearForm, target: LinearForm | undefined): LinearForm {
  if (target === undefined) return form;
  cs.hint('solve', cs.linearRow(cs.sum([form], [target, -1])), target.wires[0]!);
  return ZERO_FORM;
}
