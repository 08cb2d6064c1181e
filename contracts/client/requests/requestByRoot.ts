import type { Address, Hex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';
import { type RequestTerms, termsOnChain } from './terms.ts';

/**
 * Asks with the input's root, or for a zk request on a model of form 2 with its Poseidon commitment (circuits/input-commitment.ts).
 *
 * @param inputUri where provers find the bytes; a hint of at most 512 bytes
 * @param fee wei, held until the request ends
 */
export function requestByRootCall(requests: Address, terms: RequestTerms, inputRoot: Hex, inputUri: string, fee: bigint): Call {
  return {
    address: requests,
    abi: requestsAbi,
    functionName: 'requestByRoot',
    args: [termsOnChain(terms), inputRoot, inputUri],
    value: fee,
  };
}
