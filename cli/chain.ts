import { type Deployment, parseDeployment } from '../contracts/client/deployment.ts';
import { type Client, connectEndpoints } from '../contracts/client/rpc/connect.ts';
import { AssayError } from '../core/errors.ts';
import { readInputText } from './files.ts';

export type { Client };

/**
 * A client of the chain behind an RPC address, or a list of them; asks for its id, so that an unreachable chain is told at once.
 * @throws AssayError URL_INVALID, CHAIN_UNREACHABLE
 */
export async function connect(rpc: string | readonly string[]): Promise<Client> {
  const urls = typeof rpc === 'string' ? [rpc] : rpc;
  for (const url of urls) {
    const { protocol } = URL.canParse(url) ? new URL(url) : { protocol: '' };
    if (protocol !== 'http:' && protocol !== 'https:') {
      throw new AssayError('The RPC address is not an http or https URL', { code: 'URL_INVALID', fix: 'give --rpc http://HOST:PORT' });
    }
  }
  try {
    return await connectEndpoints({ urls });
  } catch (error) {
    // viem wraps what its transport throws.
    for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof AssayError) throw at;
    throw error;
  }
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
