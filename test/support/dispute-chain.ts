import {
  type Account,
  type Address,
  bytesToHex,
  type Chain,
  createPublicClient,
  createTestClient,
  createWalletClient,
  type Hex,
  http,
  type PublicClient,
  parseEther,
  type TransactionReceipt,
  type Transport,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { anvil as anvilChain } from 'viem/chains';
import type { ClaimKey } from '../../contracts/client/board/encode.ts';
import { type DeployedAssay, type DeploymentConstants, deployAssay, LOCAL_CONSTANTS } from '../../contracts/client/deploy.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { receiptOf } from '../../contracts/client/receipt.ts';
import { claimCall } from '../../contracts/client/requests/claim.ts';
import { questionOf } from '../../contracts/client/requests/question.ts';
import type { Call } from '../../contracts/client/sender.ts';
import type { Hash, ModelId } from '../../core/brand.ts';
import { joinBytes } from '../../core/dispute/answers.ts';
import { outputsOf } from '../../core/execute.ts';
import { type ModelRecord, modelId, modelRecord, ZERO_HASH } from '../../core/program/identity.ts';
import type { Program } from '../../core/program/types.ts';
import { type TypedArray, toBytes } from '../../core/tensor.ts';
import { listRoot } from '../../core/tensor-list.ts';
import { type Anvil, startAnvil } from '../../runtime/anvil.ts';

const MNEMONIC = 'test test test test test test test test test test test junk';
const ACTORS = ['deployer', 'prover', 'key', 'challenger', 'requester', 'friend'] as const;
export type Actor = (typeof ACTORS)[number];

/** A claim on the chain and what is known of its model. */
export interface OpenClaim extends ClaimKey {
  readonly requestId: bigint;
  readonly modelId: ModelId;
  readonly record: ModelRecord;
  readonly claimedAt: number;
  readonly outputRoot: Hash;
  readonly fromBlock: bigint;
}

/** A chain of its own with everything deployed, a prover with stake and a key, and time that the test moves. */
export class DisputeChain {
  readonly client: PublicClient<Transport, Chain>;
  readonly deployed: DeployedAssay;
  private readonly anvil: Anvil;
  private readonly accounts: Readonly<Record<Actor, Account>>;

  private constructor(anvil: Anvil, client: PublicClient<Transport, Chain>, deployed: DeployedAssay, accounts: Record<Actor, Account>) {
    this.anvil = anvil;
    this.client = client;
    this.deployed = deployed;
    this.accounts = accounts;
  }

  static async start(constants: DeploymentConstants = LOCAL_CONSTANTS): Promise<DisputeChain> {
    const anvil = await startAnvil({ mnemonic: MNEMONIC, balance: 100_000, baseFee: 0n });
    const transport = http(anvil.url);
    const client = createPublicClient({ chain: anvilChain, transport, pollingInterval: 20 });
    const accounts = Object.fromEntries(ACTORS.map((actor, i) => [actor, mnemonicToAccount(MNEMONIC, { addressIndex: i })])) as Record<
      Actor,
      ReturnType<typeof mnemonicToAccount>
    >;
    const wallet = createWalletClient({ account: accounts.deployer, chain: anvilChain, transport });
    const deployed = await deployAssay(wallet, client, constants);
    const chain = new DisputeChain(anvil, client, deployed, accounts);
    const digest = await client.readContract({
      address: deployed.vault,
      abi: stakeVaultAbi,
      functionName: 'keyDigest',
      args: [accounts.prover.address, accounts.key.address],
    });
    const signature = await accounts.key.sign({ hash: digest });
    await chain.send('prover', chain.vaultCall('addKey', [accounts.key.address, signature]));
    await chain.send('prover', chain.vaultCall('deposit', [accounts.prover.address], parseEther('10000')));
    return chain;
  }

  stop(): Promise<void> {
    return this.anvil.stop();
  }

  address(actor: Actor): Address {
    return this.accounts[actor].address;
  }

  /** Simulates and sends; throws the contract's error when it reverts. */
  async send(actor: Actor, call: Call): Promise<TransactionReceipt> {
    const account = this.accounts[actor];
    const wallet = createWalletClient({ account, chain: anvilChain, transport: http(this.anvil.url) });
    const { request } = await this.client.simulateContract({ ...call, account, blockTag: 'pending' });
    const hash = await wallet.writeContract(request);
    return receiptOf(this.client, hash, { interval: 20 });
  }

  async now(): Promise<{ time: number; block: number; baseFee: bigint }> {
    const { timestamp, number, baseFeePerGas } = await this.client.getBlock();
    return { time: Number(timestamp), block: Number(number), baseFee: baseFeePerGas ?? 0n };
  }

  /** Mines a block at this time, or the next one at once when the time has passed. */
  async advanceTo(time: number): Promise<void> {
    const test = createTestClient({ mode: 'anvil', chain: anvilChain, transport: http(this.anvil.url) });
    const { time: now } = await this.now();
    await test.setNextBlockTimestamp({ timestamp: BigInt(Math.max(time, now + 1)) });
    await test.mine({ blocks: 1 });
  }

  credit(actor: Actor): Promise<bigint> {
    return this.client.readContract({
      address: this.deployed.board,
      abi: claimBoardAbi,
      functionName: 'creditOf',
      args: [this.address(actor)],
    });
  }

  freeStake(actor: Actor): Promise<bigint> {
    return this.client.readContract({
      address: this.deployed.vault,
      abi: stakeVaultAbi,
      functionName: 'freeOf',
      args: [this.address(actor)],
    });
  }

  isFinal(claim: ClaimKey): Promise<boolean> {
    return this.client.readContract({
      address: this.deployed.board,
      abi: claimBoardAbi,
      functionName: 'isFinal',
      args: [claim.source, claim.claimId],
    });
  }

  feePerGas(): Promise<bigint> {
    return this.client.readContract({ address: this.deployed.board, abi: claimBoardAbi, functionName: 'feePerGas' });
  }

  minimumCoverage(id: ModelId): Promise<bigint> {
    return this.client.readContract({ address: this.deployed.board, abi: claimBoardAbi, functionName: 'minimumCoverage', args: [id] });
  }

  async statusOf(claim: OpenClaim): Promise<number> {
    const { status } = await this.client.readContract({
      address: this.deployed.requests,
      abi: requestsAbi,
      functionName: 'requestOf',
      args: [claim.requestId],
    });
    return status;
  }

  /** Registers the model, requests on these inputs, and has the prover claim the outputs of these tensors. */
  async claim(program: Program, inputs: readonly TypedArray[], tensors: readonly TypedArray[], outputRoot: Hash): Promise<OpenClaim> {
    const record = modelRecord(program, { creator: this.address('deployer') });
    const id = modelId(record);
    const { registry, requests } = this.deployed;
    await this.send('deployer', {
      address: registry,
      abi: modelRegistryAbi,
      functionName: 'register',
      args: [record, '0x', '', ZERO_HASH],
    });
    const { time } = await this.now();
    const terms = {
      modelId: id,
      tier: 1,
      earlyDelivery: false,
      coverage: await this.minimumCoverage(id),
      deadline: time + 3600,
      inputTimestamp: time,
      callbackGas: 0,
    };
    const requestId = await this.client.readContract({ address: requests, abi: requestsAbi, functionName: 'nextRequestId' });
    const fee = 10n ** 15n;
    const input = bytesToHex(joinBytes(inputs.map(toBytes)));
    await this.send('requester', { address: requests, abi: requestsAbi, functionName: 'request', args: [terms, input], value: fee });
    const question = questionOf({ ...terms, inputRoot: listRoot(inputs), fee });
    const output = joinBytes(outputsOf(program, tensors).map(toBytes));
    const receipt = await this.send('key', claimCall(requests, { requestId, question, output }));
    const { timestamp } = await this.client.getBlock({ blockNumber: receipt.blockNumber });
    const claimId = `0x${requestId.toString(16).padStart(64, '0')}` as Hex;
    return {
      source: requests,
      claimId,
      requestId,
      modelId: id,
      record,
      claimedAt: Number(timestamp),
      outputRoot,
      fromBlock: receipt.blockNumber,
    };
  }

  finalizeCall(claim: OpenClaim, program: Program, tensors: readonly TypedArray[]): Call {
    const output = bytesToHex(joinBytes(outputsOf(program, tensors).map(toBytes)));
    return { address: this.deployed.requests, abi: requestsAbi, functionName: 'finalize', args: [claim.requestId, output] };
  }

  private vaultCall(functionName: string, args: readonly unknown[], value?: bigint): Call {
    return { address: this.deployed.vault, abi: stakeVaultAbi, functionName, args, ...(value === undefined ? {} : { value }) };
  }
}
