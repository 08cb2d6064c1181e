// needs: redis-server
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach } from 'vitest';
import { openRedisQueue } from '../../prover/queue/bullmq.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { createLog } from '../../runtime/log.ts';
import { queueConformance } from '../node/queue-conformance.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';

const log = createLog({ name: 'test', level: 'silent' });
let shared: RedisServer | undefined;

afterEach(async () => {
  await shared?.stop();
  shared = undefined;
});

queueConformance('Redis', async () => {
  shared ??= await startRedis();
  const { url } = shared;
  const prefix = `assay-${randomBytes(4).toString('hex')}`;
  let queue: Queue = await openRedisQueue({ url, prefix, log, firstDelay: 5, lockMilliseconds: 1_200 });
  return {
    queue,
    reopen: async () => {
      await queue.close();
      queue = await openRedisQueue({ url, prefix, log, firstDelay: 5, lockMilliseconds: 1_200 });
      return queue;
    },
    damage: async (kind, ids, draw) => {
      await queue.close();
      await damageHashes(url, `${prefix}:${kind}`, ids, draw);
      queue = await openRedisQueue({ url, prefix, log, firstDelay: 5, lockMilliseconds: 1_200 });
      return queue;
    },
    remove: () => queue.close(),
  };
});

/** Writes over jobs as somebody who reaches the Redis could. */
async function damageHashes(url: string, prefix: string, ids: readonly string[], draw: () => number): Promise<void> {
  const client = new Redis(url);
  const pick = <Value>(from: readonly Value[]): Value => from[Math.floor(draw() * from.length)]!;
  const json = [
    'null',
    '7',
    '"text"',
    '[]',
    '{}',
    '-1',
    '1e999',
    '{"id":"run/0","data":null}',
    '{"attempts":{},"priority":"x","backoff":5}',
  ];
  const texts = [...json, '', '{', '[1,2', 'none', '\u0000\u001b[2J', '{"a":'.repeat(20_000), `"${'x'.repeat(70_000)}"`];
  const fields = [
    'data',
    'data',
    'data',
    'opts',
    'progress',
    'stacktrace',
    'failedReason',
    'atm',
    'ats',
    'stc',
    'priority',
    'name',
    'delay',
  ];
  for (const id of ids) {
    const key = `${prefix}:id-${encodeURIComponent(id)}`;
    const way = draw();
    if (way < 0.7)
      for (let n = 0; n < 2; n++) await client.hset(key, pick([...fields, 'parent', 'parentKey', 'rjk', 'returnvalue']), pick(texts));
    else if (way < 0.8) await client.del(key);
    else if (way < 0.9) await client.set(key, pick(texts));
    else await client.hdel(key, pick(fields), pick(fields));
  }
  client.disconnect();
}
