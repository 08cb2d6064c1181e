import type { Hash } from '../brand.ts';
import { invariant } from '../errors.ts';
import { fromHex, toHash } from '../keccak.ts';
import type { Program } from '../program/types.ts';
import { elementTypeOfCode, wrapTensorTop } from '../tensor.ts';
import { buildTree, chunkCount, EMPTY, FAN_OUT, hashChildren, leafHash, type MerkleTree, nodeAt, openNodes } from '../tree.ts';
import { childCount, leafBytes, tensorBytes, tensorDepth, tensorUnit, type Unit } from './units.ts';

/** Reads what is known of a unit: from an answer on chain, or from the prover's own server. Checked before it is believed. */
export type KnownData = (unit: Unit) => Uint8Array | undefined;

/** Where a search for the differing leaf stands. */
export type Descent =
  /** This node or leaf is not known yet; `node` is undefined for the tensor's top. */
  | { readonly found: false; readonly unit: Unit; readonly node: Uint8Array | undefined; readonly siblings: readonly Uint8Array[] }
  | { readonly found: true; readonly index: number; readonly leaf: Uint8Array; readonly siblings: readonly Uint8Array[] };

function childrenIn(data: Uint8Array): Uint8Array[] {
  return Array.from({ length: FAN_OUT }, (_, i) => (32 * i < data.length ? data.subarray(32 * i, 32 * i + 32) : EMPTY));
}

/**
 * Whether packed bytes are what the posted trace holds at a nodeChildren or tensorLeaf unit: the check that the board makes.
 * @param expected hash of the node or leaf; the tensor's root for its top
 */
export function isPosted(unit: Unit, data: Uint8Array, expected: Uint8Array): boolean {
  const size = tensorBytes(unit);
  const right = unit.height === 0 ? leafBytes(size, unit.index) : 32 * childCount(chunkCount(size), unit.height, unit.index);
  const type = elementTypeOfCode(unit.elementType);
  if (data.length !== right || type === undefined) return false;
  const hash = unit.height === 0 ? leafHash(data) : hashChildren(childrenIn(data));
  return toHash(unit.height === tensorDepth(unit) ? fromHex(wrapTensorTop(type, unit.length, hash)) : hash) === toHash(expected);
}

function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

/**
 * Follows the first difference between the own tensor and the posted one from the top down, as far as the posted one is known.
 * @param own tree of the own tensor, whose root is not the posted one
 */
export function descend(program: Program, position: number, own: MerkleTree, posted: Hash, known: KnownData): Descent {
  let [height, index] = [own.depth, 0];
  let node: Uint8Array | undefined;
  let siblings: readonly Uint8Array[] = [];
  for (;;) {
    const unit = tensorUnit(program, position, height, index);
    const data = known(unit);
    if (data === undefined || !isPosted(unit, data, node ?? fromHex(posted))) return { found: false, unit, node, siblings };
    if (height === 0) return { found: true, index, leaf: data, siblings };
    const children = childrenIn(data);
    const [above, first] = [height - 1, index * FAN_OUT];
    const child = children.findIndex((hash, i) => !sameHash(hash, nodeAt(own, above, first + i)));
    invariant(child >= 0, 'Two nodes with equal children have different hashes');
    siblings = [...openNodes(buildTree(children), [child]), ...siblings];
    node = children[child]!;
    [height, index] = [height - 1, first + child];
  }
}
