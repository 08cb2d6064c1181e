import type { Address, Hex } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';

/** Frees the lock of a channel past its expiry of which no receipt is open. From anybody. */
export function closeChannelCall(channels: Address, channel: Hex): Call {
  return { address: channels, abi: coverageChannelsAbi, functionName: 'close', args: [channel] };
}
