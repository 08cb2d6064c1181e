import type { Address, Hex } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';

/** Adds to a channel's lock, or moves its expiry; neither ever shrinks. From the prover or one of its active keys. */
export function renewChannelCall(
  channels: Address,
  channel: Hex,
  { added = 0n, expiry }: { readonly added?: bigint; readonly expiry: number },
): Call {
  return { address: channels, abi: coverageChannelsAbi, functionName: 'renew', args: [channel, added, expiry] };
}
