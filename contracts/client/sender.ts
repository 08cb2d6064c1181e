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
import { isHeldUp, isTaken, type Look, UNKNOWN } from './looks.ts';
import { NoncePlaces, type Sent, type Signed } from './nonce-places.ts';

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
 * sent again for a higher fee; when its time is over, whatever is sent next takes its place. What is vital does so within seconds: a
 * transaction that fell behind the base fee must not hold up all later ones. Places that a chain forgot are filled again all together.
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
const TRANSFER_GAS = 21_000n;

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
  private readonly places: NoncePlaces;
  /** Submissions go one at a time so that nonces leave no gap; vital ones first. */
  private readonly waiting: Waiting[] = [];
  private isSubmitting = false;
  private readonly inFlight = new Set<Promise<unknown>>();

  constructor(options: SenderOptions) {
    this.options = options;
    this.address = options.account.address;
    this.places = new NoncePlaces(options.client, this.address);
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
    const receipt = await this.mined(sent, call, gas).finally(() => this.places.release(sent));
    this.places.wasMined(sent, receipt.transactionHash);
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

  private inTurn<Result>(call: Pick<Call, 'isVital'>, submit: () => Promise<Result>): Promise<Result> {
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
    const nonce = await this.places.free();
    try {
      const sent: Sent = {
        nonce,
        isVital: call.isVital === true,
        versions: [await this.sign(call, gas, nonce, fees, this.places.stalls)],
      };
      this.places.hold(sent);
      return sent;
    } catch (error) {
      if (this.places.stalls > 0) this.places.stalls++;
      throw await this.explained(error);
    }
  }

  private async sign(call: Call, gas: bigint, nonce: number, fees: Fees, raises: number): Promise<Signed> {
    const data = encodeFunctionData({ abi: call.abi, functionName: call.functionName, args: call.args as unknown[] });
    const isVital = call.isVital === true;
    return this.sendSigned({ to: call.address, data, value: call.value ?? 0n, gas, nonce, isVital }, fees, raises);
  }

  private async sendSigned(bare: Bare, fees: Fees, raises: number): Promise<Signed> {
    const { client, account } = this.options;
    const { isVital, ...transaction } = bare;
    const tip = fees.maxPriorityFeePerGas < MOST_TIP ? fees.maxPriorityFeePerGas : MOST_TIP;
    const raw = await account.signTransaction({
      chainId: client.chain.id,
      type: 'eip1559',
      ...transaction,
      maxFeePerGas: this.raised(isVital, fees.maxFeePerGas, raises),
      maxPriorityFeePerGas: this.raised(isVital, tip, raises),
    });
    return { nonce: bare.nonce, raw, hash: await client.sendRawTransaction({ serializedTransaction: raw }) };
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

  private raised(isVital: boolean, fee: bigint, raises: number): bigint {
    let raised = fee;
    for (let i = 0; i < Math.min(raises, MOST_RAISES); i++) raised = (raised * RAISE_PERCENT) / 100n + 1n;
    const cap = isVital ? undefined : this.options.maxFeePerGas;
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
    if (!(cause instanceof PlaceTaken)) this.places.stalls++;
    throw new AssayError('A transaction was sent but not mined in time', {
      code: 'TRANSACTION_TIMEOUT',
      facts: { call: call.functionName, hash: sent.versions.at(-1)?.hash ?? '' },
      fix: 'check that the chain makes blocks and that the fee cap is not too low',
      cause,
    });
  }

  /**
   * The same call at the same place for more; at the first place that is not mined where nobody here waits for what is there, and where the
   * call is vital, in the stead of whatever else holds it up. Refused when it was mined meanwhile.
   */
  private async again(sent: Sent, call: Call, gas: bigint, raises: number): Promise<void> {
    const first = await this.places.first();
    if (first > sent.nonce) throw new PlaceTaken();
    const nonce = this.mayOvertake(sent, first) ? first : sent.nonce;
    sent.versions.push(await this.sign(call, gas, nonce, await this.options.client.estimateFeesPerGas(), raises));
  }

  private mayOvertake(sent: Sent, place: number): boolean {
    const holder = this.places.holder(place);
    return holder === undefined || (sent.isVital && !holder.isVital);
  }

  /** The receipt of whichever was mined; an endpoint that is away meanwhile is waited for. */
  private async anyReceipt(sent: Sent, until: number): Promise<TransactionReceipt> {
    const looks: Look[] = [];
    for (let cause: unknown, look = performance.now() + LOOK_INTERVAL; ; ) {
      for (const { hash } of sent.versions) {
        try {
          return await getTransactionReceipt(this.options.client, { hash });
        } catch (error) {
          cause = error;
        }
      }
      if (performance.now() >= until) throw cause;
      if (performance.now() >= look) {
        looks.push(await this.look(sent).catch(() => UNKNOWN));
        if (isTaken(looks)) throw new PlaceTaken();
        if (isHeldUp(looks)) throw cause;
        look = performance.now() + LOOK_INTERVAL;
      }
      await delay(Math.min(RECEIPT_INTERVAL, Math.max(1, until - performance.now())));
    }
  }

  /** Sends what is not mined once more as it was: known already, or forgotten by a chain that restarted. And what it stands behind. */
  private async look(sent: Sent): Promise<Look> {
    const [first, block] = await Promise.all([this.places.first(), this.options.client.getBlockNumber({ cacheTime: 0 })]);
    if (first > sent.nonce) return { state: 'taken', first, block };
    await this.places.repeat(sent.versions.at(-1));
    if (this.places.isLowest(sent)) await this.inTurn({ isVital: true }, () => this.fill(first));
    const isBehind = first < sent.nonce && sent.isVital && this.mayOvertake(sent, first);
    return { state: isBehind ? 'behind' : 'waits', first, block };
  }

  /** Sends what a chain forgot below what is under way: as it was, or an empty transfer where that is not known here. */
  private async fill(first: number): Promise<void> {
    for (const nonce of await this.places.repeatForgotten(first)) {
      const fees = await this.options.client.estimateFeesPerGas();
      const nothing: Bare = { to: this.address, data: '0x', value: 0n, gas: TRANSFER_GAS, nonce, isVital: false };
      this.places.wasFilled(await this.sendSigned(nothing, fees, 0));
    }
  }
}

/** Another transaction of the key was mined where a call should have been. */
class PlaceTaken extends Error {
  constructor() {
    super('another transaction took its place');
  }
}

/** A transaction before its fees. */
interface Bare {
  readonly to: Address;
  readonly data: Hex;
  readonly value: bigint;
  readonly gas: bigint;
  readonly nonce: number;
  readonly isVital: boolean;
}

interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}
