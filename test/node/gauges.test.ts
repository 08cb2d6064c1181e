import { expect, it } from 'vitest';
import { startOperations } from '../../prover/http/server.ts';
import { createMetrics } from '../../prover/metrics.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { refreshGauges } from '../../prover/service/service.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';

const never = (): Promise<never> => new Promise(() => {});
const away = (): Promise<never> => Promise.reject(new Error('away'));
const counts = async () => ({ waiting: 3, active: 2, dead: 1 });
const list = async () => [
  ['1', {}],
  ['2', {}],
];
const of = (parts: object): Queue & Store => parts as unknown as Queue & Store;

it('what queue and store hold is told, and nothing of one that is away or hangs', async () => {
  const metrics = createMetrics();
  const told = async (): Promise<string[]> =>
    (await metrics.text()).split('\n').filter((line) => /^assay_(queue_depth|open_claims)[ {]/.test(line));
  await refreshGauges(of({ list }), of({ counts }), metrics);
  expect(await told()).toContain('assay_queue_depth{kind="prove",state="waiting"} 3');
  expect(await told()).toContain('assay_open_claims 2');
  for (const fails of [away, never]) {
    await refreshGauges(of({ list }), of({ counts: fails }), metrics);
    expect(await told()).toEqual(['assay_open_claims 2']);
    await refreshGauges(of({ list: fails }), of({ counts }), metrics);
    expect((await told()).filter((line) => line.startsWith('assay_open_claims'))).toEqual([]);
    expect(await told()).toContain('assay_queue_depth{kind="run",state="dead"} 1');
  }
});

it('/metrics tells whether the process is ready, and answers while queue and store do not', async () => {
  const metrics = createMetrics();
  let reasons: string[] = [];
  const service = {
    health: () => ({ ok: true as const, prover: `0x${'00'.repeat(20)}` as const, models: 0 }),
    readiness: async () => ({ ready: reasons.length === 0, reasons }),
    metrics,
    refreshMetrics: () => refreshGauges(of({ list: away }), of({ counts: never }), metrics),
  };
  const server = await startOperations(service, { host: '127.0.0.1', port: 0, log: createLog({ name: 'test', level: 'silent' }) });
  const ready = async (): Promise<string | undefined> => {
    const answer = await fetch(`${server.url}/metrics`);
    expect(answer.status).toBe(200);
    return /^assay_ready (\d)$/m.exec(await answer.text())?.[1];
  };
  try {
    expect(await ready()).toBe('1');
    reasons = ['The Redis of the queue does not answer'];
    expect(await ready()).toBe('0');
    reasons = [];
    expect(await ready()).toBe('1');
  } finally {
    await server.close();
  }
});
