import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Answers under stake: locks the request's coverage. From a signing key. @param output canonical bytes of all outputs, joined */
export function claimCall(requests: Address, requestId: bigint, output: Uint8Array): Call {
  return { address: requests, abi: requestsAbi, functionName: 'claim', args: [requestId, bytesToHex(output)] };
}
