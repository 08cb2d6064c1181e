import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Runs a failed final callback again, with all the gas that the transaction has. Anybody. */
export function retryDeliveryCall(requests: Address, requestId: bigint, output: Uint8Array): Call {
  return { address: requests, abi: requestsAbi, functionName: 'retryDelivery', args: [requestId, bytesToHex(output)] };
}
