import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Address, type Hex, parseEventLogs, type TransactionReceipt } from 'viem';
import { eventually } from '../../contracts/client/eventually.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { stakeVaultAbi } from '../../contracts/client/generated/stakeVault.ts';
import { receiptOf as transactionReceipt } from '../../contracts/client/receipt.ts';
import type { Facts } from './announce.ts';
import { type Stage, ZK_NODE } from './stage.ts';

/** Receipt of the transaction that emitted a request's event. */
export async function receiptOf(
  stage: Stage,
  eventName: 'Fulfilled' | 'Finalized' | 'Faulted',
  id: bigint,
): Promise<TransactionReceipt | undefined> {
  const { client, deployment } = stage.net;
  const [event] = await eventually(() =>
    client.getContractEvents({
      address: deployment.requests,
      abi: requestsAbi,
      eventName,
      args: { requestId: id },
      fromBlock: BigInt(deployment.block),
    }),
  );
  return event === undefined ? undefined : transactionReceipt(client, event.transactionHash);
}

/** Milliseconds that the node's proving process took, from the node's own log. */
export async function proofTime(stage: Stage, id: bigint): Promise<number | undefined> {
  const log = await readFile(path.join(stage.net.directory, `${ZK_NODE}.log`), 'utf8');
  for (const line of log.split('\n')) {
    if (!line.includes('"proved"')) continue;
    const { request, milliseconds } = JSON.parse(line) as { request: string; milliseconds: number };
    if (request === String(id)) return milliseconds;
  }
  return undefined;
}

export interface Verdict {
  readonly proven: boolean;
  readonly position: number | undefined;
  readonly element: number | undefined;
  readonly gas: bigint | undefined;
  readonly slashed: bigint;
  readonly burned: bigint;
  readonly refunded: bigint;
  /** Of the lock, to the requester. */
  readonly share: bigint;
  /** Costs and reward, to the challenger. */
  readonly reward: bigint;
}

/** What the transaction that ended a claim did, from its logs. */
export async function verdictOf(stage: Stage, consumer: Address, id: bigint): Promise<Verdict> {
  const receipt = await receiptOf(stage, 'Faulted', id);
  const logs = receipt?.logs ?? [];
  const [proven] = parseEventLogs({ abi: claimBoardAbi, logs, eventName: 'FaultProven' });
  const [slashed] = parseEventLogs({ abi: stakeVaultAbi, logs, eventName: 'Slashed' });
  const [refunded] = parseEventLogs({ abi: requestsAbi, logs, eventName: 'Refunded' });
  const credits = parseEventLogs({ abi: stakeVaultAbi, logs, eventName: 'Credited' });
  const creditOf = (account: Address): bigint =>
    credits.filter(({ args }) => args.to.toLowerCase() === account.toLowerCase()).reduce((sum, { args }) => sum + args.amount, 0n);
  return {
    proven: proven !== undefined,
    position: proven?.args.position,
    element: proven?.args.element,
    gas: receipt?.gasUsed,
    slashed: slashed?.args.amount ?? 0n,
    burned: slashed?.args.burned ?? 0n,
    refunded: refunded?.args.fee ?? 0n,
    share: creditOf(consumer),
    reward: creditOf(stage.challenger),
  };
}

export const ZERO = `0x${'0'.repeat(64)}`;

export function claimHex(id: bigint): Hex {
  return `0x${id.toString(16).padStart(64, '0')}`;
}

export function disputeOf(stage: Stage, id: bigint) {
  const { client, deployment } = stage.net;
  return client.readContract({
    address: deployment.board,
    abi: claimBoardAbi,
    functionName: 'disputeOf',
    args: [deployment.requests, claimHex(id)],
  });
}

export async function statusIs(stage: Stage, id: bigint): Promise<'open' | 'answered'> {
  const { client, deployment } = stage.net;
  const view = await client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'requestOf', args: [id] });
  return view.status === 1 ? 'open' : 'answered';
}

/** Answers posted for a claim, and what they paid. */
export async function answersTo(stage: Stage, id: bigint): Promise<{ count: number; fees: bigint }> {
  const { client, deployment } = stage.net;
  const common = {
    address: deployment.board,
    abi: claimBoardAbi,
    args: { source: deployment.requests, claimId: claimHex(id) },
    fromBlock: BigInt(deployment.block),
  } as const;
  const [answered, roots] = await Promise.all([
    client.getContractEvents({ ...common, eventName: 'Answered' }),
    client.getContractEvents({ ...common, eventName: 'RootsPosted' }),
  ]);
  const fees: Facts[] = [...answered, ...roots].map(({ args }) => args);
  return { count: fees.length, fees: fees.reduce((sum, { fee }) => sum + (fee as bigint), 0n) };
}
