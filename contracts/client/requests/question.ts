import { encodeAbiParameters, type Hex, keccak256 } from 'viem';

/** What a claim names beside the request's number, which a reorganisation may give to another: `keccak256(modelId ‖ input root)`. */
export function questionOf(modelId: Hex, inputRoot: Hex): Hex {
  return keccak256(encodeAbiParameters([{ type: 'bytes32' }, { type: 'bytes32' }], [modelId, inputRoot]));
}
