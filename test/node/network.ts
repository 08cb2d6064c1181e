import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bytesToHex, createPublicClient, createWalletClient, defineChain, type Hex, http, parseEther } from 'viem';
import { type RunningChallenger, startChallenger } from '../../challenger/challenger.ts';
import { challengerConfigSchema } from '../../challenger/config.ts';
import { developmentAccount } from '../../cli/accounts.ts';
import { type Client, connect } from '../../cli/chain.ts';
import { DEMO_MODELS, imageCase, imageCases, loadImages } from '../../cli/demo/images.ts';
import { type Registered, registerModel } from '../../cli/registration.ts';
import { requestIdIn } from '../../cli/requesting.ts';
import { Stake } from '../../cli/stake.ts';
import { type DeployedAssay, deployAssay } from '../../contracts/client/deploy.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { createSender, type Sender } from '../../contracts/client/sender.ts';
import type { Program } from '../../core/program/types.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { prepareInput } from '../../core/values.ts';
import { nodeConfigSchema } from '../../prover/configuration/config.ts';
import { type RunningNode, startNode } from '../../prover/node.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';
import { createLog } from '../../runtime/log.ts';
import { writeModelDirectory } from '../../runtime/model-directory.ts';

/** A chain with the contracts, a registered model, and whatever nodes and challengers a test starts; all in this process. */
export interface TestNetwork {
  readonly client: Client;
  readonly deployment: DeployedAssay;
  readonly program: Program;
  readonly directory: string;
  readonly modelDirectory: string;
  readonly modelId: Hex;
  readonly coverage: bigint;
  sender(account: number): Sender;
  /** Registers the same program again under another royalty: another modelId, so that prover and request find each other. */
  register(royalty: number): Promise<Registered>;
  stake(owner: number, key: number, ether?: string): Promise<Stake>;
  /** @param through another client of the same chain */
  node(key: number, settings: Readonly<Record<string, unknown>>, through?: Client): Promise<RunningNode>;
  challenger(key: number, settings?: Readonly<Record<string, unknown>>): Promise<RunningChallenger>;
  /** Canonical bytes of one image. */
  input(image: number): Uint8Array;
  /** Asks at the optimistic tier with the input in calldata. */
  ask(account: number, modelId: Hex, image: number, change?: Readonly<Record<string, unknown>>): Promise<bigint>;
  stop(): Promise<void>;
}

const CLOCKS = { window: 6, response: 10, reaction: 2, exclusivePeriod: 5, minimumFee: 2_000_000_000n, maximumFee: 4_000_000_000n };

export async function startNetwork(
  options: { readonly chainId?: number; readonly clocks?: Partial<typeof CLOCKS> } = {},
): Promise<TestNetwork> {
  const directory = mkdtempSync(path.join(tmpdir(), 'assay-network-'));
  const anvil: Anvil = await startAnvil({ accounts: 20, ...(options.chainId === undefined ? {} : { chainId: options.chainId }) });
  const client = await connect(anvil.url);
  const wallet = createWalletClient({ account: developmentAccount(0), chain: client.chain, transport: http(anvil.url) });
  const deployment = await deployAssay(wallet, client, { ...CLOCKS, ...options.clocks });
  const images = await loadImages();
  const model = DEMO_MODELS.optimistic;
  const { program, report } = compileModel({
    onnx: new Uint8Array(readFileSync(model.file)),
    calibration: imageCases(model, images, 0, 20),
  });
  const modelDirectory = path.join(directory, 'model');
  await writeModelDirectory(modelDirectory, program, report);
  const senders = new Map<number, Sender>();
  const sender = (account: number): Sender => {
    const made = senders.get(account) ?? createSender({ client, account: developmentAccount(account) });
    senders.set(account, made);
    return made;
  };
  const register = (royalty: number): Promise<Registered> =>
    registerModel({ directory: modelDirectory, client, deployment, sender: sender(1), royalty, uri: '' });
  const { modelId, minimumCoverage: coverage } = await register(0);
  await client.request({ method: 'evm_setIntervalMining' as never, params: [1] as never });
  const stops: (() => Promise<void>)[] = [];
  let started = 0;
  const common = (): Record<string, unknown> => ({
    rpc: anvil.url,
    pollMilliseconds: 200,
    data: path.join(directory, `process-${started++}`),
  });
  const log = createLog({ name: 'test', level: process.env.ASSAY_TEST_LOG ?? 'silent' });
  const input = (image: number): Uint8Array => joinTensors(prepareInput(program, imageCase(model, images, image).inputs));
  return {
    client,
    deployment,
    program,
    directory,
    modelDirectory,
    modelId,
    coverage,
    sender,
    register,
    input,
    stake: async (owner, key, ether = '50') => {
      const stake = new Stake(client, deployment, sender(owner));
      await stake.deposit(parseEther(ether));
      await stake.addKey(developmentAccount(key));
      return stake;
    },
    node: async (key, settings, through = client) => {
      const node = await startNode({
        config: nodeConfigSchema.parse({ ...common(), port: 0, models: [{ modelId, directory: modelDirectory }], ...settings }),
        access: { client: through, addresses: deployment, fromBlock: BigInt(deployment.block), account: developmentAccount(key) },
        prove: async () => {
          throw new Error('this network has no zk tier');
        },
        log,
      });
      stops.push(() => node.stop());
      return node;
    },
    challenger: async (key, settings = {}) => {
      const challenger = await startChallenger({
        config: challengerConfigSchema.parse({ ...common(), ...settings }),
        client,
        addresses: deployment,
        fromBlock: BigInt(deployment.block),
        account: developmentAccount(key),
        log,
      });
      stops.push(() => challenger.stop());
      return challenger;
    },
    ask: async (account, id, image, change = {}) => {
      const { timestamp } = await client.getBlock();
      const terms = {
        modelId: id,
        tier: 1,
        earlyDelivery: false,
        coverage,
        deadline: Number(timestamp) + 300,
        inputTimestamp: 0,
        callbackGas: 0,
      };
      const receipt = await sender(account).send({
        address: deployment.requests,
        abi: requestsAbi,
        functionName: 'request',
        args: [{ ...terms, ...change }, bytesToHex(input(image))],
        value: parseEther('0.01'),
      });
      return requestIdIn(receipt);
    },
    stop: async () => {
      for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
      await anvil.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A client of an address alone, for chains without contracts. */
export function bareClient(url: string, id: number) {
  const chain = defineChain({
    id,
    name: 'test',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
  return createPublicClient({ chain, transport: http(url) });
}

export const STATUS = { open: 1, claimed: 2, final: 3, faulted: 4, refunded: 5 } as const;

export async function statusOf(network: TestNetwork, id: bigint): Promise<number> {
  const { client, deployment } = network;
  return (await client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'requestOf', args: [id] })).status;
}

/** Waits until something holds; also outside of a test, where vitest's own polling is refused. */
export async function until(what: string, condition: () => Promise<boolean>, seconds = 90): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
