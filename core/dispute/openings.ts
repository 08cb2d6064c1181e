import type { Hash } from '../brand.ts';
import { toHash } from '../keccak.ts';
import { traceTree } from '../trace.ts';
import { openNodes } from '../tree.ts';
import type { ProgramTrees } from './program-trees.ts';

/** Proof that a node or leaf belongs to a posted trace (IClaimBoard.NodeProof). */
export interface NodeProof {
  readonly record: Uint8Array;
  readonly recordSiblings: readonly Hash[];
  readonly tensorRoot: Hash;
  readonly rootSiblings: readonly Hash[];
  /** 0 for the tensor's top. */
  readonly node: Hash;
  readonly nodeSiblings: readonly Hash[];
}

/** A wrong element and everything that shows it wrong (IClaimBoard.Fault). */
export interface Fault {
  readonly position: number;
  readonly element: number;
  readonly record: Uint8Array;
  readonly recordSiblings: readonly Hash[];
  readonly roots: readonly Hash[];
  readonly rootSiblings: readonly Hash[];
  readonly leaf: Uint8Array;
  readonly leafSiblings: readonly Hash[];
  readonly evidence: Uint8Array;
}

/** A record and its siblings up to the top of the instruction tree. */
export function openRecord(trees: ProgramTrees, position: number): { record: Uint8Array; recordSiblings: Hash[] } {
  return { record: trees.records[position]!, recordSiblings: openNodes(trees.recordTree, [position]).map(toHash) };
}

/** Posted roots by ascending position, each once, and the siblings that lead to the trace root. */
export function openRoots(posted: readonly Hash[], positions: Iterable<number>): { roots: Hash[]; rootSiblings: Hash[] } {
  const sorted = [...new Set(positions)].sort((a, b) => a - b);
  return { roots: sorted.map((position) => posted[position]!), rootSiblings: openNodes(traceTree(posted), sorted).map(toHash) };
}
