import { formatEther } from 'viem';
import { jsonLine } from '../output.ts';

export type Facts = Readonly<Record<string, unknown>>;
/** Tells an event as it happens. */
export type Announce = (event: string, facts: Facts) => void;

/** One JSON object a line, or one line of prose, on standard output. */
export function createAnnounce(json: boolean, started = performance.now()): Announce {
  return (event, facts) => {
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    if (json) process.stdout.write(`${jsonLine({ event, seconds, ...facts })}\n`);
    else {
      const told = PROSE[event]?.(facts);
      if (told !== undefined) process.stdout.write(`${seconds.toFixed(1).padStart(6)} s  ${told}\n`);
    }
  };
}

const percent = (value: unknown): string => `${(Number(value) * 100).toFixed(1)} %`;
const ether = (value: unknown): string => `${Number(formatEther(BigInt(String(value)))).toPrecision(4)} ether`;
const short = (value: unknown): string => `${String(value).slice(0, 10)}…`;

/** How each event reads; an event without an entry is for machines alone. */
const PROSE: Readonly<Record<string, (facts: Facts) => string>> = {
  seed: (f) => `seed ${f.seed}`,
  deployed: (f) => `contracts on a local chain at ${f.rpc}`,
  compiled: (f) =>
    `${f.model} compiled in ${Number(f.milliseconds) / 1000} s for the ${f.tier} tier; on ${f.images} labelled images: float ${percent(f.floatAccuracy)}, integer ${percent(f.integerAccuracy)}, same answer ${percent(f.agreement)}`,
  'set-up': (f) => `${f.model}: ${f.constraints} constraints, development key made in ${(Number(f.milliseconds) / 1000).toFixed(1)} s`,
  registered: (f) => `${f.model} registered as ${short(f.modelId)} (${(f.tiers as readonly string[]).join(', ')})`,
  started: (f) => `honest node at ${f.node}, challenger ${short(f.challenger)}`,
  requested: (f) => `request ${f.requestId} (${f.tier}) for ${f.purpose}`,
  'zk-verified': (f) =>
    `request ${f.requestId}: proof made in ${(Number(f.proofMilliseconds) / 1000).toFixed(1)} s, verified on chain (${f.gas} gas), answer ${f.answer}, label ${f.label}${f.delivered ? ', delivered to the consumer' : ''}`,
  'optimistic-final': (f) =>
    `request ${f.requestId}: final after its window, answer ${f.answer}, label ${f.label}${f.delivered ? ', delivered to the consumer' : ''}`,
  lied: (f) =>
    `request ${f.requestId}: the dishonest prover claimed scores that its model does not compute (they read ${f.answer}; right is ${f.right})`,
  'fraud-slashed': (f) =>
    `request ${f.requestId}: element ${f.element} of instruction ${f.position} is wrong, shown on chain (${f.gas} gas); ${ether(f.slashed)} slashed, ${ether(f.burned)} of it burned, requester refunded, challenger paid ${ether(f.reward)}`,
  harassed: (f) => `request ${f.requestId}: ${f.demands} demands of ${f.kinds} kinds on an honest claim`,
  'honest-defended': (f) =>
    `request ${f.requestId}: all ${f.answered} demands answered, stake kept, ${ether(f.earned)} earned by answering; ${f.refused} false accusations refused`,
};
