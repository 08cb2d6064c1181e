import path from 'node:path';
import { type Address, createWalletClient, http, parseEther } from 'viem';
import { setupDevelopment } from '../../circuits/setup.ts';
import { digitReaderAbi, digitReaderBytecode } from '../../contracts/client/generated/digitReader.ts';
import { receiptOf } from '../../contracts/client/receipt.ts';
import { AssayError } from '../../core/errors.ts';
import { ELEMENT_TYPES } from '../../core/tensor.ts';
import { outputForms } from '../../core/tensor-list.ts';
import { developmentAccount } from '../accounts.ts';
import { enlist, freePort, type LocalNet, startBlocks, startChallengerProcess, startLocalNet, startNodeProcess } from '../local-net.ts';
import { type Registered, registerModel } from '../registration.ts';
import type { Stake } from '../stake.ts';
import type { Child } from '../supervise.ts';
import type { Announce } from './announce.ts';
import { DEMO_MODELS, type LabelledImages, loadImages } from './images.ts';
import { type PreparedModel, prepareModel } from './models.ts';

/** Well-known accounts and who plays them. */
export const CAST = {
  deployer: 0,
  creator: 1,
  honest: { owner: 2, node: 3 },
  challenger: 4,
  requester: 5,
  dishonest: { owner: 6, node: 7 },
  zk: { owner: 8, node: 9 },
  harasser: 10,
  consumer: 11,
} as const;

/** Name of the node that proves, and of its log. */
export const ZK_NODE = 'zk-node';

/** Short clocks: a dispute plays in a minute, and a slow machine still answers in time. */
const CLOCKS = { window: 10, response: 10, reaction: 2 } as const;
const FEES = { minimumFee: 2_000_000_000n, maximumFee: 4_000_000_000n } as const;
const ROYALTY = 250;

/** Requests up to this much coverage are the honest prover's; the dishonest one goes for the larger fee. */
export const BANDS = {
  honestFee: parseEther('0.01'),
  dishonestFee: parseEther('0.05'),
} as const;

type RegisteredModel = PreparedModel & { readonly registered: Registered };
type NodeChild = Child & { readonly url: string };

/** Everything set up: one chain, registered models, provers, a challenger. Many seeds can be played on it. */
export interface Stage {
  readonly net: LocalNet;
  readonly images: LabelledImages;
  readonly optimistic: RegisteredModel;
  /** Contract that asks at the optimistic tier. */
  readonly consumer: Address;
  readonly honest: Stake;
  readonly dishonest: Stake;
  readonly challenger: Address;
  /** The zk tier: its model is set up while the rest already plays. */
  readonly zk: Promise<{ readonly model: RegisteredModel; readonly node: NodeChild; readonly consumer: Address }>;
  /** Processes on their way up; requests may be made before, for nodes catch up. Rejects when one cannot start. */
  readonly started: Promise<unknown>;
}

export interface StageOptions {
  readonly directory: string;
  /** Keeps development keys between runs; none unless told. */
  readonly keyCache?: string;
  readonly announce: Announce;
}

/** Sets everything up, as much as possible at the same time: processes start while models compile, keys are made while requests run. */
export async function setStage({ directory, keyCache, announce }: StageOptions): Promise<Stage> {
  const images = await loadImages();
  const net = await startLocalNet({ directory, port: 0, constants: { ...CLOCKS, ...FEES } });
  announce('deployed', { rpc: net.rpc, ...net.deployment });
  const honestPort = await freePort();
  const challenger = startChallengerProcess(net, {
    name: 'challenger',
    account: CAST.challenger,
    settings: { rate: 1, provers: [`http://127.0.0.1:${honestPort}`] },
  });
  const enlisted = enlistAll(net);
  const proved = await prepareModel(DEMO_MODELS.proved, images, path.join(directory, DEMO_MODELS.proved.name));
  announceModel(announce, proved, 'zk');
  const prepared = await prepareModel(DEMO_MODELS.optimistic, images, path.join(directory, DEMO_MODELS.optimistic.name));
  announceModel(announce, prepared, 'optimistic');
  const optimistic = await register(net, prepared, announce);
  const [honest, dishonest] = await enlisted;
  const node = startNodeProcess(net, {
    name: 'honest-node',
    account: CAST.honest.node,
    settings: { port: honestPort, models: [servedOf(optimistic)], mostFee: String(BANDS.dishonestFee - 1n) },
  });
  const consumer = await deployConsumer(net, optimistic);
  const zk = stageProofs(net, proved, keyCache, announce);
  await startBlocks(net.client);
  const started = Promise.all([node, challenger]).then(([{ url }, { facts }]) =>
    announce('started', { node: url, challenger: String(facts.address) }),
  );
  // Awaited by the play; a failure until then must not end the process unseen.
  for (const promise of [zk, started]) promise.catch(() => {});
  return { net, images, optimistic, consumer, honest, dishonest, challenger: developmentAccount(CAST.challenger).address, zk, started };
}

function servedOf(model: RegisteredModel) {
  return { modelId: model.registered.modelId, directory: model.directory };
}

async function enlistAll(net: LocalNet): Promise<[Stake, Stake, Stake]> {
  return Promise.all([
    enlist(net, CAST.honest.owner, CAST.honest.node, '200'),
    enlist(net, CAST.dishonest.owner, CAST.dishonest.node, '200'),
    enlist(net, CAST.zk.owner, CAST.zk.node, '1'),
  ]);
}

async function stageProofs(
  net: LocalNet,
  proved: PreparedModel,
  keyCache: string | undefined,
  announce: Announce,
): Promise<Awaited<Stage['zk']>> {
  await setUp(proved, keyCache, announce);
  const model = await register(net, proved, announce);
  const [node, consumer] = await Promise.all([
    startNodeProcess(net, { name: ZK_NODE, account: CAST.zk.node, settings: { models: [servedOf(model)] } }),
    deployConsumer(net, model),
  ]);
  return { model, node, consumer };
}

function announceModel(announce: Announce, prepared: PreparedModel, tier: string): void {
  const { model, images, floatAccuracy, integerAccuracy, agreement, milliseconds } = prepared;
  announce('compiled', { model: model.name, tier, milliseconds, images, floatAccuracy, integerAccuracy, agreement });
}

async function setUp(prepared: PreparedModel, cacheDirectory: string | undefined, announce: Announce): Promise<void> {
  const started = performance.now();
  const setup = await setupDevelopment(prepared.directory, cacheDirectory === undefined ? {} : { cacheDirectory });
  announce('set-up', {
    model: prepared.model.name,
    constraints: setup.constraints,
    domain: setup.domain,
    development: setup.development,
    milliseconds: Math.round(performance.now() - started),
  });
}

async function register(net: LocalNet, prepared: PreparedModel, announce: Announce): Promise<RegisteredModel> {
  const { client, deployment } = net;
  const sender = net.sender(CAST.creator);
  const registered = await registerModel({ directory: prepared.directory, client, deployment, sender, royalty: ROYALTY, uri: '' });
  announce('registered', { model: prepared.model.name, ...registered });
  return { ...prepared, registered };
}

/** Starts the same binary with a fault injector. */
export function startDishonestNode(stage: Stage, seed: number): Promise<NodeChild> {
  const { optimistic, net } = stage;
  return startNodeProcess(net, {
    name: `dishonest-node-${seed}`,
    account: CAST.dishonest.node,
    settings: {
      models: [servedOf(optimistic)],
      minimumFee: String(BANDS.dishonestFee),
      fault: { seed, kind: 'tensor' },
    },
  });
}

/** Deploys the consumer contract that asks about images, for one registered model. Development keys are fine on this chain alone. */
export async function deployConsumer(net: LocalNet, model: RegisteredModel): Promise<Address> {
  const { client, deployment } = net;
  const wallet = createWalletClient({ account: developmentAccount(CAST.consumer), chain: client.chain, transport: http(net.rpc) });
  const { requests, registry, vault } = deployment;
  const types = [ELEMENT_TYPES[outputForms(model.program)[0]!.type]];
  const hash = await wallet.deployContract({
    abi: digitReaderAbi,
    bytecode: digitReaderBytecode,
    args: [requests, registry, vault, [model.registered.modelId], types, true],
  });
  const { contractAddress, status } = await receiptOf(client, hash, { interval: 200 });
  if (status === 'success' && contractAddress) return contractAddress;
  throw new AssayError('The consumer contract could not be deployed', { code: 'DEPLOYMENT_FAILED', facts: { transaction: hash } });
}
