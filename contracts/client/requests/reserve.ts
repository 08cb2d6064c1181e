import type { Address } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Takes the request's one exclusive period, for a bond of a tenth of its fee out of the prover's free stake. From a signing key. */
export function reserveCall(requests: Address, requestId: bigint): Call {
  return { address: requests, abi: requestsAbi, functionName: 'reserve', args: [requestId] };
}
