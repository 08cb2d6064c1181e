import { type Chain, createPublicClient, defineChain, http, type PublicClient, type Transport } from 'viem';
import { type Deployment, parseDeployment } from '../contracts/client/deployment.ts';
import { AssayError } from '../core/errors.ts';
import { readInputText } from './files.ts';

export type Client = PublicClient<Transport, Chain>;

/** A client of the chain behind an RPC address; asks for its id, so that an unreachable chain is told at once. */
export async function connect(rpc: string): Promise<Client> {
  const parsed = URL.canParse(rpc) ? new URL(rpc) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new AssayError('The RPC address is not an http or https URL', { code: 'URL_INVALID', fix: 'give --rpc http://HOST:PORT' });
  }
  const transport = http(rpc, { timeout: 10_000, retryCount: 2 });
  let id: number;
  try {
    id = await createPublicClient({ transport }).getChainId();
  } catch (cause) {
    throw new AssayError('The chain does not answer', {
      code: 'CHAIN_UNREACHABLE',
      // Not the whole address: its path may be an API key.
      facts: { host: parsed.host },
      fix: 'check --rpc, and that the chain runs',
      cause,
    });
  }
  const chain = defineChain({
    id,
    name: `chain ${id}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpc] } },
  });
  return createPublicClient({ chain, transport, pollingInterval: 500, cacheTime: 0 });
}

const DEPLOYMENT_LIMIT = 1 << 20;

/** Where `assay deploy` puts the record of a chain, and where the other commands look for it. */
export function deploymentFile(chainId: number): string {
  return `deployments/${chainId}.json`;
}

/** The deployment on the client's chain. @param file given by the user; `deployments/<chainId>.json` without one */
export async function loadDeployment(client: Client, file: string | undefined): Promise<Deployment> {
  const what = 'The deployment file';
  const text = await readInputText(file ?? deploymentFile(client.chain.id), {
    what,
    limit: DEPLOYMENT_LIMIT,
    fix: 'give --deployment the file that `assay deploy` wrote',
  });
  return parseDeployment(text, client.chain.id);
}
