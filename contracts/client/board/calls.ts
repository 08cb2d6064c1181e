import { type Address, bytesToHex, type Hex } from 'viem';
import type { Hash } from '../../../core/brand.ts';
import type { Fault, NodeProof } from '../../../core/dispute/openings.ts';
import type { Unit } from '../../../core/dispute/units.ts';
import { claimBoardAbi } from '../generated/claimBoard.ts';
import type { Call } from '../sender.ts';
import { type ClaimKey, faultCommitment, faultOnChain, nodeProofOnChain, unitOnChain } from './encode.ts';

/**
 * The board's moves as calls to send or simulate, one function each.
 *
 * @example
 * await sender.send(demandCall(board, claim, [TENSOR_ROOTS], await readPrice(client, board, modelId, [TENSOR_ROOTS])));
 */
function call(address: Address, functionName: string, args: readonly unknown[], value?: bigint): Call {
  return { address, abi: claimBoardAbi, functionName, args, ...(value === undefined ? {} : { value }) };
}

/** @param value wei sent; what is over the price is credited, what is missing is taken from the sender's credit */
export function demandCall(board: Address, claim: ClaimKey, units: readonly Unit[], value: bigint): Call {
  return call(board, 'demand', [claim.source, claim.claimId, units.map(unitOnChain)], value);
}

export function demandNodeCall(board: Address, claim: ClaimKey, unit: Unit, proof: NodeProof, value: bigint): Call {
  return call(board, 'demandNode', [claim.source, claim.claimId, unitOnChain(unit), nodeProofOnChain(proof)], value);
}

export interface AnswerInput {
  readonly claim: ClaimKey;
  readonly unit: Unit;
  /** core/dispute/answers.ts */
  readonly data: Uint8Array;
}

/** Answers to demands of any claims, all kinds but the root list. */
export function answerCall(board: Address, answers: readonly AnswerInput[]): Call {
  const encoded = answers.map(({ claim, unit, data }) => ({ ...claim, unit: unitOnChain(unit), data: bytesToHex(data) }));
  return call(board, 'answer', [encoded]);
}

/** Posts the root list; sent by the prover or one of its keys. */
export function answerRootsCall(board: Address, claim: ClaimKey, roots: readonly Hash[]): Call {
  return call(board, 'answerRoots', [claim.source, claim.claimId, roots]);
}

export function expireCall(board: Address, claim: ClaimKey, unit: Unit): Call {
  return call(board, 'expire', [claim.source, claim.claimId, unitOnChain(unit)]);
}

/**
 * Commits to the very `proveFaultCall` of the same arguments, by the same sender.
 * @param salt 32 random bytes, kept until the fault is proven
 */
export function commitFaultCall(board: Address, sender: Address, claim: ClaimKey, fault: Fault, salt: Hex): Call {
  return call(board, 'commitFault', [faultCommitment(sender, claim, fault, salt)]);
}

export function proveFaultCall(board: Address, claim: ClaimKey, fault: Fault, salt: Hex): Call {
  return call(board, 'proveFault', [claim.source, claim.claimId, faultOnChain(fault), salt]);
}

export function returnEscrowCall(board: Address, claim: ClaimKey, units: readonly Unit[]): Call {
  return call(board, 'returnEscrow', [claim.source, claim.claimId, units.map(unitOnChain)]);
}

/** Pays an account's credit to that account. */
export function withdrawCall(board: Address, account: Address): Call {
  return call(board, 'withdraw', [account]);
}
