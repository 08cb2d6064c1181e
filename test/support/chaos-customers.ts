import { setTimeout as pause } from 'node:timers/promises';
import { ROLES } from '../../cli/accounts.ts';
import { STATUS_NAMES, type Tier } from '../../cli/requesting.ts';
import { demandCall } from '../../contracts/client/board/calls.ts';
import { claimHex, unitOnChain } from '../../contracts/client/board/encode.ts';
import { readPrice } from '../../contracts/client/board/read.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import type { ChaosNode } from './chaos-node.ts';
import type { ChaosPlan } from './chaos-plan.ts';
import type { Asked } from './role-net.ts';

export interface HttpAnswer {
  readonly id: string;
  readonly output: string;
}

interface Question {
  readonly tier: Tier;
  readonly image: number;
  asked: Asked | undefined;
}

const HTTP_LANES = 4;
const CHAIN_LANES = 8;
const FIRST_IMAGE = 300;
const IMAGES = 500;
/** Milliseconds after which a question that nobody answers is a failure of the test. */
const PATIENCE = 400_000;

/** Who asks, over HTTP and on chain, and asks again what was lost on the way, as customers do; and who demands of claims. */
export class ChaosCustomers {
  /** Answers by the number of their question. */
  readonly given = new Map<number, HttpAnswer>();
  readonly questions: readonly Question[];
  repeated = 0;
  askedAgain = 0;
  private demanded = 0;
  private isHurried = false;
  private begun = 0;
  private isDone = false;
  private readonly node: ChaosNode;
  private readonly plan: ChaosPlan;

  constructor(node: ChaosNode, plan: ChaosPlan) {
    this.node = node;
    this.plan = plan;
    const total = plan.requests + plan.proofs;
    const every = plan.proofs === 0 ? total + 1 : Math.floor(total / plan.proofs);
    this.questions = Array.from({ length: total }, (_, i) => ({
      tier: i % every === every - 1 ? 'zk' : 'optimistic',
      image: FIRST_IMAGE + (i % IMAGES),
      asked: undefined,
    }));
  }

  progress(): string {
    const asked = this.questions.filter((question) => question.asked !== undefined).length;
    return `${asked} requests, ${this.given.size} receipts, ${this.demanded} demands, asked again ${this.repeated} and ${this.askedAgain}`;
  }

  /** Asks everything, spread over the plan's time. */
  async ask(): Promise<void> {
    this.begun = performance.now();
    const lanes = (count: number, work: (lane: number) => Promise<void>) => Array.from({ length: count }, (_, lane) => work(lane));
    const demanding = this.demand();
    await Promise.all([...lanes(CHAIN_LANES, (lane) => this.askOnChain(lane)), ...lanes(HTTP_LANES, (lane) => this.askOverHttp(lane))]);
    this.isDone = true;
    await demanding;
  }

  /** What is left is asked without pauses. */
  hurry(): void {
    this.isHurried = true;
  }

  /** A chain that was put back may have lost requests: their customers notice, and ask again. */
  async askLostAgain(): Promise<void> {
    const seen = new Set<bigint>();
    for (const question of this.questions) {
      const { asked } = question;
      if (asked !== undefined && !seen.has(asked.id) && (await this.isOnChain(asked))) {
        seen.add(asked.id);
        continue;
      }
      this.askedAgain++;
      await this.askQuestion(question);
      seen.add(question.asked!.id);
    }
  }

  /** Asks one question over HTTP, until there is an answer. */
  infer(number: number): Promise<HttpAnswer> {
    const { modelId, bytes } = this.node.net.question('optimistic', number % IMAGES);
    return this.insist(async () => {
      const response = await fetch(this.node.url(`/v1/infer?modelId=${modelId}`), {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', 'idempotency-key': `question-${number}` },
        body: bytes,
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok) throw new Error(`infer: ${response.status} ${await response.text()}`);
      const { id, output } = (await response.json()) as HttpAnswer;
      return { id, output };
    });
  }

  fetchJson(route: string): Promise<unknown> {
    return this.insist(async () => {
      const response = await fetch(this.node.url(route), { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`${route}: ${response.status}`);
      return response.json();
    });
  }

  /** As a customer does: the same again until there is an answer. */
  async insist<Result>(attempt: () => Promise<Result>): Promise<Result> {
    for (const end = performance.now() + PATIENCE; ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (performance.now() > end) throw error;
        this.repeated++;
        await pause(500);
      }
    }
  }

  private async askOnChain(lane: number): Promise<void> {
    for (let i = lane; i < this.questions.length; i += CHAIN_LANES) {
      await this.until(i / this.questions.length);
      await this.askQuestion(this.questions[i]!);
    }
  }

  private async askQuestion(question: Question): Promise<void> {
    const { tier, image } = question;
    // Without an upload here: that may fail alone, and is made again alone.
    question.asked = await this.insist(() => this.node.net.ask(tier, image));
    if (tier === 'zk') await this.upload(image);
  }

  private async isOnChain({ id, input }: Asked): Promise<boolean> {
    const { client, deployment } = this.node.net.net;
    const view = await client.readContract({ address: deployment.requests, abi: requestsAbi, functionName: 'requestOf', args: [id] });
    return STATUS_NAMES[view.status] !== 'none' && view.input === input;
  }

  private async upload(image: number): Promise<void> {
    const { modelId, bytes } = this.node.net.question('zk', image);
    await this.insist(async () => {
      const response = await fetch(this.node.url(`/v1/models/${modelId}/inputs`), {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
        signal: AbortSignal.timeout(10_000),
      });
      if (!response.ok) throw new Error(`upload: ${response.status}`);
    });
  }

  private async askOverHttp(lane: number): Promise<void> {
    for (let number = lane; number < this.plan.receipts; number += HTTP_LANES) {
      await this.until(number / this.plan.receipts);
      this.given.set(number, await this.infer(number));
    }
  }

  /** Waits for a share of the plan's time to be over. */
  private async until(share: number): Promise<void> {
    const due = this.begun + share * this.plan.seconds * 1000;
    while (!this.isHurried && performance.now() < due) await pause(Math.min(500, due - performance.now()));
  }

  /** Somebody demands the root list of every so many-th claim while the world shakes. */
  private async demand(): Promise<void> {
    const { client, deployment } = this.node.net.net;
    const seen = new Set<bigint>();
    let next = BigInt(deployment.block);
    while (!this.isDone) {
      await pause(1_000);
      try {
        const head = await client.getBlockNumber();
        const common = { address: deployment.requests, abi: requestsAbi, eventName: 'Claimed' } as const;
        // The last blocks again: they may have been replaced.
        const from = next > 8n ? next - 8n : 0n;
        const claimed = await client.getContractEvents({ ...common, fromBlock: from, toBlock: head });
        for (const { args } of claimed) {
          const id = args.requestId ?? 0n;
          if (id % BigInt(this.plan.demandEvery) !== 0n || seen.has(id) || !(await this.demandRoots(id))) continue;
          seen.add(id);
          this.demanded++;
        }
        next = head;
      } catch {
        // The chain is away.
      }
    }
  }

  private async demandRoots(id: bigint): Promise<boolean> {
    const { client, deployment, sender } = this.node.net.net;
    const { modelId } = this.node.net.question('optimistic', 0);
    const price = await readPrice(client, deployment.board, modelId, [TENSOR_ROOTS]);
    const claim = { source: deployment.requests, claimId: claimHex(String(id)) };
    try {
      await sender(ROLES.challenger.index).send(demandCall(deployment.board, claim, [TENSOR_ROOTS], 2n * price));
      return true;
    } catch (error) {
      if (process.env.ASSAY_CHAOS_SAY !== undefined) process.stderr.write(`demand: ${(error as Error).message.slice(0, 200)}\n`);
      // Its window closed meanwhile (what is final is not demanded), or the chain is away.
      return false;
    }
  }

  /** How the board sees the demand of a claim's roots. */
  async demandStatus(id: bigint): Promise<number> {
    const { client, deployment } = this.node.net.net;
    const args = [deployment.requests, claimHex(String(id)), unitOnChain(TENSOR_ROOTS)] as const;
    return (await client.readContract({ address: deployment.board, abi: claimBoardAbi, functionName: 'demandOf', args })).status;
  }
}
