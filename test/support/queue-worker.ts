/**
 * A worker process on a Redis queue: `queue-worker.ts URL PREFIX`. Prints `start ID ATTEMPT` for each job, and `done ID` at its end; a job
 * whose data is "hang" never ends.
 */
import { openRedisQueue } from '../../prover/queue/bullmq.ts';
import { createLog } from '../../runtime/log.ts';

const [url = '', prefix = ''] = process.argv.slice(2);
const queue = await openRedisQueue({ url, prefix, log: createLog({ name: 'worker', level: 'warn' }), lockMilliseconds: 1_200 });
queue.work('work', 2, async (job) => {
  process.stdout.write(`start ${job.id} ${job.attempts}\n`);
  if (job.data === 'hang') await new Promise(() => setInterval(() => undefined, 1_000));
  process.stdout.write(`done ${job.id}\n`);
});
process.stdout.write('ready\n');
