import type { Hex } from 'viem';
import { questionOf } from '../../contracts/client/requests/question.ts';
import type { RequestDocument } from '../records/documents.ts';

/** A request as the chain tells it, as far as a prover decides on it. */
export interface AskedNow {
  readonly terms: {
    readonly modelId: Hex;
    readonly tier: number;
    readonly earlyDelivery: boolean;
    readonly coverage: bigint;
    readonly deadline: number;
    readonly callbackGas: number;
  };
  readonly input: Hex;
  readonly fee: bigint;
}

/** What a request asks and on which terms, as it was decided on: claims name it, and the contract refuses any other. */
export function questionOfRequest(request: RequestDocument): Hex {
  const { modelId, input, fee, coverage, deadline, callbackGas, tier, earlyDelivery } = request;
  return questionOf({
    ...{ modelId: modelId as Hex, inputRoot: input as Hex, fee: BigInt(fee), coverage: BigInt(coverage) },
    ...{ deadline, callbackGas, tier, earlyDelivery },
  });
}

/** Whether the chain still holds the request that was decided on: a reorganisation may give its number to another, or other terms. */
export function isStillAsked(request: RequestDocument, { terms, input, fee }: AskedNow): boolean {
  return questionOf({ ...terms, inputRoot: input, fee }) === questionOfRequest(request);
}
