import { type Address, type Chain, type Hex, hexToBytes, type PublicClient, type TransactionReceipt, type Transport } from 'viem';
import { answerCall, answerRootsCall, withdrawCall } from '../../contracts/client/board/calls.ts';
import { claimKeyOf, isReceiptName } from '../../contracts/client/board/claim-name.ts';
import { claimHex, unitOnChain } from '../../contracts/client/board/encode.ts';
import { closeChannelCall } from '../../contracts/client/channels/closeChannel.ts';
import { readChannel } from '../../contracts/client/channels/readChannel.ts';
import { settleReceiptCall } from '../../contracts/client/channels/settleReceipt.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { coverageChannelsAbi } from '../../contracts/client/generated/coverageChannels.ts';
import { modelRegistryAbi } from '../../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { type ClaimedAnswer, claimCall } from '../../contracts/client/requests/claim.ts';
import { claimBatchCall } from '../../contracts/client/requests/claimBatch.ts';
import { collectForCall } from '../../contracts/client/requests/collectFor.ts';
import { finalizeCall } from '../../contracts/client/requests/finalize.ts';
import { fulfilProofCall, type ProvenAnswer } from '../../contracts/client/requests/fulfilProof.ts';
import { carefulClient } from '../../contracts/client/rpc/connect.ts';
import type { Call, Sender } from '../../contracts/client/sender.ts';
import type { Hash } from '../../core/brand.ts';
import type { Unit } from '../../core/dispute/units.ts';
import type { ClaimDocument, RequestDocument } from '../records/documents.ts';
import type { DemandState } from './answering.ts';
import type { Till } from './collect.ts';
import type { ClaimStanding } from './finalize.ts';
import { questionOfRequest } from './question.ts';

export interface Addresses {
  readonly registry: Address;
  readonly vault: Address;
  readonly requests: Address;
  readonly board: Address;
  readonly channels: Address;
}

/** States of a request on chain (IRequests.Status). */
export const STATUS = { none: 0, open: 1, claimed: 2, final: 3, faulted: 4, refunded: 5 } as const;
/** By IClaimBoard.DemandStatus: none, open, answered, returned. */
const DEMAND_STATES: readonly DemandState[] = ['unknown', 'open', 'over', 'over'];

/** An answer, and the request that was decided on: its terms are part of what is claimed. */
export interface PreparedClaim {
  readonly request: RequestDocument;
  readonly output: ClaimDocument['output'];
}

/** The node's reads and writes, one function each; nothing else in the node knows an ABI. */
export class NodeChain {
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  readonly sender: Sender;
  /** Answers that hold against a second endpoint: for what a lock or a request depends on. */
  private readonly careful: PublicClient<Transport, Chain>;

  constructor(client: PublicClient<Transport, Chain>, addresses: Addresses, sender: Sender) {
    this.client = client;
    this.careful = carefulClient(client);
    this.addresses = addresses;
    this.sender = sender;
  }

  /** Owner whose stake answers for the node's key; the zero address when the key is not registered. */
  owner(): Promise<Address> {
    return this.careful.readContract({
      address: this.addresses.vault,
      abi: stakeVaultAbi,
      functionName: 'proverOf',
      args: [this.sender.address],
    });
  }

  freeStake(owner: Address): Promise<bigint> {
    return this.careful.readContract({ address: this.addresses.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [owner] });
  }

  record(modelId: Hex) {
    return this.client.readContract({ address: this.addresses.registry, abi: modelRegistryAbi, functionName: 'recordOf', args: [modelId] });
  }

  /** Wei that the key holds which sends. */
  ether(): Promise<bigint> {
    return this.client.getBalance({ address: this.sender.address });
  }

  /** Wei that a unit of gas costs now. */
  async feePerGas(): Promise<bigint> {
    return (await this.client.estimateFeesPerGas()).maxFeePerGas;
  }

  /** What of a model can change: whether it was shown ill-formed, or its key broken. */
  terms(modelId: Hex) {
    return this.careful.readContract({ address: this.addresses.registry, abi: modelRegistryAbi, functionName: 'termsOf', args: [modelId] });
  }

  request(requestId: string) {
    return this.careful.readContract({
      address: this.addresses.requests,
      abi: requestsAbi,
      functionName: 'requestOf',
      args: [BigInt(requestId)],
    });
  }

  context(requestId: string, owner: Address, modelId: Hex): Promise<bigint> {
    return this.careful.readContract({
      address: this.addresses.requests,
      abi: requestsAbi,
      functionName: 'contextOf',
      args: [BigInt(requestId), owner, modelId],
    });
  }

  /** A claim as its source tells it; `open` is false for one that is unknown or ended. */
  claimView(claimId: string) {
    if (isReceiptName(claimId)) {
      const { channels: address } = this.addresses;
      return this.careful.readContract({ address, abi: coverageChannelsAbi, functionName: 'claimOf', args: [claimId as Hex] });
    }
    const { requests: address } = this.addresses;
    return this.careful.readContract({ address, abi: requestsAbi, functionName: 'claimOf', args: [claimHex(claimId)] });
  }

  channel(channel: Hex) {
    return readChannel(this.client, this.addresses.channels, channel);
  }

  async closeChannel(channel: Hex): Promise<void> {
    await this.sender.send(closeChannelCall(this.addresses.channels, channel));
  }

  /** @returns whether the claim is open and can be ended; `end`: last second of its dispute, 0 without one */
  async standing(claimId: string): Promise<ClaimStanding> {
    const { source, claimId: id } = claimKeyOf(this.addresses, claimId);
    const board = { address: this.addresses.board, abi: claimBoardAbi, args: [source, id] } as const;
    if (await this.careful.readContract({ ...board, functionName: 'isFinal' })) return { isOpen: true, isFinal: true, end: 0 };
    const [{ finalAt }, { open: isOpen }] = await Promise.all([
      this.careful.readContract({ ...board, functionName: 'disputeOf' }),
      this.claimView(claimId),
    ]);
    return { isOpen, isFinal: false, end: Number(finalAt) };
  }

  async demandState(claimId: string, unit: Unit): Promise<DemandState> {
    const { source, claimId: id } = claimKeyOf(this.addresses, claimId);
    const { status } = await this.careful.readContract({
      address: this.addresses.board,
      abi: claimBoardAbi,
      functionName: 'demandOf',
      args: [source, id, unitOnChain(unit)],
    });
    return DEMAND_STATES[status] ?? 'over';
  }

  async claim(claim: PreparedClaim): Promise<void> {
    await this.sender.send(claimCall(this.addresses.requests, answerOf(claim)));
  }

  /** Several claims in one transaction; those that somebody else answered meanwhile are left out. */
  async claimBatch(claims: readonly PreparedClaim[]): Promise<void> {
    await this.sender.send(claimBatchCall(this.addresses.requests, claims.map(answerOf)));
  }

  async fulfil(requestId: string, answer: ProvenAnswer): Promise<void> {
    await this.sender.send(fulfilProofCall(this.addresses.requests, BigInt(requestId), answer));
  }

  async finalize({ claimId, output }: Pick<ClaimDocument, 'claimId' | 'output'>): Promise<void> {
    const { channels, requests } = this.addresses;
    const call = isReceiptName(claimId)
      ? settleReceiptCall(channels, claimId as Hex)
      : finalizeCall(requests, BigInt(claimId), hexToBytes(output as Hex));
    await this.sender.send(call);
  }

  postRoots(claimId: string, roots: readonly Hash[]): Promise<TransactionReceipt> {
    return this.toBoard(answerRootsCall(this.addresses.board, claimKeyOf(this.addresses, claimId), roots));
  }

  postAnswers(
    answers: readonly { readonly claimId: string; readonly unit: Unit; readonly data: Uint8Array }[],
  ): Promise<TransactionReceipt> {
    const named = answers.map(({ claimId, unit, data }) => ({ claim: claimKeyOf(this.addresses, claimId), unit, data }));
    return this.toBoard(answerCall(this.addresses.board, named));
  }

  /** What collecting needs (prover/chain/collect.ts). */
  get till(): Till {
    const { client, addresses, sender } = this;
    const { vault, requests, board, channels } = addresses;
    const lockedAt = (owner: Address, source: Address): Promise<bigint> =>
      client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'lockedOf', args: [owner, source] });
    return {
      key: sender.address,
      feePerGas: () => this.feePerGas(),
      balanceOf: (address) => client.getBalance({ address }),
      freeStake: (owner) => this.freeStake(owner),
      lockedStake: async (owner) => ({ claims: await lockedAt(owner, requests), channels: await lockedAt(owner, channels) }),
      owed: (owner) => client.readContract({ address: requests, abi: requestsAbi, functionName: 'owedTo', args: [owner] }),
      credit: (owner) => client.readContract({ address: board, abi: claimBoardAbi, functionName: 'creditOf', args: [owner] }),
      collectOwed: async () => void (await sender.send(collectForCall(requests, sender.address))),
      withdrawCredit: async (owner) => void (await sender.send(withdrawCall(board, owner))),
    };
  }

  private toBoard(call: Call): Promise<TransactionReceipt> {
    // Answers to demands: without them a whole lock is lost.
    return this.sender.send({ ...call, isVital: true });
  }
}

function answerOf({ request, output }: PreparedClaim): ClaimedAnswer {
  return { requestId: BigInt(request.requestId), question: questionOfRequest(request), output: hexToBytes(output as Hex) };
}
