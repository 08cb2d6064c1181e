import {
  type Abi,
  type Address,
  type Chain,
  encodeFunctionData,
  type Hex,
  type LocalAccount,
  type PublicClient,
  type TransactionReceipt,
  type Transport,
} from 'viem';
import { AssayError } from '../../core/errors.ts';
import { receiptOf } from './receipt.ts';

/** One contract call to send. */
export interface Call {
  readonly address: Address;
  readonly abi: Abi;
  readonly functionName: string;
  readonly args: readonly unknown[];
  readonly value?: bigint;
  /** Sent whatever gas costs: what would be lost without it is worth more. */
  readonly isVital?: boolean;
}

export interface SenderOptions {
  readonly client: PublicClient<Transport, Chain>;
  readonly account: LocalAccount;
  /** Never pays more than this a unit of gas, wei, but for vital calls; without it the network's own suggestion is taken. */
  readonly maxFeePerGas?: bigint;
  /** Milliseconds to wait for a receipt; 120,000 unless told. */
  readonly timeout?: number;
}

/**
 * Sends the transactions of one key: simulated first, nonces in order, several in flight. What is not mined in time is replaced by
 * whatever is sent next, for a higher fee: a transaction that fell behind the base fee must not hold up all later ones.
 */
export interface Sender {
  readonly address: Address;
  /**
   * Simulates, sends, and resolves with the receipt of a successful transaction.
   * @throws viem's error with the contract's custom error when the simulation reverts; AssayError TRANSACTION_REVERTED,
   *   TRANSACTION_TIMEOUT, FEE_ABOVE_CAP
   */
  send(call: Call): Promise<TransactionReceipt>;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
}

const HEADROOM_PERCENT = 130n;
/** Nodes replace a transaction for 10 % more at least. */
const RAISE_PERCENT = 125n;
const MOST_RAISES = 8;

export function createSender(options: SenderOptions): Sender {
  return new KeySender(options);
}

class KeySender implements Sender {
  readonly address: Address;
  private readonly options: SenderOptions;
  private nextNonce: number | undefined;
  /** How often something was not mined in time since nothing of ours was waiting. */
  private stalls = 0;
  /** The last submission; submissions go one at a time so that nonces leave no gap. */
  private tail: Promise<unknown> = Promise.resolve();
  private readonly inFlight = new Set<Promise<unknown>>();

  constructor(options: SenderOptions) {
    this.options = options;
    this.address = options.account.address;
  }

  send(call: Call): Promise<TransactionReceipt> {
    const sending = this.run(call);
    const tracked = sending.catch(() => {});
    this.inFlight.add(tracked);
    void tracked.finally(() => this.inFlight.delete(tracked));
    return sending;
  }

  async idle(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
  }

  private async run(call: Call): Promise<TransactionReceipt> {
    const { client, account } = this.options;
    const request = { address: call.address, abi: call.abi, functionName: call.functionName, args: call.args, account } as const;
    const withValue = call.value === undefined ? request : { ...request, value: call.value };
    await client.simulateContract(withValue);
    const gas = ((await client.estimateContractGas(withValue)) * HEADROOM_PERCENT) / 100n;
    const submission = this.tail.then(() => this.submit(call, gas));
    this.tail = submission.catch(() => {});
    const hash = await submission;
    const receipt = await this.mined(hash, call);
    if (receipt.status !== 'success') {
      throw new AssayError('A transaction reverted although its simulation succeeded', {
        code: 'TRANSACTION_REVERTED',
        facts: { call: call.functionName, hash, block: receipt.blockNumber },
        fix: 'the state changed in between; the work is tried again where it still makes sense',
      });
    }
    return receipt;
  }

  private async submit(call: Call, gas: bigint): Promise<Hex> {
    const { client, account, maxFeePerGas: cap } = this.options;
    const fees = await client.estimateFeesPerGas();
    if (call.isVital !== true && cap !== undefined && fees.maxFeePerGas > cap) {
      throw new AssayError('The network asks more for gas than the configured cap', {
        code: 'FEE_ABOVE_CAP',
        facts: { asked: fees.maxFeePerGas, cap },
        fix: 'raise maxFeePerGas, or wait',
      });
    }
    const nonce = await this.nonce();
    const serialized = await account.signTransaction({
      chainId: client.chain.id,
      type: 'eip1559',
      to: call.address,
      data: encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args as unknown[] }),
      value: call.value ?? 0n,
      nonce,
      gas,
      maxFeePerGas: this.raised(call, fees.maxFeePerGas),
      maxPriorityFeePerGas: this.raised(call, fees.maxPriorityFeePerGas),
    });
    try {
      const hash = await client.sendRawTransaction({ serializedTransaction: serialized });
      this.nextNonce = nonce + 1;
      return hash;
    } catch (error) {
      // The chain knows better (a restart, a reorganisation): ask it next time.
      this.nextNonce = undefined;
      if (this.stalls > 0) this.stalls++;
      throw error;
    }
  }

  /** The next free nonce; after a stall, the first that was not mined. */
  private async nonce(): Promise<number> {
    const { client, account } = this.options;
    // What an earlier process of the same key left pending counts too.
    const pending = await client.getTransactionCount({ address: account.address, blockTag: 'pending' });
    const mined = this.stalls === 0 ? pending : await client.getTransactionCount({ address: account.address, blockTag: 'latest' });
    if (mined >= pending) this.stalls = 0;
    return Math.max(this.nextNonce ?? 0, Math.min(mined, pending));
  }

  private raised(call: Call, fee: bigint): bigint {
    let raised = fee;
    for (let i = 0; i < Math.min(this.stalls, MOST_RAISES); i++) raised = (raised * RAISE_PERCENT) / 100n + 1n;
    const cap = call.isVital === true ? undefined : this.options.maxFeePerGas;
    return cap !== undefined && raised > cap ? cap : raised;
  }

  private async mined(hash: Hex, call: Call): Promise<TransactionReceipt> {
    try {
      // What replaces a transaction is another one, whose sender waits for it.
      return await receiptOf(this.options.client, hash, { timeout: this.options.timeout ?? 120_000, interval: 250 });
    } catch (cause) {
      this.nextNonce = undefined;
      this.stalls++;
      throw new AssayError('A transaction was sent but not mined in time', {
        code: 'TRANSACTION_TIMEOUT',
        facts: { call: call.functionName, hash },
        fix: 'check that the chain makes blocks and that the fee cap is not too low',
        cause,
      });
    }
  }
}
