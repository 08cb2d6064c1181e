import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Child } from '../../cli/supervise.ts';
import { freePort } from './port.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { type RoleNet, startRoleNet } from './role-net.ts';
import { type RpcProxy, startRpcProxy } from './rpc-proxy.ts';
import { ShakyChain } from './shaky-chain.ts';

const NAMES = ['chain', 'api', 'worker-a', 'worker-b'] as const;
export type RoleName = (typeof NAMES)[number];

const CLOCK = pathToFileURL(path.join(path.dirname(fileURLToPath(import.meta.url)), 'skewed-clock.mjs')).href;
/** Tries until a role that cannot start is given up; what it stands on may be away itself. */
const STARTS = 30;

/** A node in parts, each of which can be killed and is started again, between two endpoints that can be meddled with. */
export class ChaosNode {
  readonly net: RoleNet;
  readonly chain: ShakyChain;
  readonly proxies: readonly RpcProxy[];
  readonly port: number;
  redis: RedisServer;
  /** Roles that ended although nobody killed them. */
  readonly ended: string[] = [];
  private readonly roles = new Map<RoleName, Child>();
  private readonly clocks = mkdtempSync(path.join(tmpdir(), 'assay-clocks-'));
  private started = 0;
  private isOver = false;

  private constructor(net: RoleNet, proxies: readonly RpcProxy[], port: number) {
    this.net = net;
    this.redis = net.redis;
    this.proxies = proxies;
    this.port = port;
    this.chain = new ShakyChain(net.net);
  }

  static async start(): Promise<ChaosNode> {
    const net = await startRoleNet({ seconds: 3_600, stake: '5000' });
    const proxies = await Promise.all([startRpcProxy(net.net.rpc), startRpcProxy(net.net.rpc)]);
    const node = new ChaosNode(net, proxies, await freePort());
    await Promise.all(NAMES.map((name) => node.start(name)));
    return node;
  }

  pidOf(name: RoleName): number {
    return this.roles.get(name)!.pid;
  }

  /** File that says by how many milliseconds the clock of a role is wrong. */
  clockOf(name: RoleName): string {
    return path.join(this.clocks, name);
  }

  url(route: string): string {
    return `http://127.0.0.1:${this.port}${route}`;
  }

  /** What the chain role counts. */
  metricsUrl(): string {
    return `${String(this.roles.get('chain')!.facts.url)}/metrics`;
  }

  async killed(name: RoleName): Promise<void> {
    const role = this.roles.get(name)!;
    this.roles.delete(name);
    await role.kill();
    await this.again(name);
  }

  async redisKilled(): Promise<void> {
    await this.redis.stop('SIGKILL');
    await pause(1_000);
    this.redis = await startRedis({ port: this.redis.port });
  }

  async stop(): Promise<void> {
    this.isOver = true;
    // What drains politely is tested elsewhere.
    await Promise.all([...this.roles.values()].map((role) => role.kill()));
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    if (this.redis !== this.net.redis) await this.redis.stop('SIGKILL');
    await this.chain.stop();
    await this.net.stop();
    rmSync(this.clocks, { recursive: true, force: true });
  }

  private async start(name: RoleName): Promise<void> {
    const role = name.startsWith('worker') ? 'worker' : name === 'api' ? 'api' : 'chain';
    const settings = {
      ...(role === 'api' ? { port: this.port, requestsPerMinute: 1_000_000 } : {}),
      ...(role === 'worker' ? {} : { rpc: this.proxies.map(({ url }) => url) }),
    };
    const options = `${process.env.NODE_OPTIONS ?? ''} --import ${CLOCK}`.trim();
    const environment = { NODE_OPTIONS: options, ASSAY_TEST_CLOCK: this.clockOf(name) };
    const child = await this.net.start(role, `${name}-${++this.started}`, settings, environment);
    this.roles.set(name, child);
    void child.ended.then(async (code) => {
      if (this.isOver || this.roles.get(name) !== child) return;
      this.ended.push(`${child.name}: ${code}`);
      await this.again(name);
    });
  }

  /** As a supervisor does. */
  private async again(name: RoleName): Promise<void> {
    for (let attempt = 1; !this.isOver; attempt++) {
      try {
        return await this.start(name);
      } catch (error) {
        if (attempt === STARTS) throw error;
        await pause(1_000);
      }
    }
  }
}
