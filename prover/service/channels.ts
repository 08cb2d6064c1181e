import { type Address, type Hex, isAddressEqual } from 'viem';
import type { Log } from '../../runtime/log.ts';
import { below, type ChannelDocument, COLLECTION, channelSchema, checked, load, type Pointer } from '../records/documents.ts';
import type { Store } from '../store/port.ts';

/** A channel as its contract has it; undefined when it never was, or is closed. */
export interface ChannelSeen {
  readonly prover: Address;
  readonly customer: Address;
  readonly lock: bigint;
  readonly disputed: bigint;
  readonly expiry: number;
}

export interface ChannelBookParts {
  readonly owner: Address;
  readonly store: Store;
  /** The channel now, on chain. */
  read(channel: Hex): Promise<ChannelSeen | undefined>;
  /** Frees the lock of an expired channel. */
  close(channel: Hex): Promise<void>;
  readonly log: Log;
}

/**
 * The coverage channels of our stake. The chain role writes what its events tell, others read it from the store: who signs receipts
 * needs no chain. A channel appears when its block has the configured confirmations.
 */
export class ChannelBook {
  private readonly parts: ChannelBookParts;

  constructor(parts: ChannelBookParts) {
    this.parts = parts;
  }

  /** A channel of ours was opened, renewed, or lost coverage: what the chain says of it now is remembered. */
  async changed(channel: Hex): Promise<void> {
    const { owner, store, log } = this.parts;
    const seen = await this.parts.read(channel);
    const id = channel.toLowerCase();
    if (seen === undefined) return this.forget(id);
    if (!isAddressEqual(seen.prover, owner)) return;
    const document: ChannelDocument = {
      channel: id,
      customer: seen.customer.toLowerCase(),
      lock: String(seen.lock),
      disputed: String(seen.disputed),
      expiry: seen.expiry,
    };
    await store.put(COLLECTION.channels, id, document);
    await store.put(COLLECTION.channelsOf, `${document.customer}/${id}`, { id } satisfies Pointer);
    log.info({ channel: id, customer: document.customer, lock: document.lock, expiry: document.expiry }, 'a coverage channel of ours');
  }

  /** Blocks were replaced, or a verdict took from a lock: every channel of ours as it stands now. */
  async refresh(): Promise<void> {
    for await (const [id] of below(this.parts.store, COLLECTION.channels, '')) await this.changed(id as Hex);
  }

  /** Releases the locks of channels past their expiry. @param now chain time, unix seconds */
  async release(now: number): Promise<void> {
    const { store, log } = this.parts;
    for await (const [id, document] of below(store, COLLECTION.channels, '')) {
      if (checked(channelSchema, COLLECTION.channels, id, document).expiry >= now) continue;
      try {
        const seen = await this.parts.read(id as Hex);
        if (seen === undefined) await this.forget(id);
        // An open receipt holds the lock until it is settled; a renewal that was not heard of keeps the channel.
        else if (seen.disputed === 0n && seen.expiry < now) await this.parts.close(id as Hex);
      } catch (error) {
        log.warn({ channel: id, error }, 'the lock of an expired channel could not be released; trying again');
      }
    }
  }

  private async forget(id: string): Promise<void> {
    const { store } = this.parts;
    const known = await load(store, channelSchema, COLLECTION.channels, id);
    if (known === undefined) return;
    await store.remove(COLLECTION.channelsOf, `${known.customer}/${id}`);
    await store.remove(COLLECTION.channels, id);
  }
}

/** A channel of ours that receipts may draw on, as it was last seen. */
export function channelOf(store: Store, channel: string): Promise<ChannelDocument | undefined> {
  return load(store, channelSchema, COLLECTION.channels, channel.toLowerCase());
}

/** Our channels for one customer, in no order that means anything. */
export async function channelsOf(store: Store, customer: string): Promise<ChannelDocument[]> {
  const found: ChannelDocument[] = [];
  for await (const [, { id }] of below<Pointer>(store, COLLECTION.channelsOf, `${customer.toLowerCase()}/`)) {
    const channel = await channelOf(store, id);
    if (channel !== undefined) found.push(channel);
  }
  return found;
}
