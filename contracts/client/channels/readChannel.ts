import { type Address, type Chain, type Hex, type PublicClient, type Transport, zeroAddress } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';

/** A channel as it stands. Amounts in wei, times in seconds. */
export interface ChannelState {
  readonly prover: Address;
  readonly customer: Address;
  /** No receipt opens later. */
  readonly expiry: number;
  /** What answers for the channel's receipts, those of open claims included. */
  readonly lock: bigint;
  /** The part of the lock that open claims hold. */
  readonly disputed: bigint;
}

/** A channel; undefined when it never was, or is closed. */
export async function readChannel(
  client: PublicClient<Transport, Chain | undefined>,
  channels: Address,
  channel: Hex,
): Promise<ChannelState | undefined> {
  const state = await client.readContract({ address: channels, abi: coverageChannelsAbi, functionName: 'channelOf', args: [channel] });
  return state.prover === zeroAddress ? undefined : state;
}
