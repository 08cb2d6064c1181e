import type { Address } from 'viem';
import { stakeVaultAbi } from '../generated/stakeVault.ts';
import type { Call } from '../sender.ts';

/** Adds ether to an owner's free stake. @param amount wei */
export function depositCall(vault: Address, owner: Address, amount: bigint): Call {
  return { address: vault, abi: stakeVaultAbi, functionName: 'deposit', args: [owner], value: amount };
}
