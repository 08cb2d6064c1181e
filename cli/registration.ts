import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Hex } from 'viem';
import { parseVerificationKey, readSetupRecord, SETUP_FILES } from '../circuits/setup/files.ts';
import type { Deployment } from '../contracts/client/deployment.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { registerModelCall } from '../contracts/client/registry/registerModel.ts';
import type { Sender } from '../contracts/client/sender.ts';
import type { Hash } from '../core/brand.ts';
import { AssayError } from '../core/errors.ts';
import { keccak256, toHash } from '../core/keccak.ts';
import { INPUT_FORMS, modelId as modelIdOf, modelRecord, ZERO_HASH } from '../core/program/identity.ts';
import { encodeVerificationKey } from '../core/zk-encoding.ts';
import { readModelDirectory } from '../runtime/model-directory.ts';
import type { Client } from './chain.ts';

export interface RegisterOptions {
  readonly directory: string;
  readonly client: Client;
  readonly deployment: Deployment;
  readonly sender: Sender;
  readonly royalty: number;
  readonly uri: string;
  /** Leaves a setup's key out: the model has no zk tier on chain. */
  readonly optimisticOnly?: boolean | undefined;
}

export interface Registered {
  readonly modelId: Hex;
  readonly tiers: readonly string[];
  /** True when the key's secrets could be known to somebody. */
  readonly development: boolean;
  readonly programHash: Hash;
  readonly minimumCoverage: bigint;
  readonly gasUsed: bigint;
}

/** The verification key of a set-up model, and what of it becomes part of the identity; undefined without a setup. */
async function keyOf(directory: string) {
  const setup = await readSetupRecord(directory).catch((error: unknown) => {
    if (error instanceof AssayError && (error.code === 'SETUP_MISSING' || error.code === 'FILE_MISSING')) return undefined;
    throw error;
  });
  if (setup === undefined) return undefined;
  const file = path.join(directory, SETUP_FILES.verificationKey);
  const words = encodeVerificationKey(parseVerificationKey(await readFile(file, 'utf8'), file));
  const inputForm = INPUT_FORMS[setup.inputForm];
  return { words, inputForm, keyHash: setup.keyHash as Hash, provenance: setup.provenance as Hash };
}

/** Puts a compiled model on chain; registering it again is a no-op of the contract. */
export async function registerModel(options: RegisterOptions): Promise<Registered> {
  const { directory, client, deployment, sender, royalty, uri } = options;
  const { program, programBytes } = await readModelDirectory(directory);
  const key = options.optimisticOnly === true ? undefined : await keyOf(directory);
  const record = modelRecord(program, {
    creator: sender.address,
    royalty,
    ...(key === undefined ? {} : { key: { inputForm: key.inputForm, keyHash: key.keyHash, provenance: key.provenance } }),
  });
  const modelId = modelIdOf(record) as Hex;
  const programHash = toHash(keccak256(programBytes));
  const registration = { record, uri, programHash, ...(key === undefined ? {} : { key: key.words }) };
  const receipt = await sender.send(registerModelCall(deployment.registry, registration));
  const minimumCoverage = await client.readContract({
    address: deployment.requests,
    abi: requestsAbi,
    functionName: 'minimumCoverage',
    args: [modelId],
  });
  return {
    modelId,
    tiers: key === undefined ? ['optimistic'] : ['zk', 'optimistic'],
    development: key !== undefined && key.provenance === ZERO_HASH,
    programHash,
    minimumCoverage,
    gasUsed: receipt.gasUsed,
  };
}
