import { type Address, bytesToHex, type Chain, type Hex, type PublicClient, type Transport } from 'viem';
import { claimHex, unitOnChain } from '../contracts/client/board/encode.ts';
import { claimBoardAbi } from '../contracts/client/generated/claimBoard.ts';
import { modelRegistryAbi } from '../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../contracts/client/generated/stakeVault.ts';
import type { Sender } from '../contracts/client/sender.ts';
import type { Unit } from '../core/dispute/units.ts';

export interface Addresses {
  readonly registry: Address;
  readonly vault: Address;
  readonly requests: Address;
  readonly board: Address;
}

/** States of a request on chain (IRequests.Status). */
export const STATUS = { none: 0, open: 1, claimed: 2, final: 3, faulted: 4, refunded: 5 } as const;
/** IClaimBoard.DemandStatus.Open. */
const DEMAND_OPEN = 1;

/** The node's reads and writes, one function each; nothing else in the node knows an ABI. */
export class NodeChain {
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  readonly sender: Sender;

  constructor(client: PublicClient<Transport, Chain>, addresses: Addresses, sender: Sender) {
    this.client = client;
    this.addresses = addresses;
    this.sender = sender;
  }

  /** Owner whose stake answers for the node's key; the zero address when the key is not registered. */
  owner(): Promise<Address> {
    return this.client.readContract({
      address: this.addresses.vault,
      abi: stakeVaultAbi,
      functionName: 'proverOf',
      args: [this.sender.address],
    });
  }

  freeStake(owner: Address): Promise<bigint> {
    return this.client.readContract({ address: this.addresses.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner] });
  }

  record(modelId: Hex) {
    return this.client.readContract({ address: this.addresses.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [modelId] });
  }

  request(requestId: string) {
    return this.client.readContract({
      address: this.addresses.requests,
      abi: requestsAbi,
      functionName: 'requestOf',
      args: [BigInt(requestId)],
    });
  }

  context(requestId: string, owner: Address, modelId: Hex): Promise<bigint> {
    return this.client.readContract({
      address: this.addresses.requests,
      abi: requestsAbi,
      functionName: 'contextOf',
      args: [BigInt(requestId), owner, modelId],
    });
  }

  isFinal(claimId: string): Promise<boolean> {
    return this.client.readContract({
      address: this.addresses.board,
      abi: claimBoardAbi,
      functionName: 'isFinal',
      args: [this.addresses.requests, claimHex(claimId)],
    });
  }

  async isDemandOpen(claimId: string, unit: Unit): Promise<boolean> {
    const demand = await this.client.readContract({
      address: this.addresses.board,
      abi: claimBoardAbi,
      functionName: 'demandOf',
      args: [this.addresses.requests, claimHex(claimId), unitOnChain(unit)],
    });
    return demand.status === DEMAND_OPEN;
  }

  async claim(requestId: string, output: Uint8Array): Promise<void> {
    await this.toRequests('claim', [BigInt(requestId), bytesToHex(output)]);
  }

  async fulfil(requestId: string, key: Uint8Array, proof: Uint8Array, input: Uint8Array, output: Uint8Array): Promise<void> {
    await this.toRequests('fulfilProof', [BigInt(requestId), ...[key, proof, input, output].map((bytes) => bytesToHex(bytes))]);
  }

  async finalize(requestId: string, output: Hex): Promise<void> {
    await this.toRequests('finalize', [BigInt(requestId), output]);
  }

  async postRoots(claimId: string, roots: readonly Hex[]): Promise<void> {
    await this.toBoard('answerRoots', [this.addresses.requests, claimHex(claimId), roots]);
  }

  async postAnswers(answers: readonly { readonly claimId: string; readonly unit: Unit; readonly data: Uint8Array }[]): Promise<void> {
    const encoded = answers.map(({ claimId, unit, data }) => ({
      source: this.addresses.requests,
      claimId: claimHex(claimId),
      unit: unitOnChain(unit),
      data: bytesToHex(data),
    }));
    await this.toBoard('answer', [encoded]);
  }

  private toRequests(functionName: string, args: readonly unknown[]) {
    return this.sender.send({ address: this.addresses.requests, abi: requestsAbi, functionName, args });
  }

  private toBoard(functionName: string, args: readonly unknown[]) {
    // Answers to demands: without them a whole lock is lost.
    return this.sender.send({ address: this.addresses.board, abi: claimBoardAbi, functionName, args, isVital: true });
  }
}
