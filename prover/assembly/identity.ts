import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Address, type Hex, isAddress } from 'viem';
import { z } from 'zod';
import type { Hash } from '../../core/brand.ts';
import { AssayError } from '../../core/errors.ts';
import { type ModelRecord, modelRecord } from '../../core/program/identity.ts';
import { type Log, revertOf } from '../../runtime/log.ts';
import type { NodeChain } from '../chain/chain.ts';
import type { BindToRecord } from '../models/catalog.ts';
import { load } from '../records/documents.ts';
import type { Store } from '../store/port.ts';

const COLLECTION = 'node';
const IDENTITY = 'identity';

const address = z.custom<Address>((value) => typeof value === 'string' && isAddress(value, { strict: false }));
const word = z.string().regex(/^0x[0-9a-f]{64}$/);

/** Whose store it is: what all processes that share it have in common. */
const identitySchema = z.object({
  chainId: z.int().min(1),
  requests: address,
  /** Whose stake answers for what is signed. */
  owner: address,
});
export type NodeIdentity = z.output<typeof identitySchema>;

/** What the registry holds of a model that is served, for workers that see no chain. */
const recordSchema = z.object({
  creator: address,
  royalty: z.int().min(0),
  inputForm: z.int().min(0).max(2),
  keyHash: word,
  provenance: word,
  /** Every member of the record as the registry has it, as text. */
  members: z.record(z.string(), z.string()),
});
type RecordDocument = z.output<typeof recordSchema>;

export interface WaitOptions {
  /** Milliseconds that what another process writes may take to appear (60,000). */
  readonly patience?: number;
  readonly log: Log;
}

/**
 * Says whose store this is, or checks that it is ours.
 * @throws AssayError NODE_FOREIGN when it belongs to another chain, deployment or stake
 */
export async function claimStore(store: Store, ours: NodeIdentity): Promise<void> {
  const look = () => load(store, identitySchema, COLLECTION, IDENTITY);
  // Read first: a node whose disk is full starts, and answers demands.
  if ((await look()) === undefined) await store.putIfAbsent(COLLECTION, IDENTITY, ours);
  requireOurs(await look(), ours);
}

/** An identity as a store holds it; undefined where it is none. */
export function identityFrom(document: unknown): NodeIdentity | undefined {
  return identitySchema.safeParse(document).data;
}

/** @throws AssayError NODE_FOREIGN */
export function requireOurs(found: NodeIdentity | undefined, ours: NodeIdentity): void {
  const different = (['chainId', 'requests', 'owner'] as const).find(
    (member) => String(found?.[member]).toLowerCase() !== String(ours[member]).toLowerCase(),
  );
  if (different === undefined) return;
  throw new AssayError('The store belongs to another node', {
    code: 'NODE_FOREIGN',
    facts: { member: different, store: String(found?.[different]), ours: String(ours[different]) },
    fix: 'give each chain, deployment and stake a database or state directory of its own',
  });
}

/** The identity that a process with a chain has written. @throws AssayError CHAIN_ROLE_MISSING */
export function awaitIdentity(store: Store, options: WaitOptions): Promise<NodeIdentity> {
  return appearing('deployment', () => load(store, identitySchema, COLLECTION, IDENTITY), options);
}

/** A record of the registry as workers read it. */
export function recordDocument(record: Awaited<ReturnType<NodeChain['record']>> | ModelRecord): RecordDocument {
  return {
    creator: record.creator as Address,
    royalty: record.royalty,
    inputForm: record.inputForm,
    keyHash: record.keyHash,
    provenance: record.provenance,
    members: Object.fromEntries(Object.entries(record).map(([name, value]) => [name, String(value)])),
  };
}

/** Binds programs to the registry itself, and leaves what it said for workers, where there is a store. */
export function bindToChain(chain: Pick<NodeChain, 'record'>, store?: Store): BindToRecord {
  return async (modelId, program) => {
    const record = await chain.record(modelId as Hex).catch((error: unknown) => Promise.reject(unregistered(error)));
    const document = recordDocument(record);
    requireSame(program, document);
    // Read first, as above; what cannot be read is written anew.
    const known = await store?.get(`${COLLECTION}-models`, modelId);
    if (!isDeepStrictEqual(known, document)) await store?.put(`${COLLECTION}-models`, modelId, document);
    return { inputForm: record.inputForm };
  };
}

function unregistered(error: unknown): unknown {
  if (revertOf(error) !== 'UnknownModel') return error;
  return new AssayError('No model of that id is registered', {
    code: 'MODEL_UNREGISTERED',
    fix: 'correct the id, or register the folder with `assay register`, which prints it; see that the deployment is the one meant',
    cause: error,
  });
}

/** Binds programs to what the process with a chain left in the store. @throws AssayError CHAIN_ROLE_MISSING, MODEL_MISMATCH */
export function bindToStore(store: Store, options: WaitOptions): BindToRecord {
  return async (modelId, program) => {
    const document = await appearing(`model ${modelId}`, () => load(store, recordSchema, `${COLLECTION}-models`, modelId), options);
    requireSame(program, document);
    return { inputForm: document.inputForm };
  };
}

/** A program is served under a modelId only if its record, computed here in full, is the registered one. */
function requireSame(program: Parameters<BindToRecord>[1], registered: RecordDocument): void {
  const { creator, royalty, inputForm: form, keyHash, provenance, members } = registered;
  const key =
    form === 1 || form === 2 ? { key: { inputForm: form, keyHash: keyHash as Hash, provenance: provenance as Hash } as const } : {};
  const computed = modelRecord(program, { creator, royalty, ...key });
  const different = (Object.keys(computed) as (keyof typeof computed)[]).find(
    (field) => String(computed[field]).toLowerCase() !== members[field]?.toLowerCase(),
  );
  if (different === undefined) return;
  throw new AssayError('The program is not the registered one', {
    code: 'MODEL_MISMATCH',
    facts: { field: different, program: String(computed[different]), registered: members[different] ?? '' },
    fix: 'serve the folder that was registered under this modelId, or correct the id',
  });
}

async function appearing<Found>(
  what: string,
  look: () => Promise<Found | undefined>,
  { patience = 60_000, log }: WaitOptions,
): Promise<Found> {
  const end = performance.now() + patience;
  for (let told = false; ; told = true) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) break;
    if (!told) log.info({ missing: what }, 'waiting for the process of the role chain');
    await sleep(Math.min(500, patience));
  }
  throw new AssayError('The process of the role chain has not said what is served', {
    code: 'CHAIN_ROLE_MISSING',
    facts: { missing: what },
    fix: 'start `assay node --role chain` with the same database and models',
  });
}
