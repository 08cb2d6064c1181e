import { setTimeout as pause } from 'node:timers/promises';
import { ChaosCustomers } from './chaos-customers.ts';
import { faultsOf } from './chaos-faults.ts';
import { ChaosNode } from './chaos-node.ts';
import type { ChaosPlan } from './chaos-plan.ts';
import { type Accounts, checkChain, checkReceipts, settleChain } from './chaos-verdict.ts';
import { Random } from './random.ts';

export interface ChaosReport extends Accounts {
  readonly seed: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly receipts: number;
  /** Questions over HTTP that had to be asked again. */
  readonly repeated: number;
  /** Requests that a reorganisation took from the chain, or that never got on it, and that their customer asked once more. */
  readonly askedAgain: number;
  /** Roles that ended by themselves. */
  readonly crashes: readonly string[];
  readonly seconds: number;
}

const PROGRESS = 60_000;

/**
 * A node in parts under a stream of work, while its processes and what they stand on are killed, paused, emptied, put back and lied to,
 * all as a seed says. Throws (by expect) unless in the end every request on the chain was answered once and rightly, every demand in time,
 * every claim became final, and every receipt that was given is there as it was given.
 */
export async function playChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const started = performance.now();
  const node = await ChaosNode.start();
  const customers = new ChaosCustomers(node, plan);
  const faults: Record<string, number> = {};
  const say = (what: string): void => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const played = Object.values(faults).reduce((sum, count) => sum + count, 0);
    process.stderr.write(`chaos seed ${plan.seed}, ${seconds} s: ${what}; ${played} faults, ${customers.progress()}\n`);
  };
  const progress = setInterval(() => say('playing'), PROGRESS);
  try {
    say('begins');
    await play(node, customers, plan, faults);
    say('faults are over');
    await customers.askLostAgain();
    const accounts = await settleChain(node, customers);
    say('settled');
    await checkChain(node, customers);
    await checkReceipts(node, customers);
    const { repeated, askedAgain } = customers;
    const seconds = Math.round((performance.now() - started) / 1000);
    return { ...accounts, seed: plan.seed, faults, receipts: customers.given.size, repeated, askedAgain, crashes: node.ended, seconds };
  } finally {
    clearInterval(progress);
    await node.stop();
  }
}

/** Everything at once, until the last fault is over and the last question asked. */
async function play(node: ChaosNode, customers: ChaosCustomers, plan: ChaosPlan, counts: Record<string, number>): Promise<void> {
  const asking = customers.ask();
  // Told of when it is waited for, not before.
  asking.catch(() => undefined);
  try {
    await playFaults(node, plan, counts);
  } finally {
    customers.hurry();
  }
  await asking;
}

async function playFaults(node: ChaosNode, plan: ChaosPlan, counts: Record<string, number>): Promise<void> {
  const random = new Random(plan.seed);
  const kinds = faultsOf(node, random);
  let order: string[] = [];
  for (let played = 0; played < plan.faults; played++) {
    if (order.length === 0) order = shuffled(Object.keys(kinds), random);
    const name = order.shift()!;
    await pause(random.integer(500, 4_000));
    if (process.env.ASSAY_CHAOS_SAY !== undefined) process.stderr.write(`${new Date().toISOString()} ${name}\n`);
    await kinds[name]!();
    counts[name] = (counts[name] ?? 0) + 1;
  }
}

function shuffled(names: readonly string[], random: Random): string[] {
  const left = [...names];
  return names.map(() => left.splice(random.integer(0, left.length - 1), 1)[0]!);
}
