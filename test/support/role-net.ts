import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bytesToHex, type Hex, parseEther } from 'viem';
import { setupDevelopment } from '../../circuits/setup.ts';
import { developmentKey, ROLES } from '../../cli/accounts.ts';
import { cleanUp } from '../../cli/cleanup.ts';
import { DEMO_MODELS, imageCase, loadImages } from '../../cli/demo/images.ts';
import { prepareModel } from '../../cli/demo/models.ts';
import { deploymentFileIn, enlist, type LocalNet, startBlocks, startLocalNet } from '../../cli/local-net.ts';
import { type Registered, registerModel } from '../../cli/registration.ts';
import { ask, nameInput, outputOf, statusOf, type Tier, uploadInput } from '../../cli/requesting.ts';
import { type Child, startChild } from '../../cli/supervise.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { prepareInput } from '../../core/values.ts';
import type { NodeRole } from '../../prover/configuration/config.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** A node in parts on this machine: a chain with two registered models, a Redis, a PostgreSQL, and whatever roles a test starts. */
export interface RoleNet {
  readonly net: LocalNet;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
  /** `assay node --role …` as a process of its own; workers get neither key nor chain. */
  start(
    role: NodeRole,
    name: string,
    settings?: Readonly<Record<string, unknown>>,
    environment?: Readonly<Record<string, string>>,
  ): Promise<Child>;
  /** What a role's process logged, by the name it was started with. */
  logOf(name: string): string;
  /** Asks on chain; an input that is not in calldata goes to the node at `api`. @returns the request, and the right answer to it */
  ask(tier: Tier, image: number, api?: string): Promise<Asked>;
  /** One image as a question over HTTP, and the right answer to it. */
  question(tier: Tier, image: number): { readonly modelId: Hex; readonly bytes: Uint8Array; readonly expected: Hex };
  /** Status by name, and the answers that the chain has seen. */
  seen(asked: Pick<Asked, 'id'>): Promise<{ readonly status: string; readonly answers: readonly Hex[] }>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly id: bigint;
  /** What the chain calls the input. */
  readonly input: Hex;
  readonly expected: Hex;
}

interface Question {
  readonly tensors: readonly TypedArray[];
  readonly registered: Registered;
  readonly expected: Hex;
}

const REQUESTER = ROLES.requester.index;

export async function startRoleNet(options: { readonly seconds?: number; readonly stake?: string } = {}): Promise<RoleNet> {
  const directory = mkdtempSync(path.join(tmpdir(), 'assay-roles-'));
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  const net = await startLocalNet({ directory, port: 0, constants: { window: 20, response: 60, reaction: 5 } });
  const images = await loadImages();
  const models: Partial<Record<Tier, { readonly program: Program; readonly directory: string; readonly registered: Registered }>> = {};
  for (const [tier, model] of [
    ['optimistic', DEMO_MODELS.optimistic],
    ['zk', DEMO_MODELS.proved],
  ] as const) {
    const prepared = await prepareModel(model, images, path.join(directory, model.name));
    if (tier === 'zk') await setupDevelopment(prepared.directory);
    const sender = net.sender(ROLES.creator.index);
    const { client, deployment } = net;
    const registered = await registerModel({ directory: prepared.directory, client, deployment, sender, royalty: 0, uri: '' });
    models[tier] = { program: prepared.program, directory: prepared.directory, registered };
  }
  await enlist(net, ROLES.owner.index, ROLES.node.index, options.stake ?? '100');
  await startBlocks(net.client);
  const served = Object.values(models).map(({ registered, directory: folder }) => ({ modelId: registered.modelId, directory: folder }));
  const shared = { redis: redis.url, database: postgres.url, models: served, port: 0, drainSeconds: 5 };
  const chain = { rpc: net.rpc, deployment: deploymentFileIn(directory), pollMilliseconds: 250 };
  const logFile = (name: string): string => path.join(directory, `${name}.log`);
  const known = new Map<string, Question>();
  const tensorsOf = (tier: Tier, image: number): Question => {
    const held = known.get(`${tier}/${image}`);
    if (held !== undefined) return held;
    const model = tier === 'zk' ? DEMO_MODELS.proved : DEMO_MODELS.optimistic;
    const { program, registered } = models[tier]!;
    const tensors = prepareInput(program, imageCase(model, images, image).inputs);
    const made = { tensors, registered, expected: bytesToHex(joinTensors(outputsOf(program, execute(program, tensors)))) };
    known.set(`${tier}/${image}`, made);
    return made;
  };
  return {
    net,
    redis,
    postgres,
    start: (role, name, settings = {}, given = {}) => {
      const config = path.join(directory, `${name}.json`);
      writeFileSync(config, JSON.stringify({ role, ...shared, ...(role === 'worker' ? {} : chain), ...settings }));
      mkdirSync(path.dirname(logFile(name)), { recursive: true });
      const environment = { ...given, ...(role === 'worker' ? {} : { [ROLES.node.variable]: developmentKey(ROLES.node.index) }) };
      return startChild({ name, arguments: ['node', '--config', config], environment, log: logFile(name), startTimeout: 120_000 });
    },
    logOf: logFile,
    ask: async (tier, image, api) => {
      const { tensors, registered, expected } = tensorsOf(tier, image);
      const { client, deployment } = net;
      const input = await nameInput(client, deployment, registered.modelId, tier, tensors);
      if (!input.inCalldata && api !== undefined) await uploadInput(api, registered.modelId, input.bytes);
      const { id } = await ask(client, deployment, net.sender(REQUESTER), {
        ...{ modelId: registered.modelId, tier, input, fee: parseEther('0.1'), coverage: registered.minimumCoverage },
        seconds: options.seconds ?? 900,
        inputUri: '',
      });
      return { id, input: input.name, expected };
    },
    question: (tier, image) => {
      const { tensors, registered, expected } = tensorsOf(tier, image);
      return { modelId: registered.modelId, bytes: joinTensors(tensors), expected };
    },
    seen: async ({ id }) => {
      const { client, deployment } = net;
      const common = { address: deployment.requests, abi: requestsAbi, args: { requestId: id }, fromBlock: 0n } as const;
      const { status } = await statusOf(client, deployment, id);
      if (status === 'open' || status === 'refunded') return { status, answers: [] };
      const output = await outputOf(client, deployment, id);
      const [claimed, fulfilled] = await Promise.all([
        client.getContractEvents({ ...common, eventName: 'Claimed' }),
        client.getContractEvents({ ...common, eventName: 'Fulfilled' }),
      ]);
      const answers = [...claimed, ...fulfilled].map((event) => event.args.output ?? (output === undefined ? '0x' : bytesToHex(output)));
      return { status, answers };
    },
    stop: async () => {
      await cleanUp();
      await Promise.all([redis.stop('SIGKILL'), postgres.remove()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
