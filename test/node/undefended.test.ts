import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inputForms, listRootOfBytes } from '../../core/tensor-list.ts';
import { STATUS, startNetwork, statusOf, type TestNetwork, until } from './network.ts';

let network: TestNetwork;

beforeAll(async () => {
  network = await startNetwork({ clocks: { window: 600 } });
  await network.stake(2, 3);
});
afterAll(() => network?.stop());

async function alarms(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^assay_alarms_total\{reason="demand"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

it('a claim of ours whose input is gone is an alarm of the next start, one whose input is there is none', async () => {
  const data = path.join(network.directory, 'undefended');
  const node = await network.node(3, { data });
  const ids = [await network.ask(10, network.modelId, 1), await network.ask(10, network.modelId, 2)];
  for (const id of ids) await until('a claim', async () => (await statusOf(network, id)) === STATUS.claimed);
  for (const id of ids) {
    await until('its event', async () => (await (await fetch(`${node.url}/v1/claims/${id}`)).text()).includes('"open"'));
  }
  expect(await alarms(node.url)).toBe(0);
  await node.stop();
  // Their events are not read again.
  await network.client.request({ method: 'anvil_mine' as never, params: ['0x60', '0x0'] as never });
  rmSync(path.join(data, 'artifacts/inputs', listRootOfBytes(inputForms(network.program), network.input(2))));
  const again = await network.node(3, { data });
  await until('the alarm', async () => (await alarms(again.url)) > 0);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await alarms(again.url)).toBe(1);
  await again.stop();
}, 120_000);
