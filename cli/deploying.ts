import { createWalletClient, http, type LocalAccount } from 'viem';
import {
  type DeployedAssay,
  type DeploymentConstants,
  deployAssay,
  LOCAL_CONSTANTS,
  PUBLIC_CONSTANTS,
} from '../contracts/client/deploy.ts';
import { DEVELOPMENT_CHAIN } from '../runtime/configuration.ts';
import type { Client } from './chain.ts';

type Overrides = { readonly [Name in keyof DeploymentConstants]?: DeploymentConstants[Name] | undefined };

/** Deploys with the constants of the kind of chain it is, changed where told. */
export async function deployTo(client: Client, account: LocalAccount, overrides: Overrides): Promise<DeployedAssay> {
  const defaults = client.chain.id === DEVELOPMENT_CHAIN ? LOCAL_CONSTANTS : PUBLIC_CONSTANTS;
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const wallet = createWalletClient({ account, chain: client.chain, transport: http(client.chain.rpcUrls.default.http[0]) });
  return deployAssay(wallet, client, { ...defaults, ...given });
}
