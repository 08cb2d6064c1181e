import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosNode, RoleName } from './chaos-node.ts';
import type { Random } from './random.ts';
import { fails, hangs, lies, limits } from './rpc-trouble.ts';

const ROLES: readonly RoleName[] = ['chain', 'api', 'worker-a', 'worker-b'];
const WORKERS: readonly RoleName[] = ['worker-a', 'worker-b'];

/** Everything that goes wrong, by name; each is over when what it hit is there again. */
export function faultsOf(node: ChaosNode, random: Random): Readonly<Record<string, () => Promise<void>>> {
  const { chain, proxies } = node;
  const meddled = async (meddle: (typeof proxies)[number]['meddle'], which: readonly (typeof proxies)[number][]): Promise<void> => {
    for (const proxy of which) proxy.meddle = meddle;
    await pause(random.integer(4_000, 8_000));
    for (const proxy of which) proxy.meddle = undefined;
  };
  return {
    'worker killed': () => node.killed(random.pick(WORKERS)),
    'api killed': () => node.killed('api'),
    'chain side killed': () => node.killed('chain'),
    // Longer than the lock on a job.
    'process paused': () => paused(() => node.pidOf(random.pick(ROLES)), 9_000),
    'Redis killed, back empty': () => node.redisKilled(),
    'Redis paused': () => paused(() => node.redis.pid, 4_000),
    'PostgreSQL killed': () => node.net.postgres.restart(),
    'chain paused': () => paused(() => chain.pid, 4_000),
    'chain killed, back without its last blocks': () =>
      chain.killed({ since: random.integer(1_000, 4_000), away: random.integer(500, 3_000) }),
    'three blocks replaced, their transactions gone': () => chain.reorganised(3, false),
    'three blocks replaced, their transactions back': () => chain.reorganised(3, true),
    'one endpoint lies': () => meddled(lies(random, 0.5), [random.pick(proxies)]),
    'endpoints do not answer in time': () => meddled(hangs(random, 0.2), proxies),
    'endpoints limit': () => meddled(limits(random, 0.5), proxies),
    'endpoints fail': () => meddled(fails(random, 0.4), proxies),
    // No more than the clocks of open demands leave room for: a chain that jumps over all of one would have it missed by anybody.
    "the chain's time jumps": async () => void (await chain.ahead(random.integer(3, 15))),
    'a clock is wrong': async () => {
      const file = node.clockOf(random.pick(ROLES));
      writeFileSync(file, String(random.pick([-1, 1]) * random.integer(20_000, 600_000)));
      await pause(random.integer(3_000, 8_000));
      writeFileSync(file, '0');
    },
  };
}

async function paused(pidOf: () => number, milliseconds: number): Promise<void> {
  const pid = pidOf();
  process.kill(pid, 'SIGSTOP');
  await pause(milliseconds);
  process.kill(pid, 'SIGCONT');
}
