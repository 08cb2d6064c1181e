import { type Address, isAddressEqual, type LocalAccount, zeroAddress } from 'viem';
import type { Deployment } from '../contracts/client/deployment.ts';
import { claimBoardAbi } from '../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../contracts/client/generated/stakeVault.ts';
import type { Sender } from '../contracts/client/sender.ts';
import { AssayError } from '../core/errors.ts';
import type { Client } from './chain.ts';

/** A prover's stake, seen and moved by its owner. */
export class Stake {
  readonly owner: Address;
  private readonly client: Client;
  private readonly deployment: Deployment;
  private readonly sender: Sender;

  constructor(client: Client, deployment: Deployment, sender: Sender) {
    this.client = client;
    this.deployment = deployment;
    this.sender = sender;
    this.owner = sender.address;
  }

  free(): Promise<bigint> {
    return this.client.readContract({ address: this.deployment.vault, abi: stakeVaultAbi, functionName: 'freeOf', args: [this.owner] });
  }

  locked(): Promise<bigint> {
    const { vault, requests } = this.deployment;
    return this.client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'lockedOf', args: [this.owner, requests] });
  }

  /** Wei of this stake that verdicts took since a block. */
  async slashed(fromBlock: bigint): Promise<bigint> {
    const events = await this.client.getContractEvents({ ...this.vault(), eventName: 'Slashed', args: { owner: this.owner }, fromBlock });
    return events.reduce((sum, { args }) => sum + (args.amount ?? 0n), 0n);
  }

  async deposit(amount: bigint): Promise<void> {
    await this.sender.send({ ...this.vault(), functionName: 'deposit', args: [this.owner], value: amount });
  }

  async withdraw(amount: bigint): Promise<void> {
    await this.sender.send({ ...this.vault(), functionName: 'withdraw', args: [amount, this.owner] });
  }

  /** Binds a signing key, which shows that it agrees by a signature. A key that is bound already is left as it is. */
  async addKey(key: LocalAccount): Promise<void> {
    const [bound, retiredAt] = await this.client.readContract({
      address: this.deployment.vault,
      abi: stakeVaultAbi,
      functionName: 'bindingOf',
      args: [key.address],
    });
    if (isAddressEqual(bound, this.owner) && retiredAt === 0n) return;
    if (isAddressEqual(bound, this.owner)) {
      throw new AssayError('The key was retired, for good', {
        code: 'KEY_RETIRED',
        facts: { key: key.address },
        fix: 'make another one: `assay keystore new`',
      });
    }
    if (!isAddressEqual(bound, zeroAddress)) {
      throw new AssayError('The key is bound to another stake, for good', {
        code: 'KEY_BOUND',
        facts: { key: key.address, stake: bound },
        fix: 'make a key for each stake: `assay keystore new`',
      });
    }
    const digest = await this.client.readContract({
      address: this.deployment.vault,
      abi: stakeVaultAbi,
      functionName: 'keyDigest',
      args: [this.owner, key.address],
    });
    await this.sender.send({ ...this.vault(), functionName: 'addKey', args: [key.address, await key.sign!({ hash: digest })] });
  }

  async retireKey(key: Address): Promise<void> {
    await this.sender.send({ ...this.vault(), functionName: 'retireKey', args: [key] });
  }

  /** Takes out fees (requests) and payments for answers (board). */
  async collect(): Promise<void> {
    const { requests, board } = this.deployment;
    const [owed, credit] = await Promise.all([
      this.client.readContract({ address: requests, abi: requestsAbi, functionName: 'owedTo', args: [this.owner] }),
      this.client.readContract({ address: board, abi: claimBoardAbi, functionName: 'creditOf', args: [this.owner] }),
    ]);
    if (owed > 0n) await this.sender.send({ address: requests, abi: requestsAbi, functionName: 'collect', args: [this.owner] });
    if (credit > 0n) await this.sender.send({ address: board, abi: claimBoardAbi, functionName: 'withdraw', args: [this.owner] });
  }

  private vault() {
    return { address: this.deployment.vault, abi: stakeVaultAbi } as const;
  }
}
