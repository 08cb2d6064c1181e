import { invariant } from '../../core/errors.ts';
import type { AnyInstruction, Instruction, Kind } from '../../core/program/types.ts';
import { lowerDivide, lowerIsqrt, lowerMatmul, lowerMultiply, lowerRescale, lowerSum } from './arithmetic.ts';
import type { Cell, LoweringContext } from './cell.ts';
import { lowerArg, lowerMax, lowerSelect, lowerTree } from './choice.ts';
import { lowerLinear } from './linear.ts';
import { lowerGather, lowerMap, lowerTable } from './lookup.ts';

type Lowering<K extends Kind> = (
  context: LoweringContext,
  instruction: Instruction<K>,
  sources: readonly (readonly Cell[])[],
) => readonly Cell[];

type AnyLowering = (context: LoweringContext, instruction: AnyInstruction, sources: readonly (readonly Cell[])[]) => readonly Cell[];

/** The circuit face of every instruction kind: total, so that a kind without one is a type error. Throws NotInTier where it does not fit. */
const LOWERINGS: { readonly [K in Kind]: Lowering<K> } = {
  input() {
    invariant(false, 'an input is given, not lowered');
  },
  linear: lowerLinear,
  matmul: lowerMatmul,
  rescale: lowerRescale,
  multiply: lowerMultiply,
  table: lowerTable,
  max: lowerMax,
  sum: lowerSum,
  map: lowerMap,
  gather: lowerGather,
  select: lowerSelect,
  arg: lowerArg,
  divide: lowerDivide,
  isqrt: lowerIsqrt,
  tree: lowerTree,
};

/** Appends the rows of one instruction and returns its elements. */
export function lowerInstruction(
  context: LoweringContext,
  instruction: AnyInstruction,
  sources: readonly (readonly Cell[])[],
): readonly Cell[] {
  // The record is indexed by the instruction's own kind, which TypeScript cannot follow through a union.
  const lowering = LOWERINGS[instruction.kind] as unknown as AnyLowering;
  return lowering(context, instruction, sources);
}
