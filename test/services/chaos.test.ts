// needs: redis-server postgresql
import { expect, it } from 'vitest';
import { playChaos } from '../support/chaos.ts';

it('a node in parts loses nothing, answers nothing twice and misses no clock while everything is killed under it', async () => {
  const seed = Number(process.env.ASSAY_CHAOS_SEED ?? 20);
  const plan = { seed, requests: 21, proofs: 3, receipts: 120, demandEvery: 3, faults: 17, seconds: 110 };
  const report = await playChaos(plan);
  console.log(JSON.stringify(report));
  expect(Object.keys(report.faults)).toHaveLength(plan.faults);
  expect(report.answered).toBeGreaterThanOrEqual(plan.requests + plan.proofs);
  expect(report.demands).toBeGreaterThan(0);
  expect(report.crashes).toEqual([]);
}, 1_500_000);
