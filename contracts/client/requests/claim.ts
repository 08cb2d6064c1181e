import { type Address, bytesToHex, type Hex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** An answer to a request, with what it is an answer to. */
export interface ClaimedAnswer {
  readonly requestId: bigint;
  /** Of the request as it was when the prover decided on it (`questionOf`): model, input and terms. */
  readonly question: Hex;
  /** Canonical bytes of all outputs, joined. */
  readonly output: Uint8Array;
}

/** Answers under stake: locks the request's coverage. From a signing key; reverts when the request asks anything else. */
export function claimCall(requests: Address, { requestId, question, output }: ClaimedAnswer): Call {
  return { address: requests, abi: requestsAbi, functionName: 'claim', args: [requestId, question, bytesToHex(output)] };
}
