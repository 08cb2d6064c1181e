import { type Address, bytesToHex } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import type { Call } from '../sender.ts';
import type { ClaimedAnswer } from './claim.ts';

/** Many claims in one transaction, about 29,000 gas each; requests that another answered or reserved, or that ask anything else, are left out. */
export function claimBatchCall(requests: Address, answers: readonly ClaimedAnswer[]): Call {
  const ids = answers.map(({ requestId }) => requestId);
  const questions = answers.map(({ question }) => question);
  const outputs = answers.map(({ output }) => bytesToHex(output));
  return { address: requests, abi: requestsAbi, functionName: 'claimBatch', args: [ids, questions, outputs] };
}
