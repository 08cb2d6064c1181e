import { type Address, bytesToHex, encodeFunctionData, encodePacked, type Hex, keccak256 } from 'viem';
import type { Hash } from '../../../core/brand.ts';
import type { Fault, NodeProof } from '../../../core/dispute/openings.ts';
import { UNIT_KINDS, type Unit } from '../../../core/dispute/units.ts';
import { claimBoardAbi } from '../generated/claimBoard.ts';

/** A claim as the board names it. */
export interface ClaimKey {
  readonly source: Address;
  readonly claimId: Hex;
}

/** A request's id as the board names its claim: one word. */
export function claimHex(requestId: string): Hex {
  return `0x${BigInt(requestId).toString(16).padStart(64, '0')}`;
}

/** A unit as the contract spells it (IClaimBoard.Unit). */
export function unitOnChain(unit: Unit) {
  const { position, height, index, elementType, length } = unit;
  return { kind: UNIT_KINDS.indexOf(unit.kind), position, height, index, elementType, length };
}

/** A unit as an event tells it; undefined for a kind that this version does not know. */
export function unitFromChain(unit: { readonly kind: number } & Omit<Unit, 'kind'>): Unit | undefined {
  const kind = UNIT_KINDS[unit.kind];
  if (kind === undefined) return undefined;
  const { position, height, index, elementType, length } = unit;
  return { kind, position, height, index, elementType, length };
}

/** Bytes as hex, everything else as it is (IClaimBoard.NodeProof). */
export function nodeProofOnChain(proof: NodeProof) {
  return { ...proof, record: bytesToHex(proof.record) };
}

/** Bytes as hex, everything else as it is (IClaimBoard.Fault). */
export function faultOnChain(fault: Fault) {
  return { ...fault, record: bytesToHex(fault.record), leaf: bytesToHex(fault.leaf), evidence: bytesToHex(fault.evidence) };
}

/** Calldata of `proveFault`: what a commitment binds. */
export function proveFaultData(claim: ClaimKey, fault: Fault, salt: Hex): Hex {
  return encodeFunctionData({
    abi: claimBoardAbi,
    functionName: 'proveFault',
    args: [claim.source, claim.claimId, faultOnChain(fault), salt],
  });
}

/** `keccak256(sender ‖ calldata of proveFault)`: what `commitFault` takes. */
export function faultCommitment(sender: Address, claim: ClaimKey, fault: Fault, salt: Hex): Hash {
  return keccak256(encodePacked(['address', 'bytes'], [sender, proveFaultData(claim, fault, salt)])) as Hash;
}
