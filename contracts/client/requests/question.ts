import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters } from 'viem';

/** What a request asks, and all of its terms that a prover decides on. Amounts in wei. */
export interface Question {
  readonly modelId: Hex;
  /** Root of the input; for a zk request on a model of input form 2, its commitment. */
  readonly inputRoot: Hex;
  readonly coverage: bigint;
  readonly fee: bigint;
  /** Seconds. */
  readonly deadline: number;
  readonly callbackGas: number;
  /** 0 zk, 1 optimistic (`TIERS`). */
  readonly tier: number;
  readonly earlyDelivery: boolean;
}

const PARAMETERS = parseAbiParameters('bytes32, bytes32, uint88, uint88, uint40, uint24, uint8, bool');

/** What a claim or a reservation names beside the request's number, which a reorganisation may give to another (IRequests.claim). */
export function questionOf(question: Question): Hex {
  const { modelId, inputRoot, coverage, fee, deadline, callbackGas, tier, earlyDelivery } = question;
  return keccak256(encodeAbiParameters(PARAMETERS, [modelId, inputRoot, coverage, fee, deadline, callbackGas, tier, earlyDelivery]));
}
