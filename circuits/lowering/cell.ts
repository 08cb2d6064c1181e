import type { Program } from '../../core/program/types.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { narrow } from '../gadgets/range.ts';
import { requantize } from '../gadgets/requantize.ts';
import type { LinearForm } from '../linear-form.ts';

/** clamp(shift(acc)) that nobody has asked for yet: max pools take the accumulators instead, unused elements cost nothing. */
export interface Pending {
  readonly acc: LinearForm;
  readonly shift: number;
  readonly low: number;
  readonly high: number;
}

/** A value chosen among constants by a decision tree; `evaluate` builds it for any labelling of the nodes. */
export interface Decision {
  evaluate(label: (node: number) => number): LinearForm;
}

/** One tensor element in the circuit: a form, or a recipe for one. Elements are shared by reference: a map is aliasing. */
export interface Cell {
  form?: LinearForm;
  pending?: Pending | undefined;
  decision?: Decision | undefined;
}

/** Terms of forms that a program may still write, in units of small coefficients: refuses before time and memory are spent. */
export class TermBudget {
  private left: number;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
    this.left = limit;
  }

  /** @throws NotInTier */
  take(terms: number): void {
    this.left -= terms;
    if (this.left < 0) throw new NotInTier(`more than ${this.limit} multiply-adds by constants, entries of large tables among them`);
  }
}

/** What lowering an instruction sees. */
export interface LoweringContext {
  readonly cs: ConstraintSystem;
  readonly program: Program;
  /** Position of the instruction being lowered. */
  readonly position: number;
  /** How often each tensor is read, outputs counting as a read. */
  readonly readers: readonly number[];
  /** Whether the tensor that the instruction writes is read by a max or a map, which may not want it requantized. */
  readonly deferred: boolean;
  readonly budget: TermBudget;
}

/** Raised where an instruction does not fit the zk tier; the compiler turns it into a report, never a proof. */
export class NotInTier extends Error {
  override readonly name = 'NotInTier';
}

export function formCell(form: LinearForm): Cell {
  return { form };
}

/** The element's form, building it on first use. */
export function materialize(cs: ConstraintSystem, cell: Cell): LinearForm {
  if (cell.form !== undefined) return cell.form;
  if (cell.pending !== undefined) {
    const { acc, shift, low, high } = cell.pending;
    cell.form = requantize(cs, acc, shift, low, high);
    cell.pending = undefined;
  } else {
    cell.form = cell.decision!.evaluate((node) => node);
  }
  return cell.form;
}

/** The element's form as one of few terms, shared by all who read the cell: for factors, and for values that many forms repeat. */
export function materializeNarrow(cs: ConstraintSystem, cell: Cell): LinearForm {
  cell.form = narrow(cs, materialize(cs, cell));
  return cell.form;
}

/** A cell for clamp(shift(acc)), built at once unless the reader may do without it. */
export function requantizedCell(context: LoweringContext, pending: Pending): Cell {
  const cell: Cell = { pending };
  if (!context.deferred) materialize(context.cs, cell);
  return cell;
}
