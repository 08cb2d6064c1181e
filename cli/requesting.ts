import { type Address, bytesToHex, type Hex, hexToBytes, parseEventLogs, type TransactionReceipt } from 'viem';
import { commitInput } from '../circuits/input-commitment.ts';
import type { Deployment } from '../contracts/client/deployment.ts';
import { eventually } from '../contracts/client/eventually.ts';
import { modelRegistryAbi } from '../contracts/client/generated/modelRegistry.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import type { Sender } from '../contracts/client/sender.ts';
import { AssayError } from '../core/errors.ts';
import type { TypedArray } from '../core/tensor.ts';
import { joinTensors, listRoot } from '../core/tensor-list.ts';
import type { Client } from './chain.ts';

export type Tier = 'zk' | 'optimistic';
const TIERS: Readonly<Record<Tier, number>> = { zk: 0, optimistic: 1 };
const COMMITMENT = 2;

/** An input as a request names it. */
export interface RequestInput {
  readonly bytes: Uint8Array;
  /** Root of the tensors, or the Poseidon commitment where a proof sees that. */
  readonly name: Hex;
  /** False where the chain must get the name alone: it cannot compute a commitment. */
  readonly inCalldata: boolean;
}

/** How an input enters a request of a tier on a model. */
export async function nameInput(
  client: Client,
  deployment: Deployment,
  modelId: Hex,
  tier: Tier,
  tensors: readonly TypedArray[],
): Promise<RequestInput> {
  const bytes = joinTensors(tensors);
  const { inputForm } = await client.readContract({
    address: deployment.registry,
    abi: modelRegistryAbi,
    functionName: 'recordOf',
    args: [modelId],
  });
  if (tier === 'zk' && inputForm === 0) {
    throw new AssayError('The model has no zk tier', { code: 'TIER_MISSING', facts: { modelId }, fix: 'ask at the optimistic tier' });
  }
  if (tier === 'zk' && inputForm === COMMITMENT) {
    const commitment = (await commitInput(bytes)).toString(16).padStart(64, '0');
    return { bytes, name: `0x${commitment}`, inCalldata: false };
  }
  return { bytes, name: listRoot(tensors), inCalldata: bytes.length <= MOST_CALLDATA };
}

/** Above this an input goes to the nodes, and its root alone on chain. */
const MOST_CALLDATA = 8_192;

export interface Ask {
  readonly modelId: Hex;
  readonly tier: Tier;
  readonly input: RequestInput;
  readonly fee: bigint;
  readonly coverage: bigint;
  /** Seconds from now until which an answer is accepted. */
  readonly seconds: number;
  /** Where the bytes can be fetched when they are not in calldata. */
  readonly inputUri: string;
}

/** Sends a request. @returns its id and the receipt */
export async function ask(
  client: Client,
  deployment: Deployment,
  sender: Sender,
  given: Ask,
): Promise<{ id: bigint; receipt: TransactionReceipt }> {
  const { timestamp } = await client.getBlock();
  const terms = {
    modelId: given.modelId,
    tier: TIERS[given.tier],
    earlyDelivery: false,
    coverage: given.tier === 'zk' ? 0n : given.coverage,
    deadline: Number(timestamp) + given.seconds,
    inputTimestamp: 0,
    callbackGas: 0,
  };
  const receipt = await sender.send({
    address: deployment.requests,
    abi: requestsAbi,
    value: given.fee,
    ...(given.input.inCalldata
      ? { functionName: 'request', args: [terms, bytesToHex(given.input.bytes)] }
      : { functionName: 'requestByRoot', args: [terms, given.input.name, given.inputUri] }),
  });
  return { id: requestIdIn(receipt), receipt };
}

/** Id of the request that a transaction made. */
export function requestIdIn(receipt: TransactionReceipt): bigint {
  const [event] = parseEventLogs({ abi: requestsAbi, logs: receipt.logs, eventName: 'Requested' });
  if (event === undefined) throw new AssayError('The transaction made no request', { code: 'CHAIN_REFUSED', fix: 'check the arguments' });
  return event.args.requestId;
}

/** Gives input bytes to a node. @throws AssayError NODE_REFUSED, NODE_UNREACHABLE */
export async function uploadInput(node: string, modelId: Hex, bytes: Uint8Array): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${node.replace(/\/+$/, '')}/v1/models/${modelId}/inputs`, {
      method: 'PUT',
      body: bytes,
      headers: { 'content-type': 'application/octet-stream' },
      signal: AbortSignal.timeout(30_000),
    });
  } catch (cause) {
    throw new AssayError('The node does not answer', {
      code: 'NODE_UNREACHABLE',
      facts: { node },
      fix: 'check --node, and that it runs',
      cause,
    });
  }
  if (response.ok) {
    await response.body?.cancel();
    return;
  }
  const text = (await response.text()).slice(0, 300);
  throw new AssayError('The node refused the input', {
    code: 'NODE_REFUSED',
    facts: { node, status: response.status, said: text },
    fix: 'check that it serves the model',
  });
}

/** How a request stands: IRequests.Status by name. */
export const STATUS_NAMES = ['none', 'open', 'claimed', 'final', 'faulted', 'refunded'] as const;
export type StatusName = (typeof STATUS_NAMES)[number];

export async function statusOf(client: Client, deployment: Deployment, id: bigint): Promise<{ status: StatusName; prover: Address }> {
  const view = await client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'requestOf', args: [id] });
  return { status: STATUS_NAMES[view.status] ?? 'none', prover: view.prover };
}

/** Waits until a request has ended. @throws AssayError REQUEST_TIMEOUT */
export async function waitForEnd(client: Client, deployment: Deployment, id: bigint, seconds: number): Promise<StatusName> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const { status } = await statusOf(client, deployment, id);
    if (status === 'final' || status === 'faulted' || status === 'refunded') return status;
    if (Date.now() > end) {
      throw new AssayError('The request has not ended in time', {
        code: 'REQUEST_TIMEOUT',
        facts: { request: id, status, seconds },
        fix: 'check that a node serves the model and has the input; after its deadline the fee can be taken back',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Output bytes of an answered request, from the event that carried them; undefined when no answer comes to light. */
export async function outputOf(client: Client, deployment: Deployment, id: bigint): Promise<Uint8Array | undefined> {
  const common = { address: deployment.requests, abi: requestsAbi, args: { requestId: id }, fromBlock: BigInt(deployment.block) } as const;
  return eventually(async () => {
    const [claimed, fulfilled] = await Promise.all([
      client.getContractEvents({ ...common, eventName: 'Claimed' }),
      client.getContractEvents({ ...common, eventName: 'Fulfilled' }),
    ]);
    const output = fulfilled.at(-1)?.args.output ?? claimed.at(-1)?.args.output;
    return output === undefined ? undefined : hexToBytes(output);
  });
}
