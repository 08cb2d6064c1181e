import { AssayError } from '../errors.ts';
import type { Instruction, Kind } from '../program/types.ts';
import { type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../tensor.ts';

/** Type and length of a tensor an instruction reads. */
export interface TensorShape {
  readonly type: ElementType;
  readonly length: number;
}

/**
 * How a step reads what it needs. A recording implementation yields the bytes to open in a dispute, an array-backed
 * one yields the value: the step itself is written once.
 */
export interface StepAccess {
  /** Element of the n-th source. */
  source(position: number, index: number): number;
  /** Byte of the parameters. */
  parameter(offset: number): number;
}

/**
 * One instruction kind. `execute` computes the whole tensor at speed, `step` one element in the plainest way; both
 * define the same function and tests hold them, onnxruntime, the circuit and Solidity to the same golden vectors.
 */
export interface Operation<K extends Kind> {
  /** Throws PROGRAM_INVALID unless shapes, parameters and bounds are exactly right. */
  validate(instruction: Instruction<K>, sources: readonly TensorShape[]): void;
  execute(instruction: Instruction<K>, sources: readonly TypedArray[], out: TypedArray): void;
  step(instruction: Instruction<K>, sources: readonly TensorShape[], element: number, access: StepAccess): number;
}

/** Exact integers stay below this in every intermediate: doubles hold them, and so does a carrier's int64. */
export const EXACT_LIMIT = 2 ** 52;
/** Accumulators of linear, matmul stay below this: a carrier's int32. */
export const ACCUMULATOR_LIMIT = 2 ** 31;

export function refuse(kind: Kind, why: string, facts: Record<string, number | string> = {}): never {
  throw new AssayError(`Invalid ${kind} instruction: ${why}`, {
    code: 'PROGRAM_INVALID',
    facts,
    fix: 'compile the model again with `assay compile`; a program that fails this check cannot be run or disputed',
  });
}

export function requireInteger(kind: Kind, name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) refuse(kind, `${name} is out of range`, { value, low, high });
}

/** 2^(shift−1), what rounding half up adds before a shift; nothing for shift 0. */
export function half(shift: number): number {
  return shift === 0 ? 0 : 2 ** (shift - 1);
}

/** `floor((value + 2^(shift−1)) / 2^shift)`: round half up. Exact for |value| < 2^52. */
export function shiftHalfUp(value: number, shift: number): number {
  if (shift === 0) return value;
  const scale = 2 ** shift;
  return Math.floor((value + scale / 2) / scale);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}

/** Checks output clamp bounds against the output type. */
export function requireClamp(kind: Kind, type: ElementType, low: number, high: number): void {
  requireInteger(kind, 'low', low, TYPE_MINIMUM[type], TYPE_MAXIMUM[type]);
  requireInteger(kind, 'high', high, low, TYPE_MAXIMUM[type]);
}

/** Largest |x − zeroPoint| over the type. */
export function magnitude(type: ElementType, zeroPoint: number): number {
  return Math.max(TYPE_MAXIMUM[type] - zeroPoint, zeroPoint - TYPE_MINIMUM[type]);
}

/** Index into a second operand that repeats: each of its elements serves `inner` consecutive ones, then it starts over. */
export function repeatIndex(element: number, inner: number, length: number): number {
  return Math.floor(element / inner) % length;
}

export function requireSources(kind: Kind, sources: readonly TensorShape[], low: number, high = low): void {
  if (sources.length < low || sources.length > high) refuse(kind, 'wrong number of sources', { sources: sources.length });
}

export function requireParameters(kind: Kind, parameters: Uint8Array, expected: number): void {
  if (parameters.length !== expected) refuse(kind, 'wrong number of parameter bytes', { bytes: parameters.length, expected });
}

export function requireLength(kind: Kind, length: number, expected: number): void {
  if (length !== expected) refuse(kind, 'wrong output length', { length, expected });
}
