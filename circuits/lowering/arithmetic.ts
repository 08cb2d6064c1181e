import { repeatIndex } from '../../core/ops/operation.ts';
import { rescaleRow } from '../../core/ops/rescale.ts';
import { eachTap } from '../../core/ops/window.ts';
import type { Instruction } from '../../core/program/types.ts';
import { TYPE_MAXIMUM } from '../../core/tensor.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { floorDivide } from '../gadgets/divide.ts';
import { positivePart } from '../gadgets/positive-part.ts';
import { product } from '../gadgets/product.ts';
import { requantize } from '../gadgets/requantize.ts';
import { floorSquareRoot } from '../gadgets/square-root.ts';
import { constantForm, constantOf, type LinearForm } from '../linear-form.ts';
import { type Cell, formCell, type LoweringContext, materialize, materializeNarrow, NotInTier, requantizedCell } from './cell.ts';

type Sources = readonly (readonly Cell[])[];

/** More products of two activations than this are no small proof. */
const PRODUCT_LIMIT = 1 << 21;

function minus(cs: ConstraintSystem, form: LinearForm, zeroPoint: number): LinearForm {
  return zeroPoint === 0 ? form : cs.sum([form], [constantForm(-zeroPoint)]);
}

/** The repeated operand's form; one that serves many elements is kept short. */
function repeated(cs: ConstraintSystem, cells: readonly Cell[], element: number, inner: number, length: number): LinearForm {
  const cell = cells[repeatIndex(element, inner, cells.length)]!;
  return cells.length < length ? materializeNarrow(cs, cell) : materialize(cs, cell);
}

/** Affine maps and weighted sums: the form is free, the requantization is not. */
export function lowerRescale(context: LoweringContext, instruction: Instruction<'rescale'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const [x, y] = [sources[0]!, sources[1]];
  const rows = Array.from({ length: a.channels }, (_, channel) => rescaleRow(instruction.parameters, channel));
  return x.map((cell, e) => {
    const row = rows[Math.floor(e / a.channelInner) % a.channels]!;
    const first = minus(cs, materialize(cs, cell), a.zeroPointA);
    const parts: [LinearForm, number][] = [[constantForm(row.bias), 1]];
    if (row.multiplierA !== 0) parts.push([first, row.multiplierA]);
    if (y !== undefined && row.multiplierB !== 0)
      parts.push([minus(cs, repeated(cs, y, e, a.innerB, x.length), a.zeroPointB), row.multiplierB]);
    return requantizedCell(context, { acc: cs.sum(...parts), shift: a.shift, low: a.low, high: a.high });
  });
}

/** Element products: one row each beside the requantization. */
export function lowerMultiply(context: LoweringContext, instruction: Instruction<'multiply'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const [x, y] = [sources[0]!, sources[1]!];
  return x.map((cell, e) => {
    const left = minus(cs, materializeNarrow(cs, cell), a.zeroPointA);
    const other = y[repeatIndex(e, a.innerB, y.length)]!;
    const square = other === cell && a.zeroPointA === a.zeroPointB;
    const right = square ? left : minus(cs, materializeNarrow(cs, other), a.zeroPointB);
    const acc = a.multiplier === 0 ? constantForm(a.bias) : cs.sum([product(cs, left, right), a.multiplier], [constantForm(a.bias)]);
    return requantizedCell(context, { acc, shift: a.shift, low: a.low, high: a.high });
  });
}

/** Products of two activations: one row for every multiply-add, the one place where they cost. */
export function lowerMatmul(context: LoweringContext, instruction: Instruction<'matmul'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const products = a.batch * a.rows * a.columns * a.inner;
  if (products > PRODUCT_LIMIT) throw new NotInTier(`${products} products of two activations, the limit is ${PRODUCT_LIMIT}`);
  const left = sources[0]!.map((cell) => minus(cs, materializeNarrow(cs, cell), a.zeroPointA));
  const right = sources[1]!.map((cell) => minus(cs, materializeNarrow(cs, cell), a.zeroPointB));
  const out: Cell[] = [];
  for (let b = 0; b < a.batch; b++)
    for (let i = 0; i < a.rows; i++)
      for (let j = 0; j < a.columns; j++) {
        const p = (b * a.rows + i) * a.inner;
        const q = ((a.shareB === 1 ? 0 : b) * a.columns + j) * a.inner;
        const terms = Array.from({ length: a.inner }, (_, k): [LinearForm] => [product(cs, left[p + k]!, right[q + k]!)]);
        const acc = cs.sum([constantForm(a.bias)], ...terms);
        out.push(requantizedCell(context, { acc, shift: a.shift, low: a.low, high: a.high }));
      }
  return out;
}

/** Window sums: the form is free. */
export function lowerSum(context: LoweringContext, instruction: Instruction<'sum'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const x = sources[0]!;
  return Array.from({ length: instruction.length }, (_, e) => {
    const channel = e % a.channels;
    const pixel = Math.floor(e / a.channels);
    const outY = Math.floor(pixel / a.outWidth) % a.outHeight;
    const parts: [LinearForm][] = [];
    eachTap(a, Math.floor(pixel / (a.outWidth * a.outHeight)), outY, pixel % a.outWidth, (offset) => {
      parts.push([minus(cs, materialize(cs, x[offset + channel]!), a.zeroPoint)]);
    });
    const total = cs.sum(...parts);
    const acc = a.multiplier === 0 ? constantForm(a.bias) : cs.sum([total, a.multiplier], [constantForm(a.bias)]);
    return requantizedCell(context, { acc, shift: a.shift, low: a.low, high: a.high });
  });
}

/** max(form, 1): what a denominator below one counts as. */
function atLeastOne(cs: ConstraintSystem, form: LinearForm): LinearForm {
  if (form.low >= 1) return form;
  return cs.sum([positivePart(cs, minus(cs, form, 1), 0, 1)], [constantForm(1)]);
}

/**
 * ⌊(a + ⌊d/2⌋)/d⌋ = ⌊(2a + d)/(2d)⌋ also for odd d: 2a + d is then odd and never a multiple of 2d, so adding the half changes no
 * quotient. That spares the parity of d.
 */
function roundedQuotient(cs: ConstraintSystem, numerator: LinearForm, denominator: LinearForm): LinearForm {
  const d = constantOf(denominator);
  if (d !== undefined) return floorDivide(cs, minus(cs, numerator, -Math.floor(d / 2)), denominator);
  return floorDivide(cs, cs.sum([numerator, 2], [denominator]), cs.sum([denominator, 2]));
}

/** Rounded quotients. */
export function lowerDivide(context: LoweringContext, instruction: Instruction<'divide'>, sources: Sources): Cell[] {
  const { cs } = context;
  const a = instruction.attributes;
  const [n, d] = [sources[0]!, sources[1]!];
  const denominators: (LinearForm | undefined)[] = new Array(d.length);
  return n.map((cell, e) => {
    const at = repeatIndex(e, a.innerB, d.length);
    denominators[at] ??= atLeastOne(cs, materializeNarrow(cs, d[at]!));
    const denominator = denominators[at];
    const form = minus(cs, materialize(cs, cell), a.zeroPoint);
    const numerator = a.multiplier === 0 ? constantForm(0) : cs.sum([form, a.multiplier]);
    const known = constantOf(denominator);
    if (known !== undefined && Number.isInteger(Math.log2(known))) {
      // A power of two is the rounded shift of every other instruction.
      const y = requantize(cs, numerator, Math.log2(known), a.low - a.offset, a.high - a.offset);
      return formCell(minus(cs, y, -a.offset));
    }
    const q = roundedQuotient(cs, numerator, denominator);
    return formCell(requantize(cs, minus(cs, q, -a.offset), 0, a.low, a.high));
  });
}

/** Integer square roots. */
export function lowerIsqrt(context: LoweringContext, instruction: Instruction<'isqrt'>, sources: Sources): Cell[] {
  const { cs } = context;
  const scale = 2 ** instruction.attributes.shift;
  return sources[0]!.map((cell) => {
    const value = positivePart(cs, materialize(cs, cell), 0, 1);
    const root = floorSquareRoot(cs, cs.sum([value, scale]));
    return formCell(requantize(cs, root, 0, 0, TYPE_MAXIMUM[instruction.type]));
  });
}
