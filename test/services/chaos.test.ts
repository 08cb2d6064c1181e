// needs: redis-server postgresql
import { expect, it } from 'vitest';
import { playChaos } from '../support/chaos.ts';

it('a node in parts loses nothing, answers nothing twice and misses no clock while everything is killed under it', async () => {
  const plan = { seed: Number(process.env.ASSAY_CHAOS_SEED ?? 20), requests: 24, receipts: 120, faults: 8 };
  const report = await playChaos(plan);
  console.log(JSON.stringify(report));
  expect(Object.keys(report.faults)).toHaveLength(plan.faults);
  expect(report.demands).toBeGreaterThan(0);
}, 1_500_000);
