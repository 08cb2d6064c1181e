import { type Address, type Hex, parseEventLogs, type TransactionReceipt } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';

export interface ChannelTerms {
  /** Who alone may open the channel's receipts. */
  readonly customer: Address;
  /** Free stake to lock, wei; more than 0. */
  readonly amount: bigint;
  /** Last second at which a receipt of the channel can be opened; at most a year ahead. */
  readonly expiry: number;
}

/**
 * Locks free stake behind one customer's receipts. From the prover or one of its active keys; about 130,000 gas.
 *
 * @example
 * const channel = channelOpened(await sender.send(openChannelCall(deployment.channels, terms)));
 */
export function openChannelCall(channels: Address, { customer, amount, expiry }: ChannelTerms): Call {
  return { address: channels, abi: coverageChannelsAbi, functionName: 'open', args: [customer, amount, expiry] };
}

/** Id of the channel that a transaction opened: what its receipts name. Undefined when it opened none. */
export function channelOpened({ logs }: TransactionReceipt): Hex | undefined {
  return parseEventLogs({ abi: coverageChannelsAbi, eventName: 'ChannelOpened', logs })[0]?.args.channelId;
}
