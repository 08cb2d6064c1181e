import type { Hash } from './brand.ts';
import { AssayError } from './errors.ts';
import { fromHex, keccak256, toHash } from './keccak.ts';
import type { Program } from './program/types.ts';
import { inputCount, outputInstructions } from './program/validate.ts';
import { ELEMENT_BYTES, type ElementType, fromBytes, type TypedArray, tensorRoot, tensorRootOfBytes, toBytes } from './tensor.ts';

/** Type and length of one tensor of a list. */
export interface TensorForm {
  readonly type: ElementType;
  readonly length: number;
}

export function inputForms(program: Program): readonly TensorForm[] {
  return program.instructions.slice(0, inputCount(program));
}

export function outputForms(program: Program): readonly TensorForm[] {
  return outputInstructions(program);
}

/** Bytes of all tensors of a list, joined. */
export function listBytes(forms: readonly TensorForm[]): number {
  return forms.reduce((bytes, { type, length }) => bytes + ELEMENT_BYTES[type] * length, 0);
}

/** Canonical bytes of all tensors, joined in order: how inputs and outputs travel. */
export function joinTensors(tensors: readonly TypedArray[]): Uint8Array {
  const bytes = new Uint8Array(tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0));
  let at = 0;
  for (const tensor of tensors) {
    bytes.set(toBytes(tensor), at);
    at += tensor.byteLength;
  }
  return bytes;
}

/** Where each tensor lies in joined bytes. @throws AssayError TENSOR_SIZE unless there are exactly as many as the forms take */
function splitBytes(forms: readonly TensorForm[], bytes: Uint8Array): { type: ElementType; part: Uint8Array }[] {
  const expected = listBytes(forms);
  if (bytes.length !== expected) {
    throw new AssayError('The bytes are not those of the tensors', {
      code: 'TENSOR_SIZE',
      facts: { bytes: bytes.length, expected },
      fix: `give exactly ${expected} bytes: all tensors in order, little-endian`,
    });
  }
  let at = 0;
  return forms.map(({ type, length }) => {
    const from = at;
    at += ELEMENT_BYTES[type] * length;
    return { type, part: bytes.subarray(from, at) };
  });
}

/** Reads joined bytes; the tensors are copies. @throws AssayError TENSOR_SIZE unless there are exactly as many as the forms take */
export function splitTensors(forms: readonly TensorForm[], bytes: Uint8Array): TypedArray[] {
  return splitBytes(forms, bytes).map(({ type, part }) => fromBytes(type, part));
}

/** `keccak(0x03 ‖ tensor roots in order)`: the input root and the output root of a claim. */
export function listRoot(tensors: readonly TypedArray[]): Hash {
  return rootOf(tensors.map(tensorRoot));
}

/** The same of joined bytes, without copying them. @throws AssayError TENSOR_SIZE unless there are exactly as many as the forms take */
export function listRootOfBytes(forms: readonly TensorForm[], bytes: Uint8Array): Hash {
  return rootOf(splitBytes(forms, bytes).map(({ type, part }) => tensorRootOfBytes(type, part)));
}

function rootOf(roots: readonly Hash[]): Hash {
  return toHash(keccak256(Uint8Array.of(3), ...roots.map(fromHex)));
}
