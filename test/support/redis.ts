import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './port.ts';

/** A Redis of a test's own, empty and in memory. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server (SIGKILL when told, as a crash would) and resolves when it is gone; safe to call twice. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/**
 * Starts `redis-server` (Debian package redis-server) on 127.0.0.1 and resolves when it answers; about 50 ms.
 * It refuses to evict keys, as a job queue requires. It ends with this process.
 */
export async function startRedis(options: { readonly port?: number } = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-redis-'));
  const memory = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
  const child = spawn('redis-server', ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, ...memory], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  const endWithOwner = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithOwner);
  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    process.off('exit', endWithOwner);
    child.kill(signal);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const early = ended.then(() => Promise.reject(new Error(`redis-server ended before it answered on port ${port}`)));
  try {
    await Promise.race([answers(port), early]);
  } catch (error) {
    await stop('SIGKILL').catch(() => undefined);
    throw error;
  }
  // From here on an end is expected, by `stop`.
  early.catch(() => undefined);
  return { url: `redis://127.0.0.1:${port}`, port, pid: child.pid ?? 0, stop };
}

/** Resolves once the server answers a ping; ioredis retries while it comes up. */
async function answers(port: number): Promise<void> {
  const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 200, retryStrategy: () => 25 });
  client.on('error', () => undefined);
  try {
    await client.ping();
  } finally {
    client.disconnect();
  }
}
