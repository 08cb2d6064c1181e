import type { Address } from 'viem';
import type { Log } from '../../runtime/log.ts';
import type { NodeConfig } from '../configuration/config.ts';
import type { NodeMetrics } from '../metrics.ts';
import { type Catalog, openCatalog } from '../models/catalog.ts';
import { ClaimMaterial } from '../models/material.ts';
import type { Queue } from '../queue/port.ts';
import { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import type { OpenedChain } from './chain-access.ts';
import { awaitIdentity, bindToChain, bindToStore, claimStore, type NodeIdentity } from './identity.ts';
import { meteredQueue } from './metered.ts';
import { openStorage, type Storage } from './storage.ts';

/** What every role stands on. */
export interface Foundation {
  readonly storage: Storage;
  readonly owner: Address;
  readonly store: Store;
  readonly queue: Queue;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly material: ClaimMaterial;
}

/** Called in reverse order of registration. */
export type Closers = (() => Promise<void>)[];

/**
 * Opens storage, models and queue.
 * @param opened the chain; without one, what is to be known of it is read from the store, where a process with one has written it
 * @throws AssayError STATE_IN_USE …, NODE_FOREIGN, CHAIN_ROLE_MISSING, MODEL_MISMATCH, QUEUE_UNREACHABLE
 */
export async function layFoundation(
  config: NodeConfig,
  opened: OpenedChain | undefined,
  { log, metrics }: { readonly log: Log; readonly metrics: NodeMetrics },
  closers: Closers,
): Promise<Foundation> {
  const storage = await openStorage(config, log);
  closers.push(() => storage.close());
  const { store } = storage;
  const identity = opened === undefined ? await awaitIdentity(store, { log }) : await ownIdentity(store, opened);
  const bind = opened === undefined ? bindToStore(store, { log }) : bindToChain(opened.chain, store);
  const sessions = { sessions: config.sessionsPerModel, threads: config.sessionThreads };
  const catalog = await openCatalog(config.models, bind, sessions);
  closers.push(() => catalog.close());
  const inputs = new InputStore(storage.artifacts, store);
  const queue = meteredQueue(await storage.openQueue(identity), metrics);
  closers.push(() => queue.close());
  return { storage, owner: identity.owner, store, queue, catalog, inputs, material: new ClaimMaterial(store, catalog, inputs) };
}

async function ownIdentity(store: Store, { client, addresses, owner }: OpenedChain): Promise<NodeIdentity> {
  const identity = { chainId: client.chain.id, requests: addresses.requests, owner };
  await claimStore(store, identity);
  return identity;
}
