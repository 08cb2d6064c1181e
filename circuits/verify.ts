import { AssayError } from '../core/errors.ts';
import { encodeProof, encodeVerificationKey, SCALAR_FIELD } from '../core/zk-encoding.ts';
import { askLingering, type ChildOptions } from './child-process.ts';
import type { Proof, VerificationKey } from './setup/files.ts';
import type { SnarkjsRequest } from './snarkjs-child.ts';

export { parseProof, parseSignals, parseVerificationKey, readVerificationKey } from './setup/files.ts';

export interface ProofToVerify {
  readonly key: VerificationKey;
  readonly proof: Proof;
  /** Context, input, output; decimal. */
  readonly publicSignals: readonly string[];
}

export type Verdict = { readonly valid: true } | { readonly valid: false; readonly reason: string };

/** What the curve library would reduce silently or fail on: refused before it is asked. */
function malformation({ key, proof, publicSignals }: ProofToVerify): string | undefined {
  try {
    encodeVerificationKey(key);
    encodeProof(proof);
  } catch (error) {
    if (error instanceof AssayError) return error.message;
    throw error;
  }
  if (publicSignals.length !== key.nPublic || key.IC.length !== key.nPublic + 1)
    return 'the number of public signals is not that of the key';
  if (publicSignals.some((signal) => !/^\d{1,78}$/.test(signal) || BigInt(signal) >= SCALAR_FIELD))
    return 'a public signal is not below the field’s prime';
  return undefined;
}

/**
 * Verifies a proof against a key with snarkjs, in a process beside this one; fails closed on anything malformed. What the signals mean (whose
 * request, which bytes) is for the caller to rebuild, as the contract does. Cost: some 20 ms, the first time the start of the process.
 */
export async function verifyProof(given: ProofToVerify, options: ChildOptions = {}): Promise<Verdict> {
  const reason = malformation(given);
  if (reason !== undefined) return { valid: false, reason };
  const request: SnarkjsRequest = { call: 'verify', key: given.key, signals: given.publicSignals, proof: given.proof };
  try {
    const valid = await askLingering<boolean>('./snarkjs-child.ts', request, options);
    return valid ? { valid } : { valid, reason: 'the pairing equation does not hold, or a point is off the curve' };
  } catch (error) {
    // The curve library throws on some points off the curve.
    if (error instanceof AssayError && error.code === 'PROOF_SYSTEM') return { valid: false, reason: error.message };
    throw error;
  }
}
