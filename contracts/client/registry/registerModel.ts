import { type Address, bytesToHex } from 'viem';
import type { Hash } from '../../../core/brand.ts';
import { type ModelRecord, ZERO_HASH } from '../../../core/program/identity.ts';
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

/** Registers a model; a no-op when it is registered. About 175,000 gas, 465,000 with a small key. */
export function registerModelCall(registry: Address, { record, key, uri = '', programHash = ZERO_HASH }: Registration): Call {
  const args = [record, key === undefined ? '0x' : bytesToHex(key), uri, programHash];
  return { address: registry, abi: modelRegistryAbi, functionName: 'register', args };
}
