import { type Address, type Hex, isAddressEqual } from 'viem';
import { type ClaimKey, claimHex } from './encode.ts';

/** The two contracts that put claims on the board. */
export interface ClaimSources {
  readonly requests: Address;
  readonly channels: Address;
}

/**
 * Claims have one name each in the node, the challenger and over HTTP: the decimal number of the request, or the 0x-digest of the
 * receipt that its customer opened.
 */
export function isReceiptName(name: string): boolean {
  return name.startsWith('0x');
}

/** A claim as the board names it. */
export function claimKeyOf({ requests, channels }: ClaimSources, name: string): ClaimKey {
  return isReceiptName(name) ? { source: channels, claimId: name as Hex } : { source: requests, claimId: claimHex(name) };
}

/** The name of a claim that the board's events tell of; undefined for another deployment's source. */
export function claimNameOf({ requests, channels }: ClaimSources, { source, claimId }: ClaimKey): string | undefined {
  if (isAddressEqual(source, requests)) return String(BigInt(claimId));
  return isAddressEqual(source, channels) ? claimId.toLowerCase() : undefined;
}
