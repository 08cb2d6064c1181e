import path from 'node:path';
import { invariant } from '../../core/errors.ts';
import { type ArtifactStore, openArtifacts } from '../../runtime/artifacts.ts';
import type { Log } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import type { NodeConfig } from '../config.ts';
import { openRedisQueue } from '../queue/bullmq.ts';
import { embeddedQueue } from '../queue/embedded.ts';
import type { Queue } from '../queue/port.ts';
import { embeddedStore } from '../store/embedded.ts';
import type { Store } from '../store/port.ts';
import type { NodeIdentity } from './identity.ts';

/** Where a node keeps what it must not lose. */
export interface Storage {
  readonly store: Store;
  /** Input bytes. */
  readonly artifacts: ArtifactStore;
  /** The queue of this stake; several stakes may share a Redis. */
  openQueue(identity: NodeIdentity): Promise<Queue>;
  close(): Promise<void>;
}

/**
 * Opens what the configuration names: the state directory, or a PostgreSQL and a Redis that other processes share.
 * @throws AssayError STATE_IN_USE, STATE_FOREIGN, STATE_VERSION, STATE_UNWRITABLE
 */
export async function openStorage(config: NodeConfig, log: Log): Promise<Storage> {
  const { data, redis } = config;
  invariant(data !== undefined, 'a node without a database keeps its state in a directory');
  const state = openStateDirectory(data, 'node');
  return {
    store: embeddedStore(state),
    artifacts: openArtifacts(path.join(data, 'artifacts')),
    openQueue: async (identity) =>
      redis === undefined
        ? embeddedQueue(state, { onError: (error) => log.error({ error }, 'a job that ended could not be taken off the queue') })
        : openRedisQueue({ url: redis, prefix: queuePrefix(identity), log }),
    close: () => state.close(),
  };
}

/** Keys of a stake's queue in a Redis. */
export function queuePrefix({ chainId, requests, owner }: NodeIdentity): string {
  return `assay-${chainId}-${requests.slice(2).toLowerCase()}-${owner.slice(2).toLowerCase()}`;
}
