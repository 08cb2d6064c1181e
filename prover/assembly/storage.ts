import path from 'node:path';
import { type AssayError, invariant } from '../../core/errors.ts';
import { type ArtifactStore, openArtifacts } from '../../runtime/artifacts.ts';
import type { Log } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import type { NodeConfig } from '../configuration/config.ts';
import { embeddedQueue } from '../queue/embedded.ts';
import type { Queue } from '../queue/port.ts';
import { embeddedStore } from '../store/embedded.ts';
import type { Store } from '../store/port.ts';
import type { Postgres } from '../store/postgres.ts';
import type { NodeIdentity } from './identity.ts';

/** Where a node keeps what it must not lose. */
export interface Storage {
  readonly store: Store;
  /** Input bytes. */
  readonly artifacts: ArtifactStore;
  /** The queue of this stake; several stakes may share a Redis. */
  openQueue(identity: NodeIdentity): Promise<Queue>;
  /** Holds a name alone among all processes; undefined where this process is alone anyway. @throws AssayError LOCK_HELD */
  readonly hold: ((name: string, onLost: (error: AssayError) => void) => Promise<{ release(): Promise<void> }>) | undefined;
  close(): Promise<void>;
}

/**
 * Opens what the configuration names: a PostgreSQL or the state directory, a Redis or the state directory.
 * @throws AssayError STATE_IN_USE, STATE_FOREIGN, STATE_VERSION, STATE_UNWRITABLE, STORE_UNREACHABLE, STORE_FAILED, STORE_NEWER
 */
export async function openStorage(config: NodeConfig, log: Log): Promise<Storage> {
  const { data, redis, database } = config;
  const needsDirectory = redis === undefined || database === undefined;
  invariant(data !== undefined || !needsDirectory, 'a node without Redis or database keeps its state in a directory');
  const state = data !== undefined && needsDirectory ? openStateDirectory(data, 'node') : undefined;
  const embedded = (): NonNullable<typeof state> => {
    invariant(state !== undefined, 'the state directory is open');
    return state;
  };
  try {
    const postgres = database === undefined ? undefined : await postgresOf(database, log);
    return {
      store: postgres?.store ?? embeddedStore(embedded()),
      artifacts: postgres?.artifacts ?? openArtifacts(path.join(embedded().directory, 'artifacts')),
      openQueue: async (identity) => {
        if (redis !== undefined) return redisQueueOf(redis, identity, log);
        return embeddedQueue(embedded(), { onError: (error) => log.error({ error }, 'a job that ended is still in the queue') });
      },
      hold: postgres?.hold,
      close: async () => {
        await postgres?.close();
        await state?.close();
      },
    };
  } catch (error) {
    await state?.close();
    throw error;
  }
}

// Drivers of servers take a node half a second to load: one that keeps its state to itself need not wait for them.

async function postgresOf(url: string, log: Log): Promise<Postgres> {
  const { openPostgres } = await import('../store/postgres.ts');
  return openPostgres({ url, log });
}

async function redisQueueOf(url: string, identity: NodeIdentity, log: Log): Promise<Queue> {
  const { openRedisQueue } = await import('../queue/bullmq.ts');
  return openRedisQueue({ url, prefix: queuePrefix(identity), log });
}

/** Keys of a stake's queue in a Redis. */
export function queuePrefix({ chainId, requests, owner }: NodeIdentity): string {
  return `assay-${chainId}-${requests.slice(2).toLowerCase()}-${owner.slice(2).toLowerCase()}`;
}
