import type { Hash } from './brand.ts';
import { AssayError } from './errors.ts';
import { keccak256, toHash } from './keccak.ts';

/** The scalar field of BN254: public signals are below it. */
export const SCALAR_FIELD = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
/** The base field of BN254: coordinates of points are below it. */
export const BASE_FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
/** Bytes packed into one public signal: 31 always fit below the scalar field. */
export const BYTES_PER_SIGNAL = 31;

/** Affine point of G1 as snarkjs writes it: decimal strings, projective with a third coordinate of 1. */
export type G1Json = readonly string[];
/** Affine point of G2: coordinates as [c0, c1]. */
export type G2Json = readonly (readonly string[])[];

/** snarkjs's verification key, the members used here. */
export interface VerificationKeyJson {
  readonly vk_alpha_1: G1Json;
  readonly vk_beta_2: G2Json;
  readonly vk_gamma_2: G2Json;
  readonly vk_delta_2: G2Json;
  readonly IC: readonly G1Json[];
}

/** snarkjs's Groth16 proof, the members used here. */
export interface ProofJson {
  readonly pi_a: G1Json;
  readonly pi_b: G2Json;
  readonly pi_c: G1Json;
}

function malformed(what: string): never {
  throw new AssayError(`A ${what} is not a finite point with coordinates below the base field`, {
    code: 'ZK_POINT',
    fix: 'give the JSON that snarkjs or `assay prove` wrote, unchanged',
  });
}

function coordinate(text: string | undefined, what: string): bigint {
  if (text === undefined || !/^\d{1,78}$/.test(text)) malformed(what);
  const value = BigInt(text);
  if (value >= BASE_FIELD) malformed(what);
  return value;
}

function g1Words(point: G1Json, what: string): bigint[] {
  if (point.length !== 3 || point[2] !== '1') malformed(what);
  return [coordinate(point[0], what), coordinate(point[1], what)];
}

/** EIP-197 puts the imaginary part first. */
function g2Words(point: G2Json, what: string): bigint[] {
  if (point.length !== 3 || point[2]?.[0] !== '1' || point[2]?.[1] !== '0') malformed(what);
  return [point[0]?.[1], point[0]?.[0], point[1]?.[1], point[1]?.[0]].map((text) => coordinate(text, what));
}

function wordsToBytes(words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * words.length);
  words.forEach((word, i) => {
    for (let b = 0; b < 32; b++) bytes[32 * i + b] = Number((word >> BigInt(8 * (31 - b))) & 0xffn);
  });
  return bytes;
}

/**
 * A verification key as the generic verifier takes it in calldata: 32-byte words alpha1 (x, y), beta2, gamma2, delta2 (each x.c1, x.c0,
 * y.c1, y.c0), IC[0..n] (x, y). @throws AssayError ZK_POINT
 */
export function encodeVerificationKey(key: VerificationKeyJson): Uint8Array {
  return wordsToBytes([
    ...g1Words(key.vk_alpha_1, 'verification key'),
    ...g2Words(key.vk_beta_2, 'verification key'),
    ...g2Words(key.vk_gamma_2, 'verification key'),
    ...g2Words(key.vk_delta_2, 'verification key'),
    ...key.IC.flatMap((point) => g1Words(point, 'verification key')),
  ]);
}

/** Bytes of a key's words before IC: alpha of two words, beta, gamma and delta of four each. */
const BYTES_BEFORE_IC = 14 * 32;

/** @returns public signals, the context included, of a key's words: one point of IC each, and one more */
export function signalsOfKey(words: Uint8Array): number {
  return (words.length - BYTES_BEFORE_IC) / 64 - 1;
}

/** What a model's identity holds of its key: keccak of `encodeVerificationKey`. */
export function verificationKeyHash(key: VerificationKeyJson): Hash {
  return toHash(keccak256(encodeVerificationKey(key)));
}

/** A proof as the generic verifier takes it: A (x, y), B (x.c1, x.c0, y.c1, y.c0), C (x, y); 256 bytes. @throws AssayError ZK_POINT */
export function encodeProof(proof: ProofJson): Uint8Array {
  return wordsToBytes([...g1Words(proof.pi_a, 'proof'), ...g2Words(proof.pi_b, 'proof'), ...g1Words(proof.pi_c, 'proof')]);
}

/**
 * The proof of 256 bytes as snarkjs writes it: the inverse of `encodeProof`. Whether its points are on their curves is for a verifier.
 * @throws AssayError ZK_POINT
 */
export function decodeProof(bytes: Uint8Array) {
  if (bytes.length !== 256) malformed('proof');
  const words = Array.from({ length: 8 }, (_, i) => coordinate(String(BigInt(toHash(bytes.subarray(32 * i, 32 * i + 32)))), 'proof'));
  const [ax, ay, bx1, bx0, by1, by0, cx, cy] = words.map(String) as [string, string, string, string, string, string, string, string];
  return {
    protocol: 'groth16' as const,
    curve: 'bn128' as const,
    pi_a: [ax, ay, '1'],
    pi_b: [
      [bx0, bx1],
      [by0, by1],
      ['1', '0'],
    ],
    pi_c: [cx, cy, '1'],
  };
}

/** Little-endian packing of bytes, 31 to a field element. */
export function packBytes(bytes: Uint8Array): bigint[] {
  return Array.from({ length: Math.ceil(bytes.length / BYTES_PER_SIGNAL) }, (_, i) => {
    let value = 0n;
    const chunk = bytes.subarray(i * BYTES_PER_SIGNAL, (i + 1) * BYTES_PER_SIGNAL);
    for (let b = chunk.length - 1; b >= 0; b--) value = (value << 8n) | BigInt(chunk[b]!);
    return value;
  });
}
