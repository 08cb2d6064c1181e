import type { Address } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';
import { receiptOnChain, type SignedFields } from './receipt.ts';

/**
 * Makes a receipt a claim on the board: its id there is the receipt's digest, its source the channels' contract. From the channel's
 * customer, until the receipt expires.
 */
export function openReceiptCall(channels: Address, { receipt, signature }: SignedFields): Call {
  return { address: channels, abi: coverageChannelsAbi, functionName: 'openReceipt', args: [receiptOnChain(receipt), signature] };
}
