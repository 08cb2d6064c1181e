import { Assignment } from '../../circuits/assignment.ts';
import { type ConstraintSystem, PART_A, PART_B, PART_C } from '../../circuits/constraint-system.ts';
import { FIELD_PRIME, inverse, reduce } from '../../circuits/field.ts';
import {
  type Affine,
  bitSolutions,
  forcedBits,
  isConstant,
  isOutOfReach,
  plus,
  ratio,
  replace,
  squareRoot,
  times,
  ZERO,
} from './affine.ts';

/** A row with everything known put in: a·b = c. */
interface Row {
  readonly index: number;
  readonly a: Affine;
  readonly b: Affine;
  readonly c: Affine;
}

/** One way to go on: what must be zero, and what must not. */
interface Choice {
  readonly zeros: readonly Affine[];
  readonly nonzero?: Affine;
}

/** The ways to go on at a row. Together they are all there is. */
interface Fork {
  readonly row: Row;
  readonly choices: readonly Choice[];
  /** Whether the row holds wherever one of them does. */
  readonly settles: boolean;
}

class Contradiction extends Error {}

/** Rows that are looked at together: more than any gadget has. */
const WINDOW = 400;
/** Sets of bits that one equation may leave before they are tried one by one. */
const FEW = 64;
/** Branches that are open at a time. */
const MOST_BRANCHES = 5000;
/** Assignments that are followed side by side. */
const MOST_ASSIGNMENTS = 1000;

const CONSTANT_ONE: Affine = { constant: 1n, terms: new Map() };

/** One branch of the search. */
class Branch {
  readonly known: Map<number, bigint>;
  private defined: Map<number, Affine>;
  private rows: Row[];
  private nonzeros: Affine[];
  private readonly bits: Set<number>;
  private next: number;
  private readonly cs: ConstraintSystem;
  private readonly base: ReadonlyMap<number, bigint>;
  private readonly without: number | undefined;

  constructor(cs: ConstraintSystem, base: ReadonlyMap<number, bigint>, without?: number, from?: Branch) {
    this.cs = cs;
    this.base = base;
    this.without = without;
    this.known = new Map(from?.known);
    this.defined = new Map(from?.defined);
    this.rows = [...(from?.rows ?? [])];
    this.nonzeros = [...(from?.nonzeros ?? [])];
    this.bits = new Set(from?.bits);
    this.next = from?.next ?? 0;
  }

  /** Works until all rows below `target` are settled: undefined, or where it has to be forked. @throws Contradiction */
  advance(target: number): Fork | undefined {
    for (;;) {
      this.pull();
      if (this.deduce()) continue;
      if ((this.rows[0]?.index ?? this.next) >= target) return undefined;
      return this.fork();
    }
  }

  /** The branches of a fork. */
  split({ row, choices, settles }: Fork): Branch[] {
    return choices.map(({ zeros, nonzero }) => {
      const branch = new Branch(this.cs, this.base, this.without, this);
      const equations = zeros.map((c): Row => ({ index: row.index, a: ZERO, b: ZERO, c }));
      branch.rows = branch.rows.flatMap((other) => (other !== row ? [other] : settles ? equations : [...equations, row]));
      if (nonzero !== undefined) branch.nonzeros.push(nonzero);
      return branch;
    });
  }

  private pull(): void {
    while (this.rows.length < WINDOW && this.next < this.cs.rowCount) {
      const index = this.next++;
      if (index === this.without) continue;
      const [a, b, c] = [PART_A, PART_B, PART_C].map((part) => this.partOf(index, part)) as [Affine, Affine, Affine];
      const wire = bitOf({ index, a, b, c });
      if (wire !== undefined) this.bits.add(wire);
      this.rows.push({ index, a, b, c });
    }
  }

  private partOf(row: number, part: number): Affine {
    const { from, to } = this.cs.part(row, part);
    let form = ZERO;
    let constant = 0n;
    const terms = new Map<number, bigint>();
    for (let i = from; i < to; i++) {
      const wire = this.cs.termWires.data[i]!;
      const coefficient = reduce(this.cs.bigCoefficient(this.cs.termCodes.data[i]!));
      const value = this.known.get(wire) ?? this.base.get(wire);
      const definition = this.defined.get(wire);
      if (value !== undefined) constant += coefficient * value;
      else if (definition !== undefined) form = plus(form, definition, coefficient);
      else terms.set(wire, coefficient);
    }
    return plus(form, { constant, terms });
  }

  /** Puts a form in the place of a wire everywhere. */
  private substitute(wire: number, by: Affine): void {
    this.defined.set(wire, by);
    for (const [other, form] of this.defined) {
      const changed = replace(form, wire, by);
      if (isConstant(changed)) {
        this.known.set(other, changed.constant);
        this.defined.delete(other);
      } else if (changed !== form) this.defined.set(other, changed);
    }
    this.rows = this.rows.map((row) => {
      const [a, b, c] = [replace(row.a, wire, by), replace(row.b, wire, by), replace(row.c, wire, by)];
      return a === row.a && b === row.b && c === row.c ? row : { index: row.index, a, b, c };
    });
    this.nonzeros = this.nonzeros
      .map((form) => replace(form, wire, by))
      .filter((form) => {
        if (isConstant(form) && form.constant === 0n) throw new Contradiction();
        return !isConstant(form);
      });
  }

  /** One deduction that leaves no choice; false where there is none. @throws Contradiction */
  private deduce(): boolean {
    for (const [at, row] of this.rows.entries()) {
      const linear = linearOf(row);
      if (linear === undefined) continue;
      if (isConstant(linear)) {
        if (linear.constant !== 0n) throw new Contradiction();
        this.rows.splice(at, 1);
        return true;
      }
      const free = [...linear.terms].find(([wire]) => !this.bits.has(wire));
      if (free !== undefined || linear.terms.size === 1) {
        const [wire, coefficient] = free ?? linear.terms.entries().next().value!;
        const others = new Map(linear.terms);
        others.delete(wire);
        this.rows.splice(at, 1);
        this.substitute(wire, times({ constant: linear.constant, terms: others }, -inverse(coefficient)));
        return true;
      }
      const solutions = bitSolutions(linear, 2);
      const settled = solutions?.length === 1 ? solutions[0] : forcedBits(linear);
      if (solutions?.length === 0 || settled === undefined) throw new Contradiction();
      if (settled.size === 0) continue;
      for (const [wire, value] of settled) this.substitute(wire, { constant: value, terms: new Map() });
      return true;
    }
    return false;
  }

  /** At the first row that offers few ways to go on. */
  private fork(): Fork {
    for (const row of this.rows) {
      if (bitOf(row) !== undefined) continue;
      const settling = rootsOf(row) ?? this.bitSets(row);
      if (settling !== undefined) return { row, choices: settling, settles: true };
      const trying = this.oneBit(row);
      if (trying !== undefined) return { row, choices: trying, settles: false };
    }
    throw new Error(`the search is stuck at row ${this.rows[0]!.index}: ${this.cs.purposeOf(this.rows[0]!.index)}`);
  }

  private bitSets(row: Row): Choice[] | undefined {
    const linear = linearOf(row);
    const solutions = linear === undefined ? undefined : bitSolutions(linear, FEW + 1);
    if (solutions === undefined || solutions.length > FEW) return undefined;
    return solutions.map((bits) => ({ zeros: [...bits].map(([wire, value]) => equation(wire, value)) }));
  }

  /** Where a product holds nothing but bits, one of them is tried. */
  private oneBit({ a, b, c }: Row): Choice[] | undefined {
    const product = [...a.terms.keys(), ...b.terms.keys()];
    if (product.length === 0 || ![...product, ...c.terms.keys()].every((wire) => this.bits.has(wire))) return undefined;
    if (isOutOfReach(a, b, c)) throw new Contradiction();
    const wire = Math.max(...product);
    return [0n, 1n].map((bit) => ({ zeros: [equation(wire, bit)] }));
  }
}

/** wire = value, as a form that is zero. */
function equation(wire: number, value: bigint): Affine {
  return { constant: reduce(-value), terms: new Map([[wire, 1n]]) };
}

/** The wire that a row makes a bit. */
function bitOf({ a, b, c }: Row): number | undefined {
  const [wire, coefficient] = a.terms.entries().next().value ?? [];
  if (a.terms.size !== 1 || coefficient !== 1n || a.constant !== 0n) return undefined;
  return ratio(b, a) === 1n && ratio(c, a) === 1n ? wire : undefined;
}

/** a·b − c where one factor is known. */
function linearOf({ a, b, c }: Row): Affine | undefined {
  if (isConstant(a)) return plus(times(b, a.constant), c, -1n);
  if (isConstant(b)) return plus(times(a, b.constant), c, -1n);
  return undefined;
}

/** The roots of a row that is a polynomial of one form: a product of two forms that must be zero, or a square. */
function rootsOf({ a, b, c }: Row): Choice[] | undefined {
  if (isConstant(a) || isConstant(b)) return undefined;
  const byA = isConstant(c) && c.constant === 0n ? 0n : ratio(c, a);
  if (byA !== undefined) return [{ zeros: [a] }, { zeros: [plus(b, CONSTANT_ONE, -byA)], nonzero: a }];
  const byB = ratio(c, b);
  if (byB !== undefined) return [{ zeros: [b] }, { zeros: [plus(a, CONSTANT_ONE, -byB)], nonzero: b }];
  return quadraticRoots(a, b, c);
}

/** With x the terms of a, b = μ(x + β) and c = ν(x + γ) where c has terms at all: μ(x + α)(x + β) = ν(x + γ). */
function quadraticRoots(a: Affine, b: Affine, c: Affine): Choice[] | undefined {
  const x: Affine = { constant: 0n, terms: a.terms };
  const [mu, nu] = [ratio({ ...b, constant: 0n }, x), isConstant(c) ? 0n : ratio({ ...c, constant: 0n }, x)];
  if (mu === undefined || nu === undefined) return undefined;
  // (x + a0)(μx + b0) − (νx + c0) = μx² + (b0 + μ·a0 − ν)x + (a0·b0 − c0)
  const linear = b.constant + mu * a.constant - nu;
  const rest = a.constant * b.constant - c.constant;
  const root = squareRoot(reduce(linear * linear - 4n * mu * rest));
  if (root === undefined) return [];
  const half = inverse(2n * mu);
  return [...new Set([root, reduce(-root)])].map((r) => ({ zeros: [plus(x, CONSTANT_ONE, -reduce((r - linear) * half))] }));
}

export interface AllWitnesses {
  /** Every assignment that satisfies all rows with the given wires fixed. */
  readonly assignments: readonly Assignment[];
  /** Branches that ended in a contradiction: how many forgeries were begun. */
  readonly refuted: number;
}

/**
 * Finds every satisfying assignment of a circuit over the whole field, from its rows alone: neither hints nor bounds are believed. Rows are
 * taken in order; what they leave open is tried in every way (zero factors, square roots, sets of bits that fit an equation).
 * Complete: what it does not return does not exist. Gives up (throws) where too much is open, as between the 2^27 excesses of a large root.
 * Cost: some 20 ms for a hundred rows of usual gadgets.
 * @param without a row to leave out, to see whether it is missed
 */
export function allWitnesses(cs: ConstraintSystem, given: ReadonlyMap<number, bigint>, without?: number): AllWitnesses {
  const base = new Map([[0, 1n], ...given]);
  let branches = [new Branch(cs, base, without)];
  let refuted = 0;
  for (let target = 0; branches.length > 0; target = Math.min(target + 32, cs.rowCount)) {
    const reached: Branch[] = [];
    for (let open = branches.pop(); open !== undefined; open = branches.pop()) {
      try {
        const fork = open.advance(target);
        if (fork === undefined) reached.push(open);
        else branches.push(...open.split(fork));
      } catch (error) {
        if (!(error instanceof Contradiction)) throw error;
        refuted++;
      }
      if (branches.length + reached.length > MOST_BRANCHES) throw new Error(`too many branches at row ${target}`);
    }
    branches = reached;
    if (branches.length === 1) {
      for (const [wire, value] of branches[0]!.known) base.set(wire, value);
      branches[0]!.known.clear();
    }
    if (branches.length > MOST_ASSIGNMENTS) throw new Error(`more than ${MOST_ASSIGNMENTS} assignments up to row ${target}`);
    if (target === cs.rowCount) break;
  }
  return { assignments: branches.map((branch) => assignmentOf(cs, base, branch)), refuted };
}

/** @throws where a wire may take any value */
function assignmentOf(cs: ConstraintSystem, base: ReadonlyMap<number, bigint>, branch: Branch): Assignment {
  const values = new Assignment(cs.wireCount);
  const open: number[] = [];
  for (let wire = 1; wire < cs.wireCount; wire++) {
    const value = branch.known.get(wire) ?? base.get(wire);
    if (value === undefined) open.push(wire);
    else values.set(wire, value % FIELD_PRIME);
  }
  if (open.length > 0) throw new Error(`wires that no row determines: ${open.slice(0, 10).join(', ')}`);
  return values;
}
