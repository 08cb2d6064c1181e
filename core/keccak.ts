import { createKeccak } from 'hash-wasm';
import type { Hash } from './brand.ts';

// One WASM instance, used synchronously: a hash of 65 bytes takes about a microsecond.
const hasher = await createKeccak(256);

/** keccak256 of the concatenation of the parts. */
export function keccak256(...parts: readonly Uint8Array[]): Uint8Array {
  hasher.init();
  for (const part of parts) hasher.update(part);
  return hasher.digest('binary');
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHash(bytes: Uint8Array): Hash {
  let text = '0x';
  for (const byte of bytes) text += HEX[byte];
  return text as Hash;
}

/** Value of a hex digit, by its character code. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0);

/** Bytes of a 0x-prefixed hex string of even length; digits must have been checked. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = 16 * DIGITS[text.charCodeAt(2 * i + 2)]! + DIGITS[text.charCodeAt(2 * i + 3)]!;
  return bytes;
}
