import { expect } from 'vitest';
import { ROLES } from '../../cli/accounts.ts';
import type { Child } from '../../cli/supervise.ts';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { unitOnChain } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { until } from '../node/network.ts';
import { freePort } from './port.ts';
import { Random } from './random.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { type Asked, type RoleNet, startRoleNet } from './role-net.ts';

export interface ChaosPlan {
  readonly seed: number;
  /** Asked on chain, one in eight at the zk tier. */
  readonly requests: number;
  /** Asked over HTTP, each under a key of its own, a few at the same time. */
  readonly receipts: number;
  /** Faults, one after the other. */
  readonly faults: number;
}

export interface ChaosReport {
  readonly faults: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly receipts: number;
  /** Questions over HTTP that had to be asked again. */
  readonly repeated: number;
  readonly demands: number;
}

interface HttpAnswer {
  readonly id: string;
  readonly output: string;
}

const HTTP_LANES = 4;
/** Milliseconds that a fault and its mending take, about: questions are spread over all of them. */
const FAULT_TIME = 12_000;
const DEMAND_OPEN = 1;
const DEMAND_ANSWERED = 2;

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * A node in parts under a stream of work, while its processes and what they stand on are killed, paused, emptied and started again, as a
 * seed says. Throws (by expect) unless in the end every request was answered once and rightly, every demand in time, and every receipt that
 * was given is there as it was given.
 */
export async function playChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const net = await startRoleNet({ seconds: 3_600 });
  const chaos = new Chaos(net, plan);
  try {
    await chaos.begin();
    await chaos.play();
    return await chaos.settle();
  } finally {
    await chaos.end();
    await net.stop();
  }
}

class Chaos {
  private readonly roles = new Map<string, Child>();
  private readonly asked: Asked[] = [];
  private readonly demanded: bigint[] = [];
  private readonly given = new Map<number, HttpAnswer>();
  private readonly counts: Record<string, number> = {};
  private readonly random: Random;
  private readonly net: RoleNet;
  private readonly plan: ChaosPlan;
  private redis: RedisServer;
  private started = 0;
  private repeated = 0;
  private port = 0;
  private isOver = false;

  constructor(net: RoleNet, plan: ChaosPlan) {
    this.net = net;
    this.plan = plan;
    this.redis = net.redis;
    this.random = new Random(plan.seed);
  }

  async begin(): Promise<void> {
    this.port = await freePort();
    await Promise.all(['chain', 'api', 'worker-a', 'worker-b'].map((name) => this.start(name)));
  }

  /** Everything at once, until the last fault is over and the last question asked. */
  async play(): Promise<void> {
    const faults = this.faults();
    const asking = [this.askOnChain(), this.demand(), ...Array.from({ length: HTTP_LANES }, (_, lane) => this.askOverHttp(lane))];
    try {
      await faults;
    } finally {
      this.isOver = true;
    }
    await Promise.all(asking);
  }

  async settle(): Promise<ChaosReport> {
    const { net, asked, demanded, given, plan } = this;
    for (const each of asked) {
      await until(`an answer to request ${each.id}`, async () => ['claimed', 'final'].includes((await net.seen(each)).status), 400);
    }
    for (const each of asked) expect((await net.seen(each)).answers, `request ${each.id}`).toEqual([each.expected]);
    for (const id of demanded) {
      await until(
        `the end of request ${id}`,
        async () => ['final', 'faulted'].includes((await net.seen({ id, expected: '0x' })).status),
        400,
      );
      expect((await net.seen({ id, expected: '0x' })).status, `request ${id}, of which the roots were demanded`).toBe('final');
      expect(await this.demandStatus(id), `demand on request ${id}`).toBe(DEMAND_ANSWERED);
    }
    expect(asked.length).toBe(plan.requests);
    expect(given.size).toBe(plan.receipts);
    for (const [number, answer] of given) {
      const { expected } = net.question('optimistic', number % 500);
      expect(answer.output, `question ${number}`).toBe(expected);
      const stored = (await this.fetchJson(`/v1/receipts/${answer.id}`)) as HttpAnswer;
      expect([stored.id, stored.output], `receipt of question ${number}`).toEqual([answer.id, answer.output]);
    }
    // Asked again under the same key: the same answer, from whichever process.
    for (const number of [...given.keys()].filter((each) => each % 10 === 0)) expect(await this.infer(number)).toEqual(given.get(number));
    const { counts: faults, repeated } = this;
    return { faults, answered: asked.length, receipts: given.size, repeated, demands: demanded.length };
  }

  async end(): Promise<void> {
    if (this.redis !== this.net.redis) await this.redis.stop('SIGKILL');
  }

  private async start(name: string): Promise<void> {
    const role = name.startsWith('worker') ? 'worker' : name === 'api' ? 'api' : 'chain';
    const settings = role === 'api' ? { port: this.port, requestsPerMinute: 1_000_000 } : {};
    this.roles.set(name, await this.net.start(role, `${name}-${++this.started}`, settings));
  }

  private async again(name: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.start(name);
      } catch (error) {
        // What it stands on may be away itself; a supervisor starts it again.
        if (attempt === 10) throw error;
        await pause(1_000);
      }
    }
  }

  /** One fault after the other; each is over when what it hit is there again. */
  private async faults(): Promise<void> {
    const kinds: Readonly<Record<string, () => Promise<void>>> = {
      'worker killed': () => this.killed(this.random.integer(0, 1) === 0 ? 'worker-a' : 'worker-b'),
      'api killed': () => this.killed('api'),
      'chain side killed': () => this.killed('chain'),
      'worker paused': () => this.paused(this.roles.get('worker-a')!.pid, 9_000),
      'Redis killed, back empty': () => this.redisKilled(),
      'Redis paused': () => this.paused(this.redis.pid, 4_000),
      'PostgreSQL killed': () => this.net.postgres.restart(),
      'chain paused': () => this.paused(this.net.net.chainPid, 4_000),
    };
    const names = Object.keys(kinds);
    const order: string[] = [];
    // Each at least once before any a second time.
    while (order.length < this.plan.faults) order.push(...this.shuffled(names));
    for (const name of order.slice(0, this.plan.faults)) {
      await pause(this.random.integer(500, 4_000));
      await kinds[name]!();
      this.counts[name] = (this.counts[name] ?? 0) + 1;
    }
  }

  private shuffled(names: readonly string[]): string[] {
    const left = [...names];
    return names.map(() => left.splice(this.random.integer(0, left.length - 1), 1)[0]!);
  }

  private async killed(name: string): Promise<void> {
    await this.roles.get(name)!.kill();
    await this.again(name);
  }

  private async paused(pid: number, milliseconds: number): Promise<void> {
    process.kill(pid, 'SIGSTOP');
    await pause(milliseconds);
    process.kill(pid, 'SIGCONT');
  }

  private async redisKilled(): Promise<void> {
    await this.redis.stop('SIGKILL');
    await pause(1_000);
    this.redis = await startRedis({ port: this.redis.port });
  }

  private async askOnChain(): Promise<void> {
    for (let i = 0; i < this.plan.requests; i++) {
      const tier = i % 8 === 7 ? 'zk' : 'optimistic';
      await this.pace(this.plan.requests);
      // Without an upload here: that may fail, and is made again below.
      const each = await this.net.ask(tier, 300 + (i % 400));
      this.asked.push(each);
      if (tier === 'zk') await this.upload(300 + (i % 400));
    }
  }

  /** Between two of `count` questions. */
  private async pace(count: number): Promise<void> {
    if (!this.isOver) await pause((this.plan.faults * FAULT_TIME) / count);
  }

  private async upload(image: number): Promise<void> {
    const { modelId, bytes } = this.net.question('zk', image);
    await this.insist(async () => {
      const response = await fetch(this.url(`/v1/models/${modelId}/inputs`), {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok) throw new Error(`upload: ${response.status}`);
    });
  }

  private async askOverHttp(lane: number): Promise<void> {
    for (let number = lane; number < this.plan.receipts; number += HTTP_LANES) {
      this.given.set(number, await this.infer(number));
      await this.pace(this.plan.receipts / HTTP_LANES);
    }
  }

  private async infer(number: number): Promise<HttpAnswer> {
    const { modelId, bytes } = this.net.question('optimistic', number % 500);
    return this.insist(async () => {
      const response = await fetch(this.url(`/v1/infer?modelId=${modelId}`), {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', 'idempotency-key': `question-${number}` },
        body: bytes,
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok) throw new Error(`infer: ${response.status} ${await response.text()}`);
      const { id, output } = (await response.json()) as HttpAnswer;
      return { id, output };
    });
  }

  private async fetchJson(path: string): Promise<unknown> {
    return this.insist(async () => {
      const response = await fetch(this.url(path), { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return response.json();
    });
  }

  private url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** As a customer does: the same again until there is an answer. */
  private async insist<Result>(attempt: () => Promise<Result>): Promise<Result> {
    for (const end = performance.now() + 300_000; ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (performance.now() > end) throw error;
        this.repeated++;
        await pause(500);
      }
    }
  }

  /** Somebody demands the root list of every third claim while the world shakes. */
  private async demand(): Promise<void> {
    const seen = new Set<bigint>();
    while (!this.isOver) {
      await pause(1_000);
      for (const each of this.asked.filter(({ id }) => id % 3n === 0n && !seen.has(id))) {
        if ((await this.net.seen(each)).status !== 'claimed') continue;
        seen.add(each.id);
        if (await this.demandRoots(each.id)) this.demanded.push(each.id);
      }
    }
  }

  private async demandRoots(id: bigint): Promise<boolean> {
    const { client, deployment, sender } = this.net.net;
    const { modelId } = this.net.question('optimistic', 0);
    const price = await readPrice(client, deployment.board, modelId, [TENSOR_ROOTS]);
    const claim = { source: deployment.requests, claimId: hexOf(id) };
    try {
      await sender(ROLES.challenger.index).send(demandCall(deployment.board, claim, [TENSOR_ROOTS], 2n * price));
      return true;
    } catch {
      // Its window closed meanwhile: what is final is not demanded.
      return false;
    }
  }

  private async demandStatus(id: bigint): Promise<number> {
    const { client, deployment } = this.net.net;
    const { status } = await client.readContract({
      address: deployment.board,
      abi: claimBoardAbi,
      functionName: 'demandOf',
      args: [deployment.requests, hexOf(id), unitOnChain(TENSOR_ROOTS)],
    });
    expect(status, `demand on request ${id}`).not.toBe(DEMAND_OPEN);
    return status;
  }
}

function hexOf(id: bigint): `0x${string}` {
  return `0x${id.toString(16).padStart(64, '0')}`;
}
