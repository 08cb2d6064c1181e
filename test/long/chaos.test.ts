import { expect, it } from 'vitest';
import { playChaos } from '../support/chaos.ts';

/** A number from the environment: a failure is played again, or a shorter one, by what the first line of a run says. */
function told(name: string, otherwise: number): number {
  return Number(process.env[`ASSAY_CHAOS_${name}`] ?? otherwise);
}

// With a real Redis and PostgreSQL: Debian packages redis-server and postgresql.
it('ten thousand questions while everything is killed again and again: none lost, none answered twice, no clock missed', async () => {
  const plan = {
    seed: told('SEED', 21),
    requests: told('REQUESTS', 2_960),
    proofs: told('PROOFS', 40),
    receipts: told('RECEIPTS', 7_000),
    demandEvery: told('DEMAND_EVERY', 25),
    faults: told('FAULTS', 170),
    seconds: told('SECONDS', 2_400),
  };
  const report = await playChaos(plan);
  console.log(JSON.stringify(report));
  expect(report.answered).toBeGreaterThanOrEqual(plan.requests + plan.proofs);
  expect(report.receipts).toBe(plan.receipts);
  expect(report.demands).toBeGreaterThan(10);
  expect(report.crashes).toEqual([]);
}, 10_800_000);
