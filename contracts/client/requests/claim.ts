import { type Address, bytesToHex, type Hex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';
import { questionOf } from './question.ts';

/** An answer to a request, with what it is an answer to: the model that ran and the root of the input that it ran on. */
export interface ClaimedAnswer {
  readonly requestId: bigint;
  readonly modelId: Hex;
  readonly inputRoot: Hex;
  /** Canonical bytes of all outputs, joined. */
  readonly output: Uint8Array;
}

/** Answers under stake: locks the request's coverage. From a signing key; reverts when the request asks anything else. */
export function claimCall(requests: Address, { requestId, modelId, inputRoot, output }: ClaimedAnswer): Call {
  const args = [requestId, questionOf(modelId, inputRoot), bytesToHex(output)];
  return { address: requests, abi: requestsAbi, functionName: 'claim', args };
}
