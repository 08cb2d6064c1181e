import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type HttpParts, startHealth } from '../../prover/assembly/http.ts';
import { HeadPulse, patienceFor } from '../../prover/chain/pulse.ts';
import { createMetrics } from '../../prover/metrics.ts';
import { createLog } from '../../runtime/log.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { OWNER } from '../support/http-node.ts';
import { bareClient } from './network.ts';

let anvil: Anvil;
beforeAll(async () => {
  anvil = await startAnvil();
});
afterAll(() => anvil.stop());

it('a chain that stands still is told of once, whether it answers or not, until it goes on', async () => {
  vi.useFakeTimers({ now: 0, toFake: ['performance'] });
  try {
    const metrics = createMetrics();
    const pulse = new HeadPulse({ patience: 120, log: createLog({ name: 'test', level: 'silent' }), metrics });
    const alarms = async (): Promise<string | undefined> => /^assay_alarms_total\{reason="rpc"\} (\d+)/m.exec(await metrics.text())?.[1];
    pulse.beat(7n);
    vi.advanceTimersByTime(120_000);
    pulse.beat(7n);
    expect(pulse.reason()).toBeUndefined();
    vi.advanceTimersByTime(1_000);
    expect(pulse.reason()).toMatch(/for 121 seconds/);
    for (const block of [7n, undefined, 7n]) pulse.beat(block);
    expect(await alarms()).toBe('1');
    // A shorter chain that goes on is one that goes on.
    pulse.beat(6n);
    expect(pulse.reason()).toBeUndefined();
    vi.advanceTimersByTime(121_000);
    pulse.beat(undefined);
    expect(await alarms()).toBe('2');
  } finally {
    vi.useRealTimers();
  }
});

it.each([
  [1, 120],
  [12, 240],
  [600, 3_600],
])('blocks every %d seconds: stands still after %d', async (seconds, patience) => {
  const client = bareClient(anvil.url, 31_337);
  await client.request({ method: 'anvil_mine' as never, params: ['0x6e', `0x${seconds.toString(16)}`] as never });
  // The first block of a row comes when it is asked for.
  expect(Math.abs((await patienceFor(client)) - patience)).toBeLessThan(2);
});

it('/readyz says that the chain stands still, and that it does not', async () => {
  let reasons: string[] = ['No new block of the chain was handled for 121 seconds'];
  const base = {
    catalog: { all: [] },
    owner: OWNER,
    store: { get: async () => undefined },
    queue: { counts: async () => ({ waiting: 0, active: 0, dead: 0 }) },
  } as unknown as HttpParts['base'];
  const side = { reasonsNotReady: () => reasons } as unknown as HttpParts['side'];
  const config = { host: '127.0.0.1', port: 0 } as HttpParts['config'];
  const log = createLog({ name: 'test', level: 'silent' });
  const server = await startHealth({ config, base, side, metrics: createMetrics(), log }, undefined);
  const readyz = async (): Promise<[number, unknown]> => {
    const response = await fetch(`${server.url}/readyz`);
    return [response.status, await response.json()];
  };
  expect(await readyz()).toEqual([503, { ready: false, reasons }]);
  reasons = [];
  expect(await readyz()).toEqual([200, { ready: true, reasons }]);
  await server.close();
});
