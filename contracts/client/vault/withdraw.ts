import type { Address } from 'viem';
import { stakeVaultAbi } from '../generated/stakeVault.ts';
import type { Call } from '../sender.ts';

/** Pays out of the sender's free stake, at will; locks stay. @param amount wei */
export function withdrawCall(vault: Address, amount: bigint, to: Address): Call {
  return { address: vault, abi: stakeVaultAbi, functionName: 'withdraw', args: [amount, to] };
}
