import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';
import { type RequestTerms, termsOnChain } from './terms.ts';

/**
 * Asks with the input in calldata; the contract computes its root. The id is in the `Requested` event of the receipt.
 *
 * @param input canonical bytes of all input tensors, joined in order
 * @param fee wei, held until the request ends
 * @example
 * await sender.send(requestCall(deployment.requests, { modelId, tier: 'zk', deadline }, joinTensors(inputs), parseEther('0.01')));
 */
export function requestCall(requests: Address, terms: RequestTerms, input: Uint8Array, fee: bigint): Call {
  return { address: requests, abi: requestsAbi, functionName: 'request', args: [termsOnChain(terms), bytesToHex(input)], value: fee };
}
