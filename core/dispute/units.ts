import type { Program } from '../program/types.ts';
import { ELEMENT_BYTES, ELEMENT_TYPES, type ElementType, elementTypeOfCode } from '../tensor.ts';
import { CHUNK_BYTES, chunkCount, FAN_OUT, treeDepth } from '../tree.ts';

/** What a demand can name, in the order of the contract's enumeration (IClaimBoard.UnitKind). */
export const UNIT_KINDS = ['inputLeaf', 'instructionRecord', 'parameterLeaf', 'tensorRoots', 'nodeChildren', 'tensorLeaf'] as const;
export type UnitKind = (typeof UNIT_KINDS)[number];

/** One demandable piece of a claim; fields that a kind does not use are zero, so that a unit has one spelling. */
export interface Unit {
  readonly kind: UnitKind;
  /** inputLeaf: number of the input; tensorRoots: 0; else the instruction. */
  readonly position: number;
  /** nodeChildren: 32-way levels above the leaves, from 1; else 0. */
  readonly height: number;
  /** The leaf, or the node among those of its height. */
  readonly index: number;
  /** nodeChildren, tensorLeaf: code of the tensor's type; else 0. */
  readonly elementType: number;
  /** nodeChildren, tensorLeaf: elements of the tensor; else 0. */
  readonly length: number;
}

export const TENSOR_ROOTS: Unit = { kind: 'tensorRoots', position: 0, height: 0, index: 0, elementType: 0, length: 0 };

export function inputLeafUnit(input: number, index: number): Unit {
  return { kind: 'inputLeaf', position: input, height: 0, index, elementType: 0, length: 0 };
}

export function recordUnit(position: number): Unit {
  return { kind: 'instructionRecord', position, height: 0, index: 0, elementType: 0, length: 0 };
}

export function parameterLeafUnit(position: number, index: number): Unit {
  return { kind: 'parameterLeaf', position, height: 0, index, elementType: 0, length: 0 };
}

/** The node at a height of an instruction's tensor, or its leaf for height 0. */
export function tensorUnit(program: Program, position: number, height: number, index: number): Unit {
  const { type, length } = program.instructions[position]!;
  const kind = height === 0 ? 'tensorLeaf' : 'nodeChildren';
  return { kind, position, height, index, elementType: ELEMENT_TYPES[type], length };
}

/** Bytes of the tensor that a nodeChildren or tensorLeaf unit lies in; 0 for an unknown type. */
export function tensorBytes(unit: Unit): number {
  const type: ElementType | undefined = elementTypeOfCode(unit.elementType);
  return type === undefined ? 0 : unit.length * ELEMENT_BYTES[type];
}

/** Depth of the tree of that tensor. */
export function tensorDepth(unit: Unit): number {
  return treeDepth(chunkCount(tensorBytes(unit)));
}

/** Bytes of one leaf of a byte string. */
export function leafBytes(byteLength: number, index: number): number {
  return Math.min(CHUNK_BYTES, byteLength - index * CHUNK_BYTES);
}

/** Children that a node at height ≥ 1 really has; the other places of the 32 are EMPTY. */
export function childCount(leafCount: number, height: number, index: number): number {
  return Math.min(FAN_OUT, Math.ceil(leafCount / FAN_OUT ** (height - 1)) - index * FAN_OUT);
}

/** The level whose time a unit is demanded in. */
export function levelOf(unit: Unit): number {
  if (unit.kind === 'tensorRoots') return 1;
  return unit.kind === 'nodeChildren' || unit.kind === 'tensorLeaf' ? 2 + tensorDepth(unit) - unit.height : 0;
}

/** Text that is equal exactly for equal units: a key for maps. */
export function unitKey(unit: Unit): string {
  return `${unit.kind}:${unit.position}:${unit.height}:${unit.index}:${unit.elementType}:${unit.length}`;
}
