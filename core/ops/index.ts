import { type AnyInstruction, ATTRIBUTES, type Kind } from '../program/types.ts';
import type { TypedArray } from '../tensor.ts';
import { arg } from './arg.ts';
import { divide } from './divide.ts';
import { gather } from './gather.ts';
import { input } from './input.ts';
import { isqrt } from './isqrt.ts';
import { linear } from './linear.ts';
import { map } from './map.ts';
import { matmul } from './matmul.ts';
import { max } from './max.ts';
import { multiply } from './multiply.ts';
import { type Operation, requireInteger, type StepAccess, type TensorShape } from './operation.ts';
import { rescale } from './rescale.ts';
import { select } from './select.ts';
import { sum } from './sum.ts';
import { table } from './table.ts';
import { tree } from './tree.ts';

/** The meaning of every instruction kind: total, so that a kind without semantics is a type error. */
export const OPERATIONS: { readonly [K in Kind]: Operation<K> } = {
  input,
  linear,
  matmul,
  rescale,
  multiply,
  table,
  max,
  sum,
  map,
  gather,
  select,
  arg,
  divide,
  isqrt,
  tree,
};

/** An operation seen through the union of instructions; the kind of the instruction picked it. */
interface AnyOperation {
  validate(instruction: AnyInstruction, sources: readonly TensorShape[]): void;
  execute(instruction: AnyInstruction, sources: readonly TypedArray[], out: TypedArray): void;
  step(instruction: AnyInstruction, sources: readonly TensorShape[], element: number, access: StepAccess): number;
}

// The record is indexed by the instruction's own kind, which TypeScript cannot follow through a union.
function operationOf(instruction: AnyInstruction): AnyOperation {
  return OPERATIONS[instruction.kind] as unknown as AnyOperation;
}

/**
 * Checks one instruction by itself: shapes, parameters, attributes, bounds.
 * @throws AssayError PROGRAM_INVALID
 */
export function validateInstruction(instruction: AnyInstruction, sources: readonly TensorShape[]): void {
  const attributes = instruction.attributes as Readonly<Record<string, number>>;
  for (const name of ATTRIBUTES[instruction.kind]) requireInteger(instruction.kind, name, attributes[name]!, -2147483648, 2147483647);
  operationOf(instruction).validate(instruction, sources);
}

export function executeInstruction(instruction: AnyInstruction, sources: readonly TypedArray[], out: TypedArray): void {
  operationOf(instruction).execute(instruction, sources, out);
}

/** Computes one output element; what a dispute computes on chain. */
export function stepInstruction(instruction: AnyInstruction, sources: readonly TensorShape[], element: number, access: StepAccess): number {
  return operationOf(instruction).step(instruction, sources, element, access);
}
