import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** All bytes as the contract takes them. */
export interface ProvenAnswer {
  /** Words of the verification key (core/zk-encoding.ts). */
  readonly key: Uint8Array;
  /** 256 bytes, made for `contextOf(requestId, prover, modelId)`. */
  readonly proof: Uint8Array;
  /** Input bytes for a model of input form 1; empty for form 2. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** Answers with a proof: final, paid and delivered in this transaction. From a signing key of the prover in the proof's context. */
export function fulfilProofCall(requests: Address, requestId: bigint, { key, proof, input, output }: ProvenAnswer): Call {
  const bytes = [key, proof, input, output].map((part) => bytesToHex(part));
  return { address: requests, abi: requestsAbi, functionName: 'fulfilProof', args: [requestId, ...bytes] };
}
