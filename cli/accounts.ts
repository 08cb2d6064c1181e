import type { LocalAccount } from 'viem';
import { mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';
import { DEVELOPMENT_CHAIN, privateKeyFrom } from '../runtime/configuration.ts';
import { type KeystoreFile, readKeystore } from '../runtime/keystore-file.ts';

/** Who signs: the environment variable with the private key, and the well-known account that stands in on the development chain. */
export const ROLES = {
  deployer: { variable: 'ASSAY_DEPLOYER_KEY', index: 0 },
  creator: { variable: 'ASSAY_CREATOR_KEY', index: 1 },
  owner: { variable: 'ASSAY_OWNER_KEY', index: 2 },
  node: { variable: 'ASSAY_NODE_KEY', index: 3 },
  challenger: { variable: 'ASSAY_CHALLENGER_KEY', index: 4 },
  requester: { variable: 'ASSAY_REQUESTER_KEY', index: 5 },
} as const;
export type Role = keyof typeof ROLES;

/** Anvil's published mnemonic: worthless keys, for the chain that Anvil alone runs. */
export const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk';

export function developmentAccount(index: number): LocalAccount {
  return mnemonicToAccount(DEVELOPMENT_MNEMONIC, { addressIndex: index });
}

/** Private key of a development account, for a child process's environment. */
export function developmentKey(index: number): `0x${string}` {
  const key = mnemonicToAccount(DEVELOPMENT_MNEMONIC, { addressIndex: index }).getHdKey().privateKey;
  return `0x${Buffer.from(key ?? new Uint8Array()).toString('hex')}`;
}

/**
 * The account of a role: from the environment, or on the development chain, where nothing is set, the well-known one.
 * @throws AssayError KEY_MISSING, KEY_INVALID
 */
export function accountOf(role: Role, chainId: number): LocalAccount {
  const { variable, index } = ROLES[role];
  if (chainId === DEVELOPMENT_CHAIN && (process.env[variable] ?? '') === '') return developmentAccount(index);
  return privateKeyToAccount(privateKeyFrom(variable));
}

/**
 * Private key of a process that runs: from its keystore where one is configured, else as for every role.
 * @throws AssayError KEY_MISSING, KEY_INVALID, KEYSTORE_INVALID, KEYSTORE_PASSWORD, KEYSTORE_PASSWORD_MISSING, FILE_UNUSABLE
 */
export async function hotKey(role: 'node' | 'challenger', chainId: number, keystore: KeystoreFile | undefined): Promise<`0x${string}`> {
  if (keystore !== undefined) return readKeystore(keystore);
  const { variable, index } = ROLES[role];
  const stands = chainId === DEVELOPMENT_CHAIN && (process.env[variable] ?? '') === '';
  return stands ? developmentKey(index) : privateKeyFrom(variable);
}

/** One line of help about a role's key. */
export function keyHelp(role: Role): string {
  return `\nThe key comes from the environment: ${ROLES[role].variable}=0x… (on chain ${DEVELOPMENT_CHAIN} alone, Anvil's account ${ROLES[role].index} stands in)`;
}
