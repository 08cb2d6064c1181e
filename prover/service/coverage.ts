import { randomInt } from 'node:crypto';
import { AssayError } from '../../core/errors.ts';
import { type ChannelDocument, chainTime, checked } from '../records/documents.ts';
import { type CoverageDocument, coverageDocument, HTTP_COLLECTION } from '../records/http-documents.ts';
import type { Store } from '../store/port.ts';
import { channelOf } from './channels.ts';
import type { Backing } from './receipts.ts';

export interface CoverageParts {
  readonly store: Store;
  /** Wei below which a claim on this model is not worth challenging, as the board says now. */
  minimumCoverage(modelId: string): Promise<bigint>;
  /** Seconds for which a receipt can be opened. */
  readonly receiptSeconds: number;
}

/** Expiries are rounded up to so many steps of a receipt's life, to sum what expires together. */
const STEPS = 32;
/** Coverage counts so long beyond its expiry: a reorganisation can take the chain's time back. */
export const MARGIN_SECONDS = 300;
/** A receipt that expires sooner helps nobody. */
const LEAST_SECONDS = 60;
/** Without a choice of the customer: room for the minimum to rise with the price of gas until the receipt is opened. */
const USUAL_MINIMA = 2n;

/** Draws receipts' coverage from channels: what CoverageChannels.sol asks of a receipt, and what it slashes for, is decided here. */
export class Coverage {
  private readonly parts: CoverageParts;

  constructor(parts: CoverageParts) {
    this.parts = parts;
  }

  /**
   * Takes a nonce and coverage, for good: what is not used is given back by its expiry alone. It is durable when this resolves, so
   * no crash between here and the signature can give a nonce twice.
   * @param customer Ethereum address behind the caller's API key
   * @throws AssayError CHANNEL_REFUSED, CHANNEL_EXHAUSTED, COVERAGE_REFUSED
   */
  async draw(channel: string, customer: string | undefined, modelId: string, wanted: string | undefined): Promise<Backing> {
    const { store } = this.parts;
    const known = await channelOf(store, channel);
    if (known === undefined || customer === undefined || known.customer !== customer.toLowerCase()) throw foreign(channel);
    const coverage = await this.amount(modelId, wanted);
    const wall = Math.floor(Date.now() / 1000);
    const chain = await chainTime(store);
    const expiry = this.expiry(known, Math.max(wall, chain));
    const floor = nonceFloor(Date.now());
    let backing: Backing | undefined;
    await store.update<CoverageDocument>(HTTP_COLLECTION.coverage, channel, (found) => {
      const before = found === undefined ? NONE : checked(coverageDocument, HTTP_COLLECTION.coverage, channel, found);
      const next = drawn(before, { channel: known, coverage, expiry, wall, chain, floor });
      backing = next?.backing;
      return next?.document;
    });
    if (backing === undefined) throw exhausted(known, coverage);
    return backing;
  }

  private async amount(modelId: string, wanted: string | undefined): Promise<bigint> {
    const minimum = await this.parts.minimumCoverage(modelId);
    const coverage = wanted === undefined ? USUAL_MINIMA * minimum : BigInt(wanted);
    if (coverage >= minimum && coverage > 0n) return coverage;
    throw new AssayError('So little coverage makes no receipt that could be opened', {
      code: 'COVERAGE_REFUSED',
      facts: { coverage, minimum },
      fix: 'ask for more, or leave the choice to the node',
    });
  }

  private expiry(channel: ChannelDocument, now: number): number {
    const step = Math.max(1, Math.floor(this.parts.receiptSeconds / STEPS));
    const rounded = Math.ceil((now + this.parts.receiptSeconds) / step) * step;
    const expiry = Math.min(channel.expiry, rounded);
    if (expiry >= now + LEAST_SECONDS) return expiry;
    throw new AssayError('The channel expires too soon for another receipt', {
      code: 'CHANNEL_EXHAUSTED',
      facts: { channel: channel.channel, expiry: channel.expiry },
      fix: 'ask the prover to renew the channel, or take an unsecured receipt',
    });
  }
}

const NONE: CoverageDocument = { nonce: '0', drawn: [] };

const NONCES_A_MILLISECOND = 1_000_000;

/**
 * Nonces begin at this machine's clock, and anywhere within its millisecond: so not even a store that came back from an old copy gives one
 * twice, nor do two machines that hold the same key by mistake and know nothing of each other. @param now unix milliseconds
 */
export function nonceFloor(now: number): bigint {
  return BigInt(now) * BigInt(NONCES_A_MILLISECOND) + BigInt(randomInt(NONCES_A_MILLISECOND));
}

interface Draw {
  readonly channel: ChannelDocument;
  readonly coverage: bigint;
  readonly expiry: number;
  /** This machine's time and the chain's, unix seconds; the chain's is 0 before it was seen. */
  readonly wall: number;
  readonly chain: number;
  /** Least nonce that is given now (`nonceFloor`). */
  readonly floor: bigint;
}

/**
 * One receipt's share of a channel; undefined where the lock does not cover it. Pure.
 *
 * Coverage counts until both clocks say that it expired some time ago. Open claims hold their part of the lock beside it, so that a receipt which was
 * opened counts twice until it expires: too much, never too little. Nonces rise, and are never below `floor`.
 */
export function drawn(
  before: CoverageDocument,
  { channel, coverage, expiry, wall, chain, floor }: Draw,
): { readonly document: CoverageDocument; readonly backing: Backing } | undefined {
  const unexpired = before.drawn.filter((one) => one.expiry + MARGIN_SECONDS >= Math.min(wall, chain));
  const outstanding = unexpired.reduce((sum, one) => sum + BigInt(one.coverage), coverage);
  if (outstanding > BigInt(channel.lock) - BigInt(channel.disputed)) return undefined;
  const last = BigInt(before.nonce);
  const nonce = last >= floor ? last + 1n : floor;
  const others = unexpired.filter((one) => one.expiry !== expiry);
  const same = unexpired.filter((one) => one.expiry === expiry).reduce((sum, one) => sum + BigInt(one.coverage), coverage);
  return {
    document: { nonce: String(nonce), drawn: [...others, { expiry, coverage: String(same) }] },
    backing: { channel: channel.channel, nonce, coverage, outstanding, expiry },
  };
}

function foreign(channel: string): AssayError {
  return new AssayError('This caller has no such coverage channel with this prover', {
    code: 'CHANNEL_REFUSED',
    facts: { channel },
    fix: "ask with the API key of the channel's customer, once the chain has confirmed the channel",
  });
}

function exhausted({ channel, lock, disputed }: ChannelDocument, coverage: bigint): AssayError {
  return new AssayError('The rest of the channel does not cover another receipt', {
    code: 'CHANNEL_EXHAUSTED',
    facts: { channel, lock, disputed, coverage },
    fix: 'wait until receipts expire, ask the prover to add to the lock, or take an unsecured receipt',
  });
}
