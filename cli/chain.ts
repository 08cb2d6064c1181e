import { type Deployment, parseDeployment } from '../contracts/client/deployment.ts';
import { type Client, connectEndpoints } from '../contracts/client/rpc/connect.ts';
import { AssayError, withFacts } from '../core/errors.ts';
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

/**
 * The deployment on the client's chain.
 * @param given by the user; `deployments/<chainId>.json` without one
 * @throws AssayError FILE_MISSING …, DEPLOYMENT_INVALID, CHAIN_MISMATCH; DEPLOYMENT_ABSENT where the chain does not hold it
 */
export async function loadDeployment(client: Client, given: string | undefined): Promise<Deployment> {
  const what = 'The deployment file';
  const file = given ?? deploymentFile(client.chain.id);
  const text = await readInputText(file, { what, limit: DEPLOYMENT_LIMIT, fix: 'give --deployment the file that `assay deploy` wrote' });
  const deployment = parsed(text, client, file);
  // Another chain may have the same id: a fork, or a development chain that began anew.
  const names = ['registry', 'vault', 'requests', 'board', 'channels'] as const;
  const codes = await Promise.all(names.map((name) => client.getCode({ address: deployment[name] })));
  const absent = names[codes.indexOf(undefined)];
  if (absent === undefined) return deployment;
  throw new AssayError(`There is no contract at the address of the ${absent}`, {
    code: 'DEPLOYMENT_ABSENT',
    facts: { chain: client.chain.id, address: deployment[absent], file },
    fix: 'give the file that `assay deploy` wrote for this very chain, or the RPC address of that one',
  });
}

function parsed(text: string, client: Client, file: string): Deployment {
  try {
    return parseDeployment(text, client.chain.id);
  } catch (error) {
    throw withFacts(error, { file });
  }
}
