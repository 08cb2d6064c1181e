import { AssayError } from './errors.ts';
import { keccak256 } from './keccak.ts';

/**
 * The one Merkle tree of the project (docs/program-format.md, "Trees"): over 512-byte chunks of bytes, over instruction
 * records, over a trace's tensor roots. A node has 32 children, hashed as a binary tree of five levels, so that an answer
 * posts 32 hashes and an opening five siblings a level. The depth follows from the number of leaves alone.
 */
export const CHUNK_BYTES = 512;
export const FAN_OUT = 32;
const BITS_PER_LEVEL = 5;

/** Stands for a missing subtree of any height. */
export const EMPTY: Uint8Array = new Uint8Array(32);

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

export function leafHash(bytes: Uint8Array): Uint8Array {
  return keccak256(LEAF_PREFIX, bytes);
}

function isEmpty(hash: Uint8Array): boolean {
  if (hash === EMPTY) return true;
  for (const byte of hash) if (byte !== 0) return false;
  return true;
}

/** `keccak(0x01 ‖ left ‖ right)`; EMPTY when both are. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return isEmpty(left) && isEmpty(right) ? EMPTY : keccak256(NODE_PREFIX, left, right);
}

/** Number of 32-way levels above the leaves: 0 for one leaf, 1 for 2..32, 2 for 33..1024 … */
export function treeDepth(leafCount: number): number {
  let depth = 0;
  for (let capacity = 1; capacity < leafCount; capacity *= FAN_OUT) depth++;
  return depth;
}

export interface MerkleTree {
  readonly leafCount: number;
  /** 32-way levels. */
  readonly depth: number;
  /** Binary levels, leaves first; level b holds ceil(leafCount / 2^b) hashes. */
  readonly levels: readonly (readonly Uint8Array[])[];
  readonly top: Uint8Array;
}

/** Builds the tree of the given leaf hashes (at least one). */
export function buildTree(leaves: readonly Uint8Array[]): MerkleTree {
  if (leaves.length === 0) throw new AssayError('A Merkle tree needs at least one leaf', { code: 'TREE_EMPTY' });
  const depth = treeDepth(leaves.length);
  const levels: (readonly Uint8Array[])[] = [leaves];
  for (let b = 0; b < depth * BITS_PER_LEVEL; b++) {
    const below = levels[b]!;
    const level: Uint8Array[] = [];
    for (let i = 0; i < below.length; i += 2) level.push(nodeHash(below[i]!, below[i + 1] ?? EMPTY));
    levels.push(level);
  }
  return { leafCount: leaves.length, depth, levels, top: levels[depth * BITS_PER_LEVEL]![0]! };
}

/** Leaf hashes of 512-byte chunks; zero bytes make one empty leaf. */
export function leavesOfBytes(bytes: Uint8Array): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let from = 0; from < bytes.length || from === 0; from += CHUNK_BYTES)
    leaves.push(leafHash(bytes.subarray(from, from + CHUNK_BYTES)));
  return leaves;
}

/** How many 512-byte chunks hold this many bytes (at least one). */
export function chunkCount(byteLength: number): number {
  return Math.max(1, Math.ceil(byteLength / CHUNK_BYTES));
}

/** Hash of the node at a 32-way level (0 = leaves, depth = top) and index; EMPTY where nothing is. */
export function nodeAt(tree: MerkleTree, level: number, index: number): Uint8Array {
  return tree.levels[level * BITS_PER_LEVEL]?.[index] ?? EMPTY;
}

/** The 32 children of a node at 32-way level ≥ 1. */
export function childrenOf(tree: MerkleTree, level: number, index: number): Uint8Array[] {
  return Array.from({ length: FAN_OUT }, (_, child) => nodeAt(tree, level - 1, index * FAN_OUT + child));
}

/** Binary Merkle root of 32 children: the hash of their node. */
export function hashChildren(children: readonly Uint8Array[]): Uint8Array {
  let level = children;
  while (level.length > 1) level = Array.from({ length: level.length / 2 }, (_, i) => nodeHash(level[2 * i]!, level[2 * i + 1]!));
  return level[0]!;
}

/**
 * Siblings that open a set of nodes of one 32-way level (0 = leaves), walking binary levels upward and, inside a level,
 * indices upward; a sibling that is itself being opened or computed is not repeated.
 * @param indices strictly ascending
 */
export function openNodes(tree: MerkleTree, indices: readonly number[], level = 0): Uint8Array[] {
  const siblings: Uint8Array[] = [];
  let known = [...indices];
  for (let b = level * BITS_PER_LEVEL; b < tree.depth * BITS_PER_LEVEL; b++) {
    const parents: number[] = [];
    for (let i = 0; i < known.length; i++) {
      const index = known[i]!;
      if ((index & 1) === 0 && known[i + 1] === index + 1) i++;
      else siblings.push(tree.levels[b]![index ^ 1] ?? EMPTY);
      parents.push(index >>> 1);
    }
    known = parents;
  }
  return siblings;
}

/**
 * Recomputes the top from opened nodes and their siblings; undefined when the opening is malformed (unsorted or
 * out-of-range indices, too few or too many siblings). The caller compares the result with the top it trusts.
 */
export function topFromOpening(
  leafCount: number,
  indices: readonly number[],
  hashes: readonly Uint8Array[],
  siblings: readonly Uint8Array[],
  level = 0,
): Uint8Array | undefined {
  if (indices.length === 0 || indices.length !== hashes.length) return undefined;
  const capacity = Math.ceil(leafCount / FAN_OUT ** level);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (!Number.isInteger(index) || index < 0 || index >= capacity || (i > 0 && index <= indices[i - 1]!)) return undefined;
  }
  let known = indices.map((index, i) => ({ index, hash: hashes[i]! }));
  let used = 0;
  for (let b = level * BITS_PER_LEVEL; b < treeDepth(leafCount) * BITS_PER_LEVEL; b++) {
    const parents: typeof known = [];
    for (let i = 0; i < known.length; i++) {
      const { index, hash } = known[i]!;
      const next = known[i + 1];
      let other: Uint8Array | undefined;
      if ((index & 1) === 0 && next?.index === index + 1) {
        other = next.hash;
        i++;
      } else other = siblings[used++];
      if (other === undefined) return undefined;
      parents.push({ index: index >>> 1, hash: (index & 1) === 0 ? nodeHash(hash, other) : nodeHash(other, hash) });
    }
    known = parents;
  }
  return used === siblings.length ? known[0]!.hash : undefined;
}
