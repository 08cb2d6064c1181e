import type { Address, Hex } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';

/** Ends a receipt's claim that the board calls final: its coverage backs other receipts again. From anybody. @param claim the receipt's digest */
export function settleReceiptCall(channels: Address, claim: Hex): Call {
  return { address: channels, abi: coverageChannelsAbi, functionName: 'settle', args: [claim] };
}
