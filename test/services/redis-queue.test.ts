// needs: redis-server
import { randomBytes } from 'node:crypto';
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
    remove: () => queue.close(),
  };
});
