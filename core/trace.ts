import type { Hash } from './brand.ts';
import { AssayError } from './errors.ts';
import { fromHex, keccak256, toHash } from './keccak.ts';
import type { Program } from './program/types.ts';
import { inputCount, outputCount } from './program/validate.ts';
import { ELEMENT_BYTES, type ElementType, elementTypeOf, type TypedArray, tensorTree, toBytes, wrapTensorTop } from './tensor.ts';
import { buildTree, CHUNK_BYTES, chunkCount, leafHash, type MerkleTree, openNodes, topFromOpening } from './tree.ts';

/** All tensors of one run with their Merkle trees: what a dispute opens. */
export interface Trace {
  readonly tensors: readonly TypedArray[];
  readonly trees: readonly MerkleTree[];
  /** Tensor roots, in order: the root list that a prover answers with. */
  readonly roots: readonly Hash[];
}

/** Hashes every tensor of a run. Cost: about 4 keccak permutations each 512 bytes. */
export function buildTrace(tensors: readonly TypedArray[]): Trace {
  const trees = tensors.map(tensorTree);
  return { tensors, trees, roots: trees.map((tree, i) => wrapTensorTop(elementTypeOf(tensors[i]!), tensors[i]!.length, tree.top)) };
}

/** Tree over the root list: leaf i is the root of tensor i. */
export function traceTree(roots: readonly Hash[]): MerkleTree {
  return buildTree(roots.map((root) => leafHash(fromHex(root))));
}

/** `keccak(0x05 ‖ count as u32 big-endian ‖ top)`. */
export function traceRoot(roots: readonly Hash[]): Hash {
  const head = new Uint8Array(5);
  head[0] = 5;
  new DataView(head.buffer).setUint32(1, roots.length);
  return toHash(keccak256(head, traceTree(roots).top));
}

/** Input root or output root: `keccak(0x03 ‖ tensor roots in order)`, also for one tensor. */
export function listRoot(roots: readonly Hash[]): Hash {
  return toHash(keccak256(Uint8Array.of(3), ...roots.map(fromHex)));
}

export function inputRoot(program: Program, roots: readonly Hash[]): Hash {
  return listRoot(roots.slice(0, inputCount(program)));
}

export function outputRoot(program: Program, roots: readonly Hash[]): Hash {
  return listRoot(roots.slice(roots.length - outputCount(program)));
}

/** Where two root lists first differ: every input of that instruction then agrees. Undefined when they are the same. */
export function firstDisagreement(mine: readonly Hash[], theirs: readonly Hash[]): number | undefined {
  if (mine.length !== theirs.length) {
    throw new AssayError('The runs do not have the same number of tensors', {
      code: 'TRACE_LENGTH',
      facts: { mine: mine.length, theirs: theirs.length },
      fix: 'compare runs of the same program',
    });
  }
  const position = mine.findIndex((root, i) => root !== theirs[i]);
  return position < 0 ? undefined : position;
}

/** First element in which two tensors of the same instruction differ; undefined when they are the same. */
export function firstDifference(mine: TypedArray, theirs: TypedArray): number | undefined {
  const position = mine.findIndex((value, i) => value !== theirs[i]);
  return position < 0 ? undefined : position;
}

/** 512-byte leaves of a blob of bytes with the siblings that lead to its top. */
export interface ByteOpening {
  /** Strictly ascending. */
  readonly indices: readonly number[];
  readonly leaves: readonly Uint8Array[];
  readonly siblings: readonly Uint8Array[];
}

/** Opens the leaves of a blob that hold the given byte ranges. */
export function openBytes(bytes: Uint8Array, tree: MerkleTree, indices: Iterable<number>): ByteOpening {
  const sorted = [...new Set(indices)].sort((a, b) => a - b);
  return {
    indices: sorted,
    leaves: sorted.map((index) => bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)),
    siblings: openNodes(tree, sorted),
  };
}

/** Opens the leaves of a tensor that hold the given elements. */
export function openElements(tensor: TypedArray, tree: MerkleTree, elements: Iterable<number>): ByteOpening {
  const bytes = ELEMENT_BYTES[elementTypeOf(tensor)];
  const leaves = new Set<number>();
  for (const element of elements) leaves.add(Math.floor((element * bytes) / CHUNK_BYTES));
  return openBytes(toBytes(tensor), tree, leaves);
}

/** The top that an opening of a blob of `byteLength` bytes proves; undefined when it is malformed in any way. */
export function topOfOpening(byteLength: number, opening: ByteOpening): Uint8Array | undefined {
  const leafCount = chunkCount(byteLength);
  const fits = opening.indices.every((index, i) => opening.leaves[i]?.length === leafLength(byteLength, index));
  if (!fits || opening.leaves.length !== opening.indices.length) return undefined;
  return topFromOpening(leafCount, opening.indices, opening.leaves.map(leafHash), opening.siblings);
}

function leafLength(byteLength: number, index: number): number {
  return Math.max(0, Math.min(CHUNK_BYTES, byteLength - index * CHUNK_BYTES));
}

/** Whether an opening belongs to the tensor of this type, length and root. */
export function opensTensor(root: Hash, type: ElementType, length: number, opening: ByteOpening): boolean {
  const top = topOfOpening(length * ELEMENT_BYTES[type], opening);
  return top !== undefined && wrapTensorTop(type, length, top) === root;
}
