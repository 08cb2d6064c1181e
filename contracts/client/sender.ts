import { setTimeout as delay } from 'node:timers/promises';
import {
  type Abi,
  type Address,
  BaseError,
  type Chain,
  encodeFunctionData,
  type Hex,
  type LocalAccount,
  type PublicClient,
  type TransactionReceipt,
  type Transport,
} from 'viem';
import { getTransactionReceipt } from 'viem/actions';
import { AssayError } from '../../core/errors.ts';

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
  /** Milliseconds after which what is not mined is sent again for a higher fee; 45,000 unless told. */
  readonly replaceAfter?: number;
  /** Hears what every mined transaction cost, reverted ones too. */
  readonly onSpent?: (functionName: string, wei: bigint) => void;
}

/**
 * Sends the transactions of one key: simulated first, nonces in order, several in flight, vital ones before others. What is not mined is
 * sent again for a higher fee; when its time is over, whatever is sent next takes its place, and a vital one does so at once: a
 * transaction that fell behind the base fee must not hold up all later ones.
 */
export interface Sender {
  readonly address: Address;
  /**
   * Simulates, sends, and resolves with the receipt of a successful transaction.
   * @throws viem's error with the contract's custom error when the simulation reverts; AssayError TRANSACTION_REVERTED,
   *   TRANSACTION_TIMEOUT, FEE_ABOVE_CAP, FUNDS_INSUFFICIENT
   */
  send(call: Call): Promise<TransactionReceipt>;
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>;
}

const HEADROOM_PERCENT = 130n;
/** Nodes replace a transaction for 10 % more at least. */
const RAISE_PERCENT = 125n;
const MOST_RAISES = 8;
/** Most tip a unit of gas, wei, before raises: the rest of a fee is what the network takes, but a tip is lost to whoever names it. */
const MOST_TIP = 50_000_000_000n;
const RECEIPT_INTERVAL = 250;
/** Milliseconds between two looks at what became of what was sent: an endpoint that restarts forgets it, a reorganisation may too. */
const LOOK_INTERVAL = 5_000;
/** Looks that find its place taken and no receipt until it is given up: a reorganisation and an answer may be on their way. */
const MOST_TAKEN = 3;

/** A signed call under way. */
interface Sent {
  readonly nonce: number;
  readonly isVital: boolean;
  /** As it went out last, and every hash that it ever had. */
  raw: Hex;
  readonly hashes: Hex[];
}

interface Waiting {
  readonly isVital: boolean;
  run(): Promise<void>;
}

export function createSender(options: SenderOptions): Sender {
  return new KeySender(options);
}

class KeySender implements Sender {
  readonly address: Address;
  private readonly options: SenderOptions;
  private nextNonce: number | undefined;
  /** How often something was not mined in time since nothing of ours was waiting. */
  private stalls = 0;
  /** Submissions go one at a time so that nonces leave no gap; vital ones first. */
  private readonly waiting: Waiting[] = [];
  private isSubmitting = false;
  /** Calls under way, by nonce. */
  private readonly held = new Map<number, Sent>();
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
    const sent = await this.inTurn(call, () => this.submit(call, gas));
    const receipt = await this.mined(sent, call, gas).finally(() => this.held.delete(sent.nonce));
    this.options.onSpent?.(call.functionName, receipt.gasUsed * receipt.effectiveGasPrice);
    if (receipt.status !== 'success') {
      throw new AssayError('A transaction reverted although its simulation succeeded', {
        code: 'TRANSACTION_REVERTED',
        facts: { call: call.functionName, hash: receipt.transactionHash, block: receipt.blockNumber },
        fix: 'the state changed in between; the work is tried again where it still makes sense',
      });
    }
    return receipt;
  }

  private inTurn<Result>(call: Call, submit: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const turn: Waiting = { isVital: call.isVital === true, run: () => submit().then(resolve, reject) };
      const place = turn.isVital ? this.waiting.findIndex(({ isVital }) => !isVital) : -1;
      this.waiting.splice(place < 0 ? this.waiting.length : place, 0, turn);
      void this.submitAll();
    });
  }

  private async submitAll(): Promise<void> {
    if (this.isSubmitting) return;
    this.isSubmitting = true;
    for (let turn = this.waiting.shift(); turn !== undefined; turn = this.waiting.shift()) await turn.run();
    this.isSubmitting = false;
  }

  private async submit(call: Call, gas: bigint): Promise<Sent> {
    const { client, maxFeePerGas: cap } = this.options;
    const fees = await client.estimateFeesPerGas();
    if (call.isVital !== true && cap !== undefined && fees.maxFeePerGas > cap) {
      throw new AssayError('The network asks more for gas than the configured cap', {
        code: 'FEE_ABOVE_CAP',
        facts: { asked: fees.maxFeePerGas, cap },
        fix: 'raise maxFeePerGas, or wait',
      });
    }
    const nonce = await this.nonce();
    try {
      const { raw, hash } = await this.sign(call, gas, nonce, fees, this.stalls);
      this.nextNonce = nonce + 1;
      const sent: Sent = { nonce, isVital: call.isVital === true, raw, hashes: [hash] };
      this.held.set(nonce, sent);
      return sent;
    } catch (error) {
      // The chain knows better (a restart, a reorganisation): ask it next time.
      this.nextNonce = undefined;
      if (this.stalls > 0) this.stalls++;
      throw await this.explained(error);
    }
  }

  private async sign(call: Call, gas: bigint, nonce: number, fees: Fees, raises: number): Promise<{ raw: Hex; hash: Hex }> {
    const { client, account } = this.options;
    const tip = fees.maxPriorityFeePerGas < MOST_TIP ? fees.maxPriorityFeePerGas : MOST_TIP;
    const raw = await account.signTransaction({
      chainId: client.chain.id,
      type: 'eip1559',
      to: call.address,
      data: encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args as unknown[] }),
      value: call.value ?? 0n,
      nonce,
      gas,
      maxFeePerGas: this.raised(call, fees.maxFeePerGas, raises),
      maxPriorityFeePerGas: this.raised(call, tip, raises),
    });
    return { raw, hash: await client.sendRawTransaction({ serializedTransaction: raw }) };
  }

  private async explained(error: unknown): Promise<unknown> {
    const isPoor =
      error instanceof BaseError &&
      error.walk((cause) => /insufficient funds|insufficient balance/i.test(String((cause as Error).message))) !== null;
    if (!isPoor) return error;
    const balance = await this.options.client.getBalance({ address: this.address }).catch(() => undefined);
    return new AssayError('The key that sends has too little ether for gas', {
      code: 'FUNDS_INSUFFICIENT',
      facts: { account: this.address, ...(balance === undefined ? {} : { balance }) },
      fix: 'send it ether; what it could not send is tried again',
      cause: error,
    });
  }

  /** The next free nonce; after a stall, the first that was not mined. */
  private async nonce(): Promise<number> {
    const { client, account } = this.options;
    // With nothing under way the chain alone knows: a reorganisation may have taken mined ones back.
    if (this.held.size === 0) this.nextNonce = undefined;
    // What an earlier process of the same key left pending counts too.
    const pending = await client.getTransactionCount({ address: account.address, blockTag: 'pending' });
    const mined = this.stalls === 0 ? pending : await client.getTransactionCount({ address: account.address, blockTag: 'latest' });
    if (mined >= pending) this.stalls = 0;
    return Math.max(this.nextNonce ?? 0, Math.min(mined, pending));
  }

  private raised(call: Call, fee: bigint, raises: number): bigint {
    let raised = fee;
    for (let i = 0; i < Math.min(raises, MOST_RAISES); i++) raised = (raised * RAISE_PERCENT) / 100n + 1n;
    const cap = call.isVital === true ? undefined : this.options.maxFeePerGas;
    return cap !== undefined && raised > cap ? cap : raised;
  }

  /** Waits for the receipt of a call, and sends it again for more when it takes long. */
  private async mined(sent: Sent, call: Call, gas: bigint): Promise<TransactionReceipt> {
    const { timeout = 120_000, replaceAfter = 45_000 } = this.options;
    const end = performance.now() + timeout;
    let cause: unknown;
    for (let raises = 1; performance.now() < end; raises++) {
      try {
        return await this.anyReceipt(sent, Math.min(end, performance.now() + replaceAfter));
      } catch (error) {
        cause = error;
        if (error instanceof PlaceTaken) break;
      }
      if (performance.now() >= end) break;
      await this.inTurn(call, () => this.again(sent, call, gas, raises)).catch(() => undefined);
    }
    this.nextNonce = undefined;
    if (!(cause instanceof PlaceTaken)) this.stalls++;
    throw new AssayError('A transaction was sent but not mined in time', {
      code: 'TRANSACTION_TIMEOUT',
      facts: { call: call.functionName, hash: sent.hashes.at(-1) ?? '' },
      fix: 'check that the chain makes blocks and that the fee cap is not too low',
      cause,
    });
  }

  /**
   * The same call at the same place for more; at the first place that is not mined where a reorganisation left a gap there, and where the
   * call is vital, in the stead of whatever else holds it up. Refused when it was mined meanwhile.
   */
  private async again(sent: Sent, call: Call, gas: bigint, raises: number): Promise<void> {
    const { client } = this.options;
    const first = await this.firstPlace();
    if (first > sent.nonce) throw new PlaceTaken();
    const holder = this.held.get(first);
    const isFirst = holder === undefined || (sent.isVital && !holder.isVital);
    const { raw, hash } = await this.sign(call, gas, isFirst ? first : sent.nonce, await client.estimateFeesPerGas(), raises);
    sent.raw = raw;
    sent.hashes.push(hash);
  }

  /** The receipt of whichever was mined; an endpoint that is away meanwhile is waited for. */
  private async anyReceipt(sent: Sent, until: number): Promise<TransactionReceipt> {
    let taken = 0;
    for (let cause: unknown, look = performance.now() + LOOK_INTERVAL; ; ) {
      for (const hash of sent.hashes) {
        try {
          return await getTransactionReceipt(this.options.client, { hash });
        } catch (error) {
          cause = error;
        }
      }
      if (performance.now() >= until) throw cause;
      if (performance.now() >= look) {
        const state = await this.remind(sent).catch(() => 'unknown' as const);
        taken = state === 'taken' ? taken + 1 : 0;
        if (taken === MOST_TAKEN) throw new PlaceTaken();
        if (state === 'gap') throw cause;
        look = performance.now() + LOOK_INTERVAL;
      }
      await delay(Math.min(RECEIPT_INTERVAL, Math.max(1, until - performance.now())));
    }
  }

  /** Sends what is not mined once more as it was: known already, or forgotten by a chain that restarted. */
  private async remind({ nonce, raw }: Sent): Promise<'waits' | 'taken' | 'gap'> {
    const first = await this.firstPlace();
    if (first > nonce) return 'taken';
    await this.options.client.sendRawTransaction({ serializedTransaction: raw }).catch(() => undefined);
    // What was mined before it is not any more, and nobody here sends it again.
    return this.held.has(first) ? 'waits' : 'gap';
  }

  private firstPlace(): Promise<number> {
    return this.options.client.getTransactionCount({ address: this.address, blockTag: 'latest' });
  }
}

/** Another transaction of the key was mined where a call should have been. */
class PlaceTaken extends Error {
  constructor() {
    super('another transaction took its place');
  }
}

interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}
