import type { Hash } from './brand.ts';
import { AssayError } from './errors.ts';
import { keccak256, toHash } from './keccak.ts';
import { buildTree, leavesOfBytes, type MerkleTree } from './tree.ts';

/** The three value types; the number is the code used in records and roots. */
export const ELEMENT_TYPES = { u8: 0, i16: 1, i32: 2 } as const;
export type ElementType = keyof typeof ELEMENT_TYPES;
export type TypedArray = Uint8Array | Int16Array | Int32Array;

export const ELEMENT_BYTES: Readonly<Record<ElementType, 1 | 2 | 4>> = { u8: 1, i16: 2, i32: 4 };
export const TYPE_MINIMUM: Readonly<Record<ElementType, number>> = { u8: 0, i16: -32768, i32: -2147483648 };
export const TYPE_MAXIMUM: Readonly<Record<ElementType, number>> = { u8: 255, i16: 32767, i32: 2147483647 };

const NAMES: readonly ElementType[] = ['u8', 'i16', 'i32'];

export function elementTypeOfCode(code: number): ElementType | undefined {
  return NAMES[code];
}

export function allocate(type: ElementType, length: number): TypedArray {
  if (type === 'u8') return new Uint8Array(length);
  return type === 'i16' ? new Int16Array(length) : new Int32Array(length);
}

export function elementTypeOf(values: TypedArray): ElementType {
  if (values instanceof Uint8Array) return 'u8';
  return values instanceof Int16Array ? 'i16' : 'i32';
}

/** Canonical bytes: little-endian two's complement, elements in order. Shares memory with the values (supported hosts are little-endian). */
export function toBytes(values: TypedArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Reads canonical bytes; always copies, so the result is aligned and nobody else's. */
export function fromBytes(type: ElementType, bytes: Uint8Array): TypedArray {
  if (bytes.length % ELEMENT_BYTES[type] !== 0) {
    throw new AssayError('The bytes do not hold a whole number of elements', {
      code: 'TENSOR_SIZE',
      facts: { type, bytes: bytes.length },
      fix: `give a multiple of ${ELEMENT_BYTES[type]} bytes`,
    });
  }
  // Not slice(): a Node Buffer's slice shares its memory.
  const copy = new Uint8Array(bytes);
  if (type === 'u8') return copy;
  return type === 'i16' ? new Int16Array(copy.buffer) : new Int32Array(copy.buffer);
}

/** Merkle tree over the canonical bytes of a tensor: one leaf per 512 bytes. */
export function tensorTree(values: TypedArray): MerkleTree {
  return buildTree(leavesOfBytes(toBytes(values)));
}

/** `keccak(0x02 ‖ type ‖ length as u32 big-endian ‖ top)`: binds type, length and content; shapes live in instructions. */
export function wrapTensorTop(type: ElementType, length: number, top: Uint8Array): Hash {
  const head = new Uint8Array(6);
  head[0] = 2;
  head[1] = ELEMENT_TYPES[type];
  new DataView(head.buffer).setUint32(2, length);
  return toHash(keccak256(head, top));
}

export function tensorRoot(values: TypedArray): Hash {
  return tensorRootOfBytes(elementTypeOf(values), toBytes(values));
}

/** Of canonical bytes, where nobody needs the values. @param bytes a whole number of elements */
export function tensorRootOfBytes(type: ElementType, bytes: Uint8Array): Hash {
  return wrapTensorTop(type, bytes.length / ELEMENT_BYTES[type], buildTree(leavesOfBytes(bytes)).top);
}
