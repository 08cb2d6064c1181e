import type { Address } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Pays out the fees of the prover that a key is bound to, to that prover itself. From anybody. */
export function collectForCall(requests: Address, key: Address): Call {
  return { address: requests, abi: requestsAbi, functionName: 'collectFor', args: [key] };
}
