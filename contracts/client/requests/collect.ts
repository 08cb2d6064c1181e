import type { Address } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Pays out the sender's fees, royalties and refunds. */
export function collectCall(requests: Address, to: Address): Call {
  return { address: requests, abi: requestsAbi, functionName: 'collect', args: [to] };
}
