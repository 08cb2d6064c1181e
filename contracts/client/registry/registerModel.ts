import { type Address, bytesToHex } from 'viem';
import type { Hash } from '../../../core/brand.ts';
import { AssayError } from '../../../core/errors.ts';
import { type ModelRecord, ZERO_HASH } from '../../../core/program/identity.ts';
import { BYTES_PER_SIGNAL, signalsOfKey } from '../../../core/zk-encoding.ts';
import { modelRegistryAbi } from '../generated/modelRegistry.ts';
import type { Call } from '../sender.ts';

export interface Registration {
  readonly record: ModelRecord;
  /** Words of the verification key (core/zk-encoding.ts); missing without a zk tier. */
  readonly key?: Uint8Array;
  /** Where the program lies, at most 512 bytes, and the keccak of its file; taken from the record's creator only. */
  readonly uri?: string;
  readonly programHash?: Hash;
}

/** Public signals of a proof that the contracts take (ModelRules.MAX_SIGNALS): the context, then input and output, 31 bytes each. */
export const MOST_SIGNALS = 256;

/**
 * Registers a model; a no-op when it is registered. About 175,000 gas, 465,000 with a small key.
 * @throws SIGNALS_TOO_MANY for a key of more signals than the contracts take
 */
export function registerModelCall(registry: Address, { record, key, uri = '', programHash = ZERO_HASH }: Registration): Call {
  const signals = key === undefined ? 0 : signalsOfKey(key);
  if (signals > MOST_SIGNALS) {
    throw new AssayError(`A proof of this model has ${signals} public signals, and the contracts take ${MOST_SIGNALS}`, {
      code: 'SIGNALS_TOO_MANY',
      facts: { signals, most: MOST_SIGNALS, bytesPerSignal: BYTES_PER_SIGNAL },
      fix: 'end the model with what its users need (an arg-max, a pooled tensor), or register it for the optimistic tier alone (`assay register --optimistic-only`): proofs are then made and checked off chain',
    });
  }
  const args = [record, key === undefined ? '0x' : bytesToHex(key), uri, programHash];
  return { address: registry, abi: modelRegistryAbi, functionName: 'register', args };
}
