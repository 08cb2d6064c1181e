import type { Address, Chain, Hex, PublicClient, Transport } from 'viem';
import { requestsAbi } from '../generated/requests.ts';
import { type RequestTerms, TIERS, type Tier } from './terms.ts';

const STATUSES = ['none', 'open', 'claimed', 'final', 'faulted', 'refunded'] as const;
export type RequestStatus = (typeof STATUSES)[number];
const DELIVERIES = ['none', 'done', 'failed'] as const;

/** A request as it stands. */
export interface RequestState {
  readonly status: RequestStatus;
  /** Of the final callback. */
  readonly delivery: (typeof DELIVERIES)[number];
  readonly terms: Required<RequestTerms>;
  readonly requester: Address;
  readonly fee: bigint;
  /** Who holds the exclusive period while open; who answered afterwards. */
  readonly prover: Address;
  /** End of the exclusive period while open; time of the answer afterwards. Seconds. */
  readonly time: number;
  /** Root or commitment of the input; zero once a proof has answered. */
  readonly input: Hex;
  /** Root of the output; zero before an answer. */
  readonly output: Hex;
}

/**
 * @example
 * const { status } = await readRequest(client, deployment.requests, 1n);
 */
export async function readRequest(
  client: PublicClient<Transport, Chain | undefined>,
  requests: Address,
  requestId: bigint,
): Promise<RequestState> {
  const view = await client.readContract({ address: requests, abi: requestsAbi, functionName: 'requestOf', args: [requestId] });
  const { status, delivery, terms, requester, fee, prover, time, input, output } = view;
  const tier = (Object.keys(TIERS) as Tier[]).find((name) => TIERS[name] === terms.tier) ?? 'zk';
  return {
    status: STATUSES[status] ?? 'none',
    delivery: DELIVERIES[delivery] ?? 'none',
    terms: { ...terms, tier },
    requester,
    fee,
    prover,
    time,
    input,
    output,
  };
}
