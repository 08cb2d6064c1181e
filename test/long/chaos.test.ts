import { expect, it } from 'vitest';
import { playChaos } from '../support/chaos.ts';

// With a real Redis and PostgreSQL: Debian packages redis-server and postgresql.
it('ten thousand questions while everything is killed again and again: none lost, none answered twice, no clock missed', async () => {
  const plan = { seed: 21, requests: 400, receipts: 9_600, faults: 96 };
  const report = await playChaos(plan);
  console.log(JSON.stringify(report));
  expect(report.answered + report.receipts).toBe(10_000);
  expect(report.demands).toBeGreaterThan(10);
}, 10_800_000);
