import type { Address } from 'viem';
import { stakeVaultAbi } from '../generated/stakeVault.ts';
import type { Call } from '../sender.ts';

/** Ends a key's right to make new claims; what it signed before stays binding. From the owner. */
export function retireKeyCall(vault: Address, key: Address): Call {
  return { address: vault, abi: stakeVaultAbi, functionName: 'retireKey', args: [key] };
}
