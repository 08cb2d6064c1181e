import { expect } from 'vitest';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { until } from '../node/network.ts';
import type { ChaosCustomers, HttpAnswer } from './chaos-customers.ts';
import type { ChaosNode } from './chaos-node.ts';

export interface Accounts {
  /** Requests that the chain holds, each answered. */
  readonly answered: number;
  /** Demands that the chain holds, each answered. */
  readonly demands: number;
  /** Claims, each final. */
  readonly final: number;
}

const PATIENCE_SECONDS = 400;
const DEMAND_ANSWERED = 2;
const RECEIPT_LANES = 4;
/** Seconds beyond the last moment of any dispute here. */
const PAST_DISPUTES = 900;

/** Waits until the chain is quiet: every request answered, every demand too, every claim final. */
export async function settleChain(node: ChaosNode, customers: ChaosCustomers): Promise<Accounts> {
  const answered = await quiet('answers', () => missing(node, ['Requested'], ['Claimed', 'Fulfilled']));
  const demands = await demandsOf(node);
  await quiet('answers to demands', async () => {
    const open = await Promise.all(demands.map(async (id) => ({ id, status: await customers.demandStatus(id) })));
    return { all: demands, left: open.filter(({ status }) => status !== DEMAND_ANSWERED).map(({ id }) => id) };
  });
  // Every clock was met: what is left of their disputes is waiting.
  await node.chain.ahead(PAST_DISPUTES);
  const final = await quiet('finality', () => missing(node, ['Claimed'], ['Finalized', 'Faulted']));
  return { answered: answered.length, demands: demands.length, final: final.length };
}

/** Everything that the chain ever held, read once more from its first block. */
export async function checkChain(node: ChaosNode, customers: ChaosCustomers): Promise<void> {
  const expected = new Map<string, string>(customers.questions.map(({ asked }) => [asked!.input, asked!.expected]));
  const requested = await eventsOf(node, 'Requested');
  const answers = new Map<bigint, string[]>();
  for (const name of ['Claimed', 'Fulfilled'] as const) {
    for (const { requestId, output } of await eventsOf(node, name)) {
      answers.set(requestId, [...(answers.get(requestId) ?? []), output ?? '']);
    }
  }
  for (const { requestId, inputRoot } of requested) {
    expect(answers.get(requestId), `answers to request ${requestId}`).toEqual([expected.get(inputRoot!)]);
  }
  const onChain = new Set(requested.map(({ requestId, inputRoot }) => `${requestId}/${inputRoot}`));
  for (const { asked } of customers.questions) expect(onChain).toContain(`${asked!.id}/${asked!.input}`);
  expect(new Set(customers.questions.map(({ asked }) => asked!.id)).size).toBe(customers.questions.length);
  expect(await eventsOf(node, 'Faulted')).toEqual([]);
  for (const id of await demandsOf(node)) expect(await customers.demandStatus(id), `demand on request ${id}`).toBe(DEMAND_ANSWERED);
}

/** Every receipt is there as it was given, and asked again under its key the same answer comes, from whichever process. */
export async function checkReceipts(node: ChaosNode, customers: ChaosCustomers): Promise<void> {
  const given = [...customers.given];
  const check = async ([number, answer]: [number, HttpAnswer]): Promise<void> => {
    expect(answer.output, `question ${number}`).toBe(node.net.question('optimistic', number % 500).expected);
    const stored = (await customers.fetchJson(`/v1/receipts/${answer.id}`)) as HttpAnswer;
    expect([stored.id, stored.output], `receipt of question ${number}`).toEqual([answer.id, answer.output]);
    if (number % 10 === 0) expect(await customers.infer(number)).toEqual(answer);
  };
  const lane = async (first: number): Promise<void> => {
    for (let i = first; i < given.length; i += RECEIPT_LANES) await check(given[i]!);
  };
  await Promise.all(Array.from({ length: RECEIPT_LANES }, (_, first) => lane(first)));
}

type RequestEvent = 'Requested' | 'Claimed' | 'Fulfilled' | 'Finalized' | 'Faulted';
interface EventSeen {
  readonly requestId: bigint;
  readonly inputRoot?: string;
  readonly output?: string;
}

async function eventsOf({ net: { net } }: ChaosNode, eventName: RequestEvent): Promise<EventSeen[]> {
  const { client, deployment } = net;
  const events = await client.getContractEvents({ address: deployment.requests, abi: requestsAbi, eventName, fromBlock: 0n });
  return events.map(({ args }) => args as unknown as EventSeen);
}

/** Requests of which the chain demands the roots of a claim. */
async function demandsOf({ net: { net } }: ChaosNode): Promise<bigint[]> {
  const { client, deployment } = net;
  const events = await client.getContractEvents({ address: deployment.board, abi: claimBoardAbi, eventName: 'Demanded', fromBlock: 0n });
  return events.map(({ args }) => BigInt(args.claimId ?? '0x0'));
}

/** Requests with one of some events that have none of others. */
async function missing(node: ChaosNode, some: readonly RequestEvent[], others: readonly RequestEvent[]) {
  const idsOf = async (names: readonly RequestEvent[]): Promise<bigint[]> =>
    (await Promise.all(names.map((name) => eventsOf(node, name)))).flat().map(({ requestId }) => requestId);
  const [all, done] = await Promise.all([idsOf(some), idsOf(others)]);
  const ended = new Set(done);
  return { all, left: all.filter((id) => !ended.has(id)) };
}

async function quiet(what: string, look: () => Promise<{ readonly all: readonly bigint[]; readonly left: readonly bigint[] }>) {
  let seen = await look();
  const isDone = async (): Promise<boolean> => {
    seen = await look();
    return seen.left.length === 0;
  };
  await until(what, isDone, PATIENCE_SECONDS).catch((error: Error) => {
    throw new Error(`${error.message}; left: requests ${seen.left.slice(0, 20).join(', ')}`);
  });
  return seen.all;
}
