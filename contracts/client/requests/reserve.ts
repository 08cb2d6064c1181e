import type { Address, Hex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/**
 * Takes the request's one exclusive period, for a bond of a tenth of its fee out of the prover's free stake. From a signing key;
 * reverts when the request asks anything but `question` (`questionOf`).
 */
export function reserveCall(requests: Address, requestId: bigint, question: Hex): Call {
  return { address: requests, abi: requestsAbi, functionName: 'reserve', args: [requestId, question] };
}
