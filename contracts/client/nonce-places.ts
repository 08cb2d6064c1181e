import { setTimeout as delay } from 'node:timers/promises';
import { type Address, type Hex, type PublicClient, TransactionReceiptNotFoundError } from 'viem';

/** A transaction as it went out. */
export interface Signed {
  readonly nonce: number;
  readonly raw: Hex;
  readonly hash: Hex;
}

/** A call under way, at its place. */
export interface Sent {
  readonly nonce: number;
  readonly isVital: boolean;
  /** As it went out, the last one last: for more, or at a place before its own. */
  readonly versions: Signed[];
}

/** Mined ones that are remembered: a chain that forgets more is filled with empty transfers. */
const MOST_REMEMBERED = 256;
/** Milliseconds until a place that seems forgotten is looked at again: an endpoint may be a block behind. */
const SECOND_LOOK = 1_500;

/**
 * The places (nonces) of one key's transactions: which calls under way hold, what was mined at the others, and which of those a chain
 * forgot, because it was reorganised or put back to an earlier state. A forgotten place stops all that come after it.
 */
export class NoncePlaces {
  /** How often something was not mined in time since nothing of ours was waiting. */
  stalls = 0;
  private readonly client: PublicClient;
  private readonly address: Address;
  private readonly held = new Map<number, Sent>();
  /** What was mined at places that nobody holds any more, the newest last. */
  private readonly settled = new Map<number, Signed>();
  /** What was there and is not mined any more, or was sent to fill a gap. */
  private readonly forgotten = new Map<number, Signed>();
  /** A gap of unknown transactions in the last look: they may be on their way. */
  private suspect: number | undefined;

  constructor(client: PublicClient, address: Address) {
    this.client = client;
    this.address = address;
  }

  holder(place: number): Sent | undefined {
    return this.held.get(place);
  }

  hold(sent: Sent): void {
    this.held.set(sent.nonce, sent);
  }

  release(sent: Sent): void {
    if (this.held.get(sent.nonce) === sent) this.held.delete(sent.nonce);
  }

  isLowest(sent: Sent): boolean {
    return Math.min(...this.held.keys()) === sent.nonce;
  }

  wasMined(sent: Sent, hash: Hex): void {
    const version = sent.versions.find((each) => each.hash === hash);
    if (version !== undefined) this.settle(version);
  }

  wasFilled(signed: Signed): void {
    this.forgotten.set(signed.nonce, signed);
  }

  /** The first place that is not mined. */
  first(): Promise<number> {
    return this.client.getTransactionCount({ address: this.address, blockTag: 'latest' });
  }

  /** The place of the next call: the first that the chain forgot, or else the one behind all; after a stall, the first that was not mined. */
  async free(): Promise<number> {
    // What an earlier process of the same key left pending counts too.
    const pending = await this.pending();
    const mined = this.stalls === 0 ? pending : await this.first();
    if (mined >= pending) this.stalls = 0;
    const told = Math.min(mined, pending);
    const behindAll = (): number => Math.max(told, ...[...this.held.keys(), ...this.settled.keys()].map((nonce) => nonce + 1));
    for (let place = told; place < behindAll(); place++) {
      if (!this.held.has(place) && (await this.isFree(place))) return place;
    }
    return behindAll();
  }

  /**
   * Sends what is known of the forgotten places below those held once more as it was.
   * @param first the first place that is not mined
   * @returns the places of which nothing is known, twice in a row, here or in the chain's own queue
   */
  async repeatForgotten(first: number): Promise<number[]> {
    const end = Math.min(Math.max(...this.held.keys()), first + MOST_REMEMBERED);
    const unknown: number[] = [];
    for (let place = first; place < end; place++) {
      if (this.held.has(place)) continue;
      const signed = this.forgotten.get(place) ?? this.settled.get(place);
      if (signed === undefined) unknown.push(place);
      else await this.repeat(signed);
    }
    const [suspect] = unknown;
    const isSuspectedTwice = suspect !== undefined && suspect === this.suspect;
    this.suspect = suspect;
    if (!isSuspectedTwice) return [];
    const pending = await this.pending();
    return unknown.filter((place) => place >= pending);
  }

  /** Sends a transaction as it was; known already, mined or too cheap is all the same. */
  async repeat(signed: Signed | undefined): Promise<void> {
    if (signed !== undefined) await this.client.sendRawTransaction({ serializedTransaction: signed.raw }).catch(() => undefined);
  }

  private pending(): Promise<number> {
    return this.client.getTransactionCount({ address: this.address, blockTag: 'pending' });
  }

  /** Whether nothing is mined at a place that nobody holds, whatever was there before. */
  private async isFree(place: number): Promise<boolean> {
    const known = this.forgotten.get(place) ?? this.settled.get(place);
    if (known === undefined) return true;
    if (await this.isMined(known)) {
      this.settle(known);
      return false;
    }
    if (this.forgotten.has(place)) return true;
    await delay(SECOND_LOOK);
    if ((await this.pending()) > place || (await this.isMined(known))) return false;
    this.forgetFrom(place);
    return true;
  }

  /** A chain forgets from a place on. */
  private forgetFrom(place: number): void {
    for (const [nonce, signed] of this.settled) {
      if (nonce < place) continue;
      this.settled.delete(nonce);
      this.forgotten.set(nonce, signed);
    }
  }

  private settle(signed: Signed): void {
    this.forgotten.delete(signed.nonce);
    this.settled.delete(signed.nonce);
    this.settled.set(signed.nonce, signed);
    for (const known of [this.settled, this.forgotten]) {
      for (const nonce of known.keys()) {
        if (known.size <= MOST_REMEMBERED) break;
        known.delete(nonce);
      }
    }
  }

  private isMined({ hash }: Signed): Promise<boolean> {
    return this.client.getTransactionReceipt({ hash }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof TransactionReceiptNotFoundError) return false;
        throw error;
      },
    );
  }
}
