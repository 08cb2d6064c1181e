import path from 'node:path';
import { type Address, createWalletClient, type Hex, http, parseEther } from 'viem';
import { setupDevelopment } from '../../circuits/setup.ts';
import { digitReaderAbi, digitReaderBytecode } from '../../contracts/client/generated/digitReader.ts';
import { AssayError } from '../../core/errors.ts';
import { ELEMENT_TYPES } from '../../core/tensor.ts';
import { outputForms } from '../../core/tensor-list.ts';
import { developmentAccount } from '../accounts.ts';
import { enlist, type LocalNet, startBlocks, startChallengerProcess, startLocalNet, startNodeProcess } from '../local-net.ts';
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

/** Short clocks: a dispute plays in a minute, and a slow machine still answers in time. */
const CLOCKS = { window: 6, response: 10, reaction: 2 } as const;
const FEES = { minimumFee: 2_000_000_000n, maximumFee: 4_000_000_000n } as const;
const ROYALTY = 250;

/** Requests up to this much coverage are the honest prover's; the dishonest one goes for the larger fee. */
export const BANDS = {
  honestFee: parseEther('0.01'),
  dishonestFee: parseEther('0.05'),
} as const;

/** Everything set up: one chain, registered models, provers, a challenger. Many seeds can be played on it. */
export interface Stage {
  readonly net: LocalNet;
  readonly images: LabelledImages;
  readonly optimistic: PreparedModel & { readonly registered: Registered };
  readonly honest: { readonly stake: Stake; readonly node: Child & { readonly url: string } };
  readonly dishonest: { readonly stake: Stake };
  /** Its model is set up while the rest already plays. */
  readonly zk: Promise<{
    readonly model: PreparedModel & { readonly registered: Registered };
    readonly stake: Stake;
    readonly node: Child & { readonly url: string };
    readonly consumer: Address;
  }>;
  /** Contract that asks at the optimistic tier. */
  readonly consumer: Address;
  readonly challenger: Address;
}

export interface StageOptions {
  readonly directory: string;
  /** Keeps development keys between runs; none unless told. */
  readonly keyCache?: string;
  readonly announce: Announce;
}

export async function setStage({ directory, keyCache, announce }: StageOptions): Promise<Stage> {
  const images = await loadImages();
  const net = await startLocalNet({ directory, port: 0, constants: { ...CLOCKS, ...FEES } });
  announce('deployed', { rpc: net.rpc, ...net.deployment });
  const proved = await prepareModel(DEMO_MODELS.proved, images, path.join(directory, DEMO_MODELS.proved.name));
  announceModel(announce, proved, 'zk');
  const settingUp = setUp(proved, keyCache, announce);
  // Told where it is awaited; a failure before that must not end the process unseen.
  settingUp.catch(() => {});
  const optimistic = await prepareModel(DEMO_MODELS.optimistic, images, path.join(directory, DEMO_MODELS.optimistic.name));
  announceModel(announce, optimistic, 'optimistic');
  const registered = await register(net, optimistic.directory);
  announce('registered', { model: optimistic.model.name, ...registered });
  const stakes = await Promise.all([
    enlist(net, CAST.honest.owner, CAST.honest.node, '200'),
    enlist(net, CAST.dishonest.owner, CAST.dishonest.node, '200'),
    enlist(net, CAST.zk.owner, CAST.zk.node, '1'),
  ]);
  const consumer = await deployConsumer(net, { ...optimistic, registered });
  await startBlocks(net.client);
  const [honestStake, dishonestStake, zkStake] = stakes;
  const served = [{ modelId: registered.modelId, directory: optimistic.directory }];
  const honestNode = await startNodeProcess(net, {
    name: 'honest-node',
    account: CAST.honest.node,
    settings: { models: served, mostFee: String(BANDS.dishonestFee - 1n) },
  });
  const challenger = await startChallengerProcess(net, {
    name: 'challenger',
    account: CAST.challenger,
    settings: { rate: 1, provers: [honestNode.url] },
  });
  announce('started', { node: honestNode.url, challenger: String(challenger.facts.address) });
  const zk = settingUp.then(async () => {
    const zkRegistered = await register(net, proved.directory);
    announce('registered', { model: proved.model.name, ...zkRegistered });
    const node = await startNodeProcess(net, {
      name: 'zk-node',
      account: CAST.zk.node,
      settings: { models: [{ modelId: zkRegistered.modelId, directory: proved.directory }] },
    });
    const model = { ...proved, registered: zkRegistered };
    return { model, stake: zkStake, node, consumer: await deployConsumer(net, model) };
  });
  zk.catch(() => {});
  return {
    net,
    images,
    optimistic: { ...optimistic, registered },
    honest: { stake: honestStake, node: honestNode },
    dishonest: { stake: dishonestStake },
    zk,
    consumer,
    challenger: challenger.facts.address as Address,
  };
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

function register(net: LocalNet, directory: string): Promise<Registered> {
  const { client, deployment } = net;
  return registerModel({ directory, client, deployment, sender: net.sender(CAST.creator), royalty: ROYALTY, uri: '' });
}

/** Starts the same binary with a fault injector. */
export function startDishonestNode(stage: Stage, seed: number): Promise<Child & { readonly url: string }> {
  const { optimistic, net } = stage;
  return startNodeProcess(net, {
    name: `dishonest-node-${seed}`,
    account: CAST.dishonest.node,
    settings: {
      models: [{ modelId: optimistic.registered.modelId as Hex, directory: optimistic.directory }],
      minimumFee: String(BANDS.dishonestFee),
      fault: { seed, kind: 'tensor' },
    },
  });
}

/** Deploys the consumer contract that asks about images, for one registered model. Development keys are fine on this chain alone. */
export async function deployConsumer(net: LocalNet, model: PreparedModel & { readonly registered: Registered }): Promise<Address> {
  const { client, deployment } = net;
  const wallet = createWalletClient({ account: developmentAccount(CAST.consumer), chain: client.chain, transport: http(net.rpc) });
  const { requests, registry, vault } = deployment;
  const types = [ELEMENT_TYPES[outputForms(model.program)[0]!.type]];
  const hash = await wallet.deployContract({
    abi: digitReaderAbi,
    bytecode: digitReaderBytecode,
    args: [requests, registry, vault, [model.registered.modelId], types, true],
  });
  const { contractAddress, status } = await client.waitForTransactionReceipt({ hash, pollingInterval: 200 });
  if (status === 'success' && contractAddress) return contractAddress;
  throw new AssayError('The consumer contract could not be deployed', { code: 'DEPLOYMENT_FAILED', facts: { transaction: hash } });
}
