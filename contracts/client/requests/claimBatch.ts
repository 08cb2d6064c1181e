import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';

/** Many claims in one transaction, about 26,000 gas each; requests that another answered or reserved are left out. */
export function claimBatchCall(requests: Address, answers: readonly { readonly requestId: bigint; readonly output: Uint8Array }[]): Call {
  const ids = answers.map(({ requestId }) => requestId);
  return { address: requests, abi: requestsAbi, functionName: 'claimBatch', args: [ids, answers.map(({ output }) => bytesToHex(output))] };
}
