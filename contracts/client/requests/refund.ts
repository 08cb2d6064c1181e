import type { Address } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Returns the fee of a request that nobody answered in time, or whose model or key was disabled; the requester collects it. Anybody. */
export function refundCall(requests: Address, requestId: bigint): Call {
  return { address: requests, abi: requestsAbi, functionName: 'refund', args: [requestId] };
}
