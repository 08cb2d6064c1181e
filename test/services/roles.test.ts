// needs: redis-server postgresql
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Child } from '../../cli/supervise.ts';
import { AssayError } from '../../core/errors.ts';
import { until } from '../node/network.ts';
import { type Asked, type RoleNet, startRoleNet } from '../support/role-net.ts';

let roles: RoleNet;
let chain: Child;
let api: Child;
let workers: Child[];

const url = (child: Child): string => String(child.facts.url);

async function readiness(child: Child): Promise<number> {
  return (await fetch(`${url(child)}/readyz`)).status;
}

/** Value of a gauge of the queue as a process tells it. */
async function depth(child: Child, kind: string, state: string): Promise<number> {
  const text = await (await fetch(`${url(child)}/metrics`)).text();
  return Number(new RegExp(`^assay_queue_depth\\{kind="${kind}",state="${state}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

async function untilAnswered(asked: readonly Asked[], seconds = 240): Promise<void> {
  const isAnswered = async (each: Asked): Promise<boolean> => ['claimed', 'final'].includes((await roles.seen(each)).status);
  await until('answers to all', async () => (await Promise.all(asked.map(isAnswered))).every(Boolean), seconds);
}

async function expectAnsweredOnce(asked: readonly Asked[]): Promise<void> {
  for (const each of asked) expect((await roles.seen(each)).answers, `request ${each.id}`).toEqual([each.expected]);
}

beforeAll(async () => {
  roles = await startRoleNet();
  // Workers wait for what the chain role says, so all may start at once.
  [chain, api, ...workers] = (await Promise.all([
    roles.start('chain', 'chain'),
    roles.start('api', 'api'),
    roles.start('worker', 'worker-1'),
    roles.start('worker', 'worker-2'),
  ])) as [Child, Child, ...Child[]];
}, 400_000);
afterAll(() => roles?.stop());

describe('a node in parts', () => {
  it('answers in both tiers, once', async () => {
    const asked = [await roles.ask('optimistic', 200), await roles.ask('zk', 201, url(api)), await roles.ask('optimistic', 202)];
    await untilAnswered(asked);
    await expectAnsweredOnce(asked);
    await until('finality', async () => (await roles.seen(asked[0]!)).status === 'final');
  });

  it('hears of an input that comes after its request, through the API', async () => {
    const early = await roles.ask('zk', 203);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await roles.seen(early)).status).toBe('open');
    const again = await roles.ask('zk', 203, url(api));
    await untilAnswered([early, again]);
    await expectAnsweredOnce([early, again]);
  });

  it('is ready in every part, and says what it works on', async () => {
    for (const child of [chain, api, ...workers]) expect(await readiness(child), child.name).toBe(200);
    expect(await depth(chain, 'prove', 'dead')).toBe(0);
  });

  it('refuses a second chain side of the same stake, which a supervisor may try again', async () => {
    const second = await roles.start('chain', 'second').catch((error: unknown) => error);
    expect(second).toBeInstanceOf(AssayError);
    expect((second as AssayError).code).toBe('STAKE_IN_USE');
  });
});

describe('what is killed loses nothing', () => {
  it('workers in the middle of a proof', async () => {
    const asked = [await roles.ask('zk', 210, url(api)), await roles.ask('zk', 211, url(api)), await roles.ask('optimistic', 212)];
    await until('a proof under way', async () => (await depth(chain, 'prove', 'active')) > 0);
    await Promise.all(workers.map((worker) => worker.kill()));
    workers = [await roles.start('worker', 'worker-3')];
    await untilAnswered(asked);
    await expectAnsweredOnce(asked);
  });

  it('a Redis that is emptied while work waits in it', async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    const asked: Asked[] = [];
    for (const image of [220, 221, 222]) asked.push(await roles.ask('optimistic', image));
    asked.push(await roles.ask('zk', 223, url(api)));
    await until('work in the queue', async () => (await depth(chain, 'run', 'waiting')) + (await depth(chain, 'prove', 'waiting')) === 4);
    const redis = new Redis(roles.redis.url);
    await redis.flushall();
    redis.disconnect();
    workers = [await roles.start('worker', 'worker-4')];
    await untilAnswered(asked);
    await expectAnsweredOnce(asked);
  });

  it('the chain side, while answers are on their way to it', async () => {
    const asked = [await roles.ask('optimistic', 230), await roles.ask('zk', 231, url(api))];
    await until('a proof under way', async () => (await depth(api, 'prove', 'active')) > 0);
    await chain.kill();
    const missed = await roles.ask('optimistic', 232);
    chain = await roles.start('chain', 'chain-2');
    await untilAnswered([...asked, missed]);
    await expectAnsweredOnce([...asked, missed]);
  });

  it('the database, for a while', async () => {
    await roles.postgres.stop('SIGKILL');
    await until('not ready', async () => (await readiness(api)) === 503);
    await roles.postgres.restart();
    const asked = await roles.ask('optimistic', 240);
    await untilAnswered([asked]);
    await expectAnsweredOnce([asked]);
    expect(await readiness(api)).toBe(200);
  });
});

describe('SIGTERM', () => {
  it('lets a worker finish the proof that it makes', async () => {
    const [worker] = workers as [Child];
    const asked = await roles.ask('zk', 250, url(api));
    await until('a proof under way', async () => (await depth(chain, 'prove', 'active')) > 0);
    process.kill(worker.pid, 'SIGTERM');
    expect(await worker.ended).toBe(143);
    // Either it was finished in time, or the next worker makes it: lost it is not.
    workers = [await roles.start('worker', 'worker-5')];
    await untilAnswered([asked]);
    await expectAnsweredOnce([asked]);
    expect(readFileSync(roles.logOf('worker-4'), 'utf8')).toContain('stopping');
  });
});
