import { statSync } from 'node:fs';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import { ApiKeys, readApiKeys } from './keys.ts';

export interface KeyFileParts {
  readonly log: Log;
  readonly metrics?: Pick<NodeMetrics, 'alarms'> | undefined;
  /** Milliseconds between two looks at the file (2,000). */
  readonly every?: number;
}

/** API keys of a file that is followed as it changes: who revokes a key need not stop the node. */
export interface FollowedKeys {
  readonly keys: ApiKeys;
  close(): void;
}

/**
 * Reads a file of API keys, and again whenever it was written or another one took its place. A file that is wrong when it changes leaves
 * the keys as they were, and is an alarm: a slip of the pen must not lock all customers out.
 * @throws AssayError FILE_UNUSABLE, CONFIG_INVALID where it is wrong at the start
 */
export function followApiKeys(file: string, { log, metrics, every = 2_000 }: KeyFileParts): FollowedKeys {
  // Looked at before it is read: what is written meanwhile is seen by the next look.
  let seen = stampOf(file);
  const keys = new ApiKeys(readApiKeys(file));
  const look = (): void => {
    const now = stampOf(file);
    if (now === seen) return;
    seen = now;
    try {
      const read = readApiKeys(file);
      keys.replace(read);
      log.info({ file, keys: read.length }, 'the API keys were read again');
    } catch (error) {
      metrics?.alarms.inc({ reason: 'keys' });
      log.error({ error }, 'the changed file of API keys cannot be used: the keys of before go on counting');
    }
  };
  // Not fs.watch: it misses files that are replaced, as editors and mounted secrets do, and network mounts altogether.
  const timer = setInterval(look, every);
  timer.unref();
  return { keys, close: () => clearInterval(timer) };
}

/** What changes when a file is written or replaced. */
function stampOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
