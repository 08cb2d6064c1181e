import { treeNode } from '../../core/ops/tree.ts';
import { eachTap } from '../../core/ops/window.ts';
import type { Instruction } from '../../core/program/types.ts';
import { TYPE_MAXIMUM, TYPE_MINIMUM } from '../../core/tensor.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { argMax } from '../gadgets/arg-max.ts';
import { isNonNegative } from '../gadgets/compare.ts';
import { maximum } from '../gadgets/positive-part.ts';
import { choose } from '../gadgets/product.ts';
import { narrow } from '../gadgets/range.ts';
import { constantForm, type LinearForm } from '../linear-form.ts';
import { type Cell, formCell, type LoweringContext, materialize, NotInTier, type Pending } from './cell.ts';

type Sources = readonly (readonly Cell[])[];

/** Nodes that one tree may unfold into; a proper tree has each node once. */
const UNFOLD_LIMIT = 1 << 17;

function extreme(cs: ConstraintSystem, forms: readonly LinearForm[], minimum: boolean): LinearForm {
  const signed = minimum ? forms.map((form) => cs.sum([form, -1])) : forms;
  const longest = Math.max(...signed.map((form) => form.wires.length));
  // Every comparison makes the running form longer; beyond 16 more terms a wire stands for it.
  const best = signed.reduce((a, b) => narrow(cs, maximum(cs, b, a), longest + 16));
  return minimum ? cs.sum([best, -1]) : best;
}

/** Pending requantizations with one shift and clamp are monotone in their accumulators: compare those, requantize the winner only. */
function commonPending(cells: readonly Cell[]): Pending | undefined {
  const first = cells[0]?.pending;
  if (first === undefined) return undefined;
  const same = cells.every(({ pending: p }) => p?.shift === first.shift && p.low === first.low && p.high === first.high);
  return same ? first : undefined;
}

/** Window maxima and minima. */
export function lowerMax(context: LoweringContext, instruction: Instruction<'max'>, sources: Sources): Cell[] {
  const { cs, readers } = context;
  const a = instruction.attributes;
  const x = sources[0]!;
  const minimum = a.minimum === 1;
  // Where windows overlap or others read the tensor too, the requantized bytes are needed anyway and cheaper to compare.
  const alone = readers[instruction.sources[0]!] === 1 && a.strideHeight >= a.kernelHeight && a.strideWidth >= a.kernelWidth;
  return Array.from({ length: instruction.length }, (_, e) => {
    const channel = e % a.channels;
    const pixel = Math.floor(e / a.channels);
    const outY = Math.floor(pixel / a.outWidth) % a.outHeight;
    const cells: Cell[] = [];
    eachTap(a, Math.floor(pixel / (a.outWidth * a.outHeight)), outY, pixel % a.outWidth, (offset) => cells.push(x[offset + channel]!));
    if (cells.length === 0) return formCell(constantForm((minimum ? TYPE_MAXIMUM : TYPE_MINIMUM)[instruction.type]));
    const pending = alone ? commonPending(cells) : undefined;
    if (pending !== undefined) {
      const acc = extreme(
        cs,
        cells.map((cell) => cell.pending!.acc),
        minimum,
      );
      const cell: Cell = { pending: { ...pending, acc } };
      if (!context.deferred) materialize(cs, cell);
      return cell;
    }
    const forms = cells.map((cell) => materialize(cs, cell));
    return formCell(extreme(cs, forms, minimum));
  });
}

/** condition > threshold ? A : B. */
export function lowerSelect(context: LoweringContext, instruction: Instruction<'select'>, sources: Sources): Cell[] {
  const { cs } = context;
  const [condition, a, b] = [sources[0]!, sources[1]!, sources[2]!];
  return condition.map((cell, e) => {
    const beyond = cs.sum([materialize(cs, cell)], [constantForm(-instruction.attributes.threshold - 1)]);
    return formCell(choose(cs, isNonNegative(cs, beyond), materialize(cs, a[e]!), materialize(cs, b[e]!)));
  });
}

/** First index of the largest or smallest. */
export function lowerArg(context: LoweringContext, instruction: Instruction<'arg'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const x = sources[0]!;
  return Array.from({ length: instruction.length }, (_, e) => {
    const base = Math.floor(e / a.inner) * a.axis * a.inner + (e % a.inner);
    const values = Array.from({ length: a.axis }, (_, i) => materialize(cs, x[base + i * a.inner]!));
    return formCell(argMax(cs, a.minimum === 1 ? values.map((form) => cs.sum([form, -1])) : values));
  });
}

/**
 * Decision trees: one comparison for every distinct (feature, threshold), then one product for every inner node that has a subtree
 * below it, from the leaves up; the labels of the nodes are constants. Cost: bits of the feature + 2 a comparison, one a node.
 */
export function lowerTree(context: LoweringContext, instruction: Instruction<'tree'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const x = sources[0]!;
  const nodes = Array.from({ length: a.trees * a.nodes }, (_, i) =>
    treeNode({ parameter: (offset) => instruction.parameters[offset]! }, i),
  );
  const comparisons = new Map<string, LinearForm>();
  const goesLeft = (feature: number, threshold: number): LinearForm => {
    const key = `${feature}:${threshold}`;
    const known = comparisons.get(key);
    if (known !== undefined) return known;
    const value = materialize(cs, x[feature]!);
    const fresh = isNonNegative(cs, cs.sum([value, -1], [constantForm(threshold)]));
    comparisons.set(key, fresh);
    return fresh;
  };
  return Array.from({ length: instruction.length }, (_, e) => {
    const row = Math.floor(e / a.trees);
    const tree = e % a.trees;
    const evaluate = (label: (node: number) => number): LinearForm => {
      const memo = new Map<number, LinearForm>();
      const visit = (at: number, steps: number): LinearForm => {
        const node = nodes[tree * a.nodes + at]!;
        if (steps === 0 || (node.left === at && node.right === at)) return constantForm(label(at));
        const key = at * 65 + steps;
        const known = memo.get(key);
        if (known !== undefined) return known;
        if (memo.size > UNFOLD_LIMIT) throw new NotInTier(`a tree unfolds into more than ${UNFOLD_LIMIT} nodes`);
        const left = goesLeft(row * a.features + Math.min(node.feature, a.features - 1), node.threshold);
        // A decided comparison prunes the other side.
        const value =
          left.low === 1
            ? visit(node.left, steps - 1)
            : left.high === 0
              ? visit(node.right, steps - 1)
              : choose(cs, left, visit(node.left, steps - 1), visit(node.right, steps - 1));
        memo.set(key, value);
        return value;
      };
      return visit(0, a.depth);
    };
    return { decision: { evaluate } };
  });
}
