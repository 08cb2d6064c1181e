import type { Address } from 'viem';
import { coverageChannelsAbi } from '../generated/coverageChannels.ts';
import type { Call } from '../sender.ts';
import { receiptOnChain, type SignedFields } from './receipt.ts';

/** Slashes the coverage of two different receipts with one nonce, neither of them open. From the channel's customer. */
export function proveDoubleNonceCall(channels: Address, one: SignedFields, other: SignedFields): Call {
  const args = [receiptOnChain(one.receipt), one.signature, receiptOnChain(other.receipt), other.signature];
  return { address: channels, abi: coverageChannelsAbi, functionName: 'proveDoubleNonce', args };
}
