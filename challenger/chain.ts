import {
  type Address,
  bytesToHex,
  type Chain,
  encodeFunctionData,
  encodePacked,
  type Hex,
  keccak256,
  type PublicClient,
  type Transport,
} from 'viem';
import { claimKeyOf } from '../contracts/client/board/claim-name.ts';
import { faultOnChain, unitOnChain } from '../contracts/client/board/encode.ts';
import { claimBoardAbi } from '../contracts/client/generated/claimBoard.ts';
import { modelRegistryAbi } from '../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../contracts/client/generated/stakeVault.ts';
import type { Sender } from '../contracts/client/sender.ts';
import type { Clocks } from '../core/dispute/clocks.ts';
import type { Fault, NodeProof } from '../core/dispute/openings.ts';
import type { Unit } from '../core/dispute/units.ts';

export interface Addresses {
  readonly registry: Address;
  readonly vault: Address;
  readonly requests: Address;
  readonly board: Address;
  readonly channels: Address;
}

/** Escrow sent above the price at the current fee, in percent: fees move between reading and sending. What is over is credited. */
const ESCROW_PERCENT = 130n;

/** The challenger's reads and writes, one function each; nothing else in it knows an ABI. */
export class ChallengerChain {
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  readonly sender: Sender;

  constructor(client: PublicClient<Transport, Chain>, addresses: Addresses, sender: Sender) {
    this.client = client;
    this.addresses = addresses;
    this.sender = sender;
  }

  record(modelId: Hex) {
    return this.client.readContract({ address: this.addresses.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [modelId] });
  }

  claim(claimId: string) {
    const { source: address, claimId: id } = claimKeyOf(this.addresses, claimId);
    // Both contracts answer it alike (IClaimSource).
    return this.client.readContract({ address, abi: requestsAbi, functionName: 'claimOf', args: [id] });
  }

  /** Where the creator said the program lies; the last word counts. */
  async location(modelId: Hex, fromBlock: bigint): Promise<string | undefined> {
    const { registry } = this.addresses;
    const [registered, moved] = await Promise.all([
      this.client.getContractEvents({
        address: registry,
        abi: modelRegistryAbi,
        eventName: 'ModelRegistered',
        args: { modelId },
        fromBlock,
      }),
      this.client.getContractEvents({ address: registry, abi: modelRegistryAbi, eventName: 'LocationSet', args: { modelId }, fromBlock }),
    ]);
    return moved.at(-1)?.args.uri ?? registered.at(-1)?.args.uri;
  }

  async clocks(): Promise<Clocks> {
    const read = (functionName: 'WINDOW' | 'RESPONSE' | 'REACTION'): Promise<bigint> =>
      this.client.readContract({ address: this.addresses.board, abi: claimBoardAbi, functionName });
    const [window, response, reaction] = await Promise.all([read('WINDOW'), read('RESPONSE'), read('REACTION')]);
    return { window: Number(window), response: Number(response), reaction: Number(reaction) };
  }

  private async escrow(modelId: Hex, units: readonly Unit[]): Promise<bigint> {
    const prices = await Promise.all(
      units.map((unit) =>
        this.client.readContract({
          address: this.addresses.board,
          abi: claimBoardAbi,
          functionName: 'priceOf',
          args: [modelId, unitOnChain(unit)],
        }),
      ),
    );
    return (prices.reduce((sum, price) => sum + price, 0n) * ESCROW_PERCENT) / 100n;
  }

  async demand(claimId: string, modelId: Hex, units: readonly Unit[]): Promise<bigint> {
    const value = await this.escrow(modelId, units);
    return this.toBoard('demand', [...this.nameOnBoard(claimId), units.map(unitOnChain)], value);
  }

  async demandNode(claimId: string, modelId: Hex, unit: Unit, proof: NodeProof): Promise<bigint> {
    const value = await this.escrow(modelId, [unit]);
    const encoded = { ...proof, record: bytesToHex(proof.record) };
    return this.toBoard('demandNode', [...this.nameOnBoard(claimId), unitOnChain(unit), encoded], value);
  }

  expire(claimId: string, unit: Unit): Promise<bigint> {
    return this.toBoard('expire', [...this.nameOnBoard(claimId), unitOnChain(unit)]);
  }

  /** Commits to exactly the later `prove` call. @returns number of the block that holds the commitment */
  async commit(claimId: string, fault: Fault, salt: Hex): Promise<bigint> {
    const data = encodeFunctionData({ abi: claimBoardAbi, functionName: 'proveFault', args: this.faultArguments(claimId, fault, salt) });
    const commitment = keccak256(encodePacked(['address', 'bytes'], [this.sender.address, data]));
    return this.toBoard('commitFault', [commitment]);
  }

  prove(claimId: string, fault: Fault, salt: Hex): Promise<bigint> {
    return this.toBoard('proveFault', this.faultArguments(claimId, fault, salt));
  }

  async returnEscrow(claimId: string, units: readonly Unit[]): Promise<void> {
    await this.toBoard('returnEscrow', [...this.nameOnBoard(claimId), units.map(unitOnChain)]);
  }

  /** Takes back whatever is ours: credit on the board, payouts in the vault. @returns wei taken */
  async reclaim(): Promise<bigint> {
    const { board, vault } = this.addresses;
    const self = this.sender.address;
    const [credit, free] = await Promise.all([
      this.client.readContract({ address: board, abi: claimBoardAbi, functionName: 'creditOf', args: [self] }),
      this.client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [self] }),
    ]);
    if (credit > 0n) await this.toBoard('withdraw', [self]);
    if (free > 0n) await this.sender.send({ address: vault, abi: stakeVaultAbi, functionName: 'withdraw', args: [free, self] });
    return credit + free;
  }

  private nameOnBoard(claimId: string): readonly [source: Address, claimId: Hex] {
    const { source, claimId: id } = claimKeyOf(this.addresses, claimId);
    return [source, id];
  }

  private faultArguments(claimId: string, fault: Fault, salt: Hex) {
    return [...this.nameOnBoard(claimId), faultOnChain(fault), salt] as const;
  }

  /** @returns number of the block that holds the transaction */
  private async toBoard(functionName: string, args: readonly unknown[], value?: bigint): Promise<bigint> {
    const call = { address: this.addresses.board, abi: claimBoardAbi, functionName, args };
    return (await this.sender.send(value === undefined ? call : { ...call, value })).blockNumber;
  }
}
