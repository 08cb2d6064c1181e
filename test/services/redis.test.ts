// needs: redis-server
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis.ts';

const started: RedisServer[] = [];

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});

async function server(): Promise<RedisServer> {
  const redis = await startRedis();
  started.push(redis);
  return redis;
}

async function use<T>(url: string, action: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    return await action(client);
  } finally {
    client.disconnect();
  }
}

describe('a Redis for a test', () => {
  it('is its own: two hold different keys', async () => {
    const [first, second] = await Promise.all([server(), server()]);
    await use(first.url, (client) => client.set('key', 'first'));
    expect(await use(first.url, (client) => client.get('key'))).toBe('first');
    expect(await use(second.url, (client) => client.get('key'))).toBeNull();
  });

  it('never evicts a job', async () => {
    const { url } = await server();
    expect(await use(url, (client) => client.config('GET', 'maxmemory-policy'))).toEqual(['maxmemory-policy', 'noeviction']);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('is gone after %s, which may be sent twice', async (signal) => {
    const { url, stop } = await server();
    await stop(signal);
    await stop(signal);
    await expect(use(url, (client) => client.ping())).rejects.toThrow();
  });
});
