import { type Chain, createPublicClient, defineChain, type PublicClient, type Transport } from 'viem';
import { Endpoints, type EndpointsOptions } from './endpoints.ts';

export type Client = PublicClient<Transport, Chain>;

/** A client of the chain behind some endpoints; asks for its id, so that an unreachable chain is told at once. */
export async function connectEndpoints(options: EndpointsOptions): Promise<Client> {
  const endpoints = new Endpoints(options);
  const transport = endpoints.transport();
  const id = await createPublicClient({ transport }).getChainId();
  const chain = defineChain({
    id,
    name: `chain ${id}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [...options.urls] } },
  });
  return createPublicClient({ chain, transport, pollingInterval: 500, cacheTime: 0 });
}

/** The endpoints behind a client that `connectEndpoints` made. */
export function endpointsOf(client: Client): Endpoints | undefined {
  const { endpoints } = client.transport as { readonly endpoints?: unknown };
  return endpoints instanceof Endpoints ? endpoints : undefined;
}

/** The same chain, with answers that two endpoints give alike where there are two: for what money depends on. */
export function carefulClient(client: Client): Client {
  const endpoints = endpointsOf(client);
  if (endpoints === undefined) return client;
  return createPublicClient({ chain: client.chain, transport: endpoints.transport(true), pollingInterval: 500, cacheTime: 0 });
}
