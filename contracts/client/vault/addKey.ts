import type { Address, Chain, Hex, LocalAccount, PublicClient, Transport } from 'viem';
import { stakeVaultAbi } from '../generated/stakeVault.ts';
import type { Call } from '../sender.ts';

/** The key's consent to be bound to an owner, for good: nobody binds a key that does not sign this. */
export async function signKeyBinding(
  client: PublicClient<Transport, Chain | undefined>,
  vault: Address,
  owner: Address,
  key: LocalAccount,
): Promise<Hex> {
  const args = [owner, key.address] as const;
  const digest = await client.readContract({ address: vault, abi: stakeVaultAbi, functionName: 'keyDigest', args });
  if (key.sign === undefined) throw new TypeError('The key must be an account that signs digests, such as privateKeyToAccount gives');
  return key.sign({ hash: digest });
}

/** Binds a hot signing key to the sending owner. @param signature from `signKeyBinding` */
export function addKeyCall(vault: Address, key: Address, signature: Hex): Call {
  return { address: vault, abi: stakeVaultAbi, functionName: 'addKey', args: [key, signature] };
}
