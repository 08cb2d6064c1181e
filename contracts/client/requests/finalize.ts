import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Ends a claim that the board calls final: releases the lock, pays, delivers. Anybody. @param output as claimed */
export function finalizeCall(requests: Address, requestId: bigint, output: Uint8Array): Call {
  return { address: requests, abi: requestsAbi, functionName: 'finalize', args: [requestId, bytesToHex(output)] };
}
