import type { Hex } from 'viem';
import type { Deployment } from '../contracts/client/deployment.ts';
import { modelRegistryAbi } from '../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { AssayError } from '../core/errors.ts';
import { encodeRecords, instructionRoot } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { outputForms, splitTensors } from '../core/tensor-list.ts';
import { readOutput } from '../core/values.ts';
import { answerFacts, answerText } from './answer.ts';
import type { Client } from './chain.ts';
import type { Output } from './output.ts';
import type { StatusName } from './requesting.ts';

/** @throws AssayError MODEL_MISMATCH unless the folder holds the program that is registered under the id */
export async function checkModel(client: Client, deployment: Deployment, modelId: Hex, program: Program): Promise<void> {
  const registered = await client.readContract({
    address: deployment.registry,
    abi: modelRegistryAbi,
    functionName: 'instructionRootOf',
    args: [modelId],
  });
  if (registered === instructionRoot(encodeRecords(program))) return;
  throw new AssayError('The folder does not hold the program that is registered under this id', {
    code: 'MODEL_MISMATCH',
    facts: { modelId },
    fix: 'give the folder that was registered, or register this one',
  });
}

export function minimumCoverage(client: Client, deployment: Deployment, modelId: Hex): Promise<bigint> {
  return client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'minimumCoverage', args: [modelId] });
}

/** Prints how a request ended; anything but a final answer is a negative verdict (exit code 1). */
export function printEnd(output: Output, program: Program, id: bigint, status: StatusName, answer: Uint8Array | undefined): void {
  if (status !== 'final' || answer === undefined) {
    throw new AssayError(status === 'faulted' ? 'The answer was shown wrong and slashed; the fee came back' : 'Nobody answered in time', {
      code: status === 'faulted' ? 'ANSWER_FAULTED' : 'ANSWER_MISSING',
      facts: { request: id, status },
      fix: 'ask again',
    });
  }
  const values = readOutput(program, splitTensors(outputForms(program), answer));
  output.result({ event: 'answer', requestId: id, status, ...answerFacts(values) }, `Request ${id} is final.\n${answerText(values)}`);
}
