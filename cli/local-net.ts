import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { parseEther } from 'viem';
import { z } from 'zod';
import { challengerConfigSchema } from '../challenger/config.ts';
import type { DeployedAssay, DeploymentConstants } from '../contracts/client/deploy.ts';
import { createSender, type Sender } from '../contracts/client/sender.ts';
import { AssayError } from '../core/errors.ts';
import { nodeConfigSchema } from '../prover/configuration/config.ts';
import { startAnvil } from '../runtime/anvil.ts';
import { CHALLENGER_PREFIX, NODE_PREFIX, variablesOf } from '../runtime/configuration-environment.ts';
import { developmentAccount, developmentKey, ROLES } from './accounts.ts';
import { type Client, connect } from './chain.ts';
import { beforeExit } from './cleanup.ts';
import { deployTo } from './deploying.ts';
import { Stake } from './stake.ts';
import { type Child, startChild } from './supervise.ts';

/** A chain of one's own with the contracts on it. */
export interface LocalNet {
  readonly rpc: string;
  /** Process of the chain. */
  readonly chainPid: number;
  readonly client: Client;
  readonly deployment: DeployedAssay;
  /** Holds the deployment file, and a folder for each process. */
  readonly directory: string;
  /** Sends as a well-known account of the chain. */
  sender(index: number): Sender;
  /** Rejects when the chain has ended by itself. */
  readonly chainEnded: Promise<never>;
}

export interface LocalNetOptions {
  readonly directory: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly constants: Partial<DeploymentConstants>;
}

const ACCOUNTS = 20;
const WATCH_MILLISECONDS = 500;

/** Starts Anvil and deploys. Blocks come with transactions until `startBlocks`: nobody waits for a clock while things are set up. */
export async function startLocalNet(options: LocalNetOptions): Promise<LocalNet> {
  await mkdir(options.directory, { recursive: true });
  const anvil = await startAnvil({ port: options.port, accounts: ACCOUNTS });
  let stopping = false;
  beforeExit(async () => {
    stopping = true;
    await anvil.stop();
  });
  const client = await connect(anvil.url);
  const deployment = await deployTo(client, developmentAccount(ROLES.deployer.index), options.constants);
  await writeFile(deploymentFileIn(options.directory), `${JSON.stringify(deployment, null, 2)}\n`);
  const senders = new Map<number, Sender>();
  return {
    rpc: anvil.url,
    chainPid: anvil.pid,
    client,
    deployment,
    directory: options.directory,
    sender: (index) => {
      const sender = senders.get(index) ?? createSender({ client, account: developmentAccount(index) });
      senders.set(index, sender);
      return sender;
    },
    chainEnded: watchProcess(anvil.pid, () => stopping),
  };
}

/** From now on a block every second, with transactions or without. */
export async function startBlocks(client: Client): Promise<void> {
  await client.request({ method: 'evm_setIntervalMining' as never, params: [1] as never });
}

export function deploymentFileIn(directory: string): string {
  return path.join(directory, 'deployment.json');
}

function watchProcess(pid: number, stopping: () => boolean): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    const timer = setInterval(() => {
      if (stopping()) return clearInterval(timer);
      try {
        process.kill(pid, 0);
      } catch {
        clearInterval(timer);
        reject(
          new AssayError('The local chain has ended', {
            code: 'CHAIN_ENDED',
            facts: { process: pid },
            fix: 'start again; its state is gone',
          }),
        );
      }
    }, WATCH_MILLISECONDS);
    timer.unref();
  });
  // Nobody may be waiting yet.
  ended.catch(() => {});
  return ended;
}

/** Puts up a prover's stake and binds its node's key. */
export async function enlist(net: LocalNet, owner: number, node: number, ether: string): Promise<Stake> {
  const stake = new Stake(net.client, net.deployment, net.sender(owner));
  await stake.deposit(parseEther(ether));
  await stake.addKey(developmentAccount(node));
  return stake;
}

export interface NodeProcess {
  readonly name: string;
  /** Well-known account whose key signs. */
  readonly account: number;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Starts `assay node` with a configuration file and a state directory of its own. */
export async function startNodeProcess(net: LocalNet, { name, account, settings }: NodeProcess): Promise<Child & { readonly url: string }> {
  const config = await writeConfig(net, name, { pollMilliseconds: 250, port: 0, minimumFee: '0', ...settings });
  const child = await startChild({
    name,
    arguments: ['node', '--config', config],
    // Not what the user's shell says of other nodes: this one keeps to its own directory.
    environment: { ...unsetMembers(nodeConfigSchema, NODE_PREFIX), [ROLES.node.variable]: developmentKey(account) },
    log: path.join(net.directory, `${name}.log`),
  });
  return { ...child, url: String(child.facts.url) };
}

/** Every variable that could change a member of a configuration, empty: as if it were not set. */
function unsetMembers(schema: z.ZodType, prefix: string): Record<string, string> {
  const members = variablesOf(z.toJSONSchema(schema, { io: 'input' }), prefix);
  const names = [...members.map(({ variable }) => variable), 'REDIS_URL_FILE', 'DATABASE_URL_FILE', 'ASSAY_KEYSTORE_PASSWORD'];
  return Object.fromEntries(names.map((name) => [name, '']));
}

/** Starts `assay challenger` likewise. */
export async function startChallengerProcess(net: LocalNet, { name, account, settings }: NodeProcess): Promise<Child> {
  const config = await writeConfig(net, name, { pollMilliseconds: 250, ...settings });
  return startChild({
    name,
    arguments: ['challenger', '--config', config],
    environment: {
      ...unsetMembers(challengerConfigSchema, CHALLENGER_PREFIX),
      [ROLES.challenger.variable]: developmentKey(account),
    },
    log: path.join(net.directory, `${name}.log`),
  });
}

async function writeConfig(net: LocalNet, name: string, settings: Readonly<Record<string, unknown>>): Promise<string> {
  const file = path.join(net.directory, `${name}.json`);
  const common = { rpc: net.rpc, deployment: deploymentFileIn(net.directory), data: path.join(net.directory, name) };
  await writeFile(file, `${JSON.stringify({ ...common, ...settings }, null, 2)}\n`);
  return file;
}

/** A port that was free a moment ago: for an address that others must know before its server starts. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
