import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { open } from 'lmdb';
import { zeroAddress } from 'viem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { challengerConfigSchema } from '../../challenger/config.ts';
import { checkChallenger } from '../../cli/check/challenger.ts';
import { checkNode } from '../../cli/check/check.ts';
import type { Finding } from '../../cli/check/findings.ts';
import { claimStore } from '../../prover/assembly/identity.ts';
import { nodeConfigSchema } from '../../prover/configuration/config.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { loadConfig } from '../../runtime/configuration.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { startNetwork, type TestNetwork } from '../node/network.ts';
import { assay } from './assay.ts';

let network: TestNetwork;
let deployment: string;

beforeAll(async () => {
  network = await startNetwork();
  deployment = path.join(network.directory, 'deployment.json');
  writeFileSync(deployment, JSON.stringify(network.deployment));
});
afterAll(() => network?.stop());

function settings(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    rpc: network.client.chain.rpcUrls.default.http[0],
    deployment,
    data: path.join(network.directory, 'checked'),
    port: 0,
    models: [{ modelId: network.modelId, directory: network.modelDirectory }],
    ...change,
  };
}

const check = (change: Record<string, unknown> = {}): Promise<readonly Finding[]> =>
  checkNode(
    async () => loadConfig(nodeConfigSchema, { file: undefined, overrides: settings(change) }),
    () => {},
  );

const failures = (findings: readonly Finding[]): string[] => findings.filter(({ status }) => status === 'fail').map(({ what }) => what);

describe('assay node check', () => {
  it('fails on a key that no stake knows, then finds everything in order, and changes nothing', async () => {
    expect(failures(await check())).toEqual(['key']);
    await network.stake(2, 3);
    const findings = await check();
    expect(failures(findings)).toEqual([]);
    const looked = new Set(findings.map(({ what }) => what.split(' ')[0]));
    for (const what of ['configuration', 'rpc', 'deployment', 'key', 'stake', 'balance', 'model', 'self-test', 'disk', 'memory', 'port']) {
      expect(looked, what).toContain(what);
    }
    expect(findings.some(({ message }) => /step code/.test(message))).toBe(true);
    expect(existsSync(path.join(network.directory, 'checked'))).toBe(false);
  });

  const mistakes: [what: string, failed: string, change: () => Record<string, unknown>][] = [
    ['an endpoint where nothing listens', 'rpc', () => ({ rpc: 'http://127.0.0.1:9' })],
    ['a Redis where nothing listens', 'redis', () => ({ redis: 'redis://:hunter2@127.0.0.1:9' })],
    ['a PostgreSQL where nothing listens', 'postgresql', () => ({ database: 'postgres://assay:hunter2@127.0.0.1:9/assay' })],
    ['a deployment without code', 'deployment', () => ({ deployment: changed({ board: zeroAddress.replace(/0$/, '7') }) })],
    [
      'a model that nobody registered',
      'model',
      () => ({ models: [{ modelId: `0x${'7'.repeat(64)}`, directory: network.modelDirectory }] }),
    ],
    ['a deployment of another chain', 'deployment', () => ({ deployment: changed({ chainId: 5 }) })],
    ['a deployment of mixed origin', 'deployment', () => ({ deployment: changed({ vault: network.deployment.registry }) })],
    ['a keystore that is none', 'key', () => ({ keystore: { file: deployment, passwordFile: deployment } })],
    ['a folder of another model', 'model', () => ({ models: [{ modelId: `0x${'5'.repeat(64)}`, directory: network.modelDirectory }] })],
    ['API keys that are none', 'api', () => ({ apiKeys: deployment })],
    ['a host that is not here', 'port', () => ({ host: '203.0.113.7', port: 8645 })],
  ];
  it.each(mistakes)('fails on %s, says what to do, and repeats no password', async (_, failed, change) => {
    const findings = await check(change());
    const found = findings.filter(({ status }) => status === 'fail');
    expect(found.map(({ what }) => what.split(' ')[0])).toContain(failed);
    for (const { fix } of found) expect(fix).toBeTruthy();
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  it('warns of a price of gas at which no claim is sent', async () => {
    const findings = await check({ maxFeePerGas: '1' });
    const found = findings.find(({ what }) => what === 'fees');
    expect([found?.status, found?.message]).toEqual(['warn', expect.stringMatching(/^gas costs .* gwei now, more than maxFeePerGas/)]);
    expect((await check({ maxFeePerGas: '100000000000' })).filter(({ what }) => what === 'fees')).toEqual([]);
  });

  it('fails on a port that another process holds', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(failures(await check({ port }))).toEqual(['port']);
    await new Promise((resolve) => server.close(resolve));
  });

  it('goes on where one of two endpoints is away', async () => {
    const findings = await check({ rpc: ['http://127.0.0.1:9', network.client.chain.rpcUrls.default.http[0]] });
    expect(failures(findings)).toEqual(['rpc 1']);
    expect(findings.find(({ what }) => what === 'key')?.status).toBe('ok');
  });

  it('ends with 0, 1 and 2', async () => {
    const file = (name: string, change: Record<string, unknown>): string => {
      const at = path.join(network.directory, name);
      writeFileSync(at, JSON.stringify(settings(change)));
      return at;
    };
    const good = await assay('node', 'check', '--config', file('good.json', {}), '--json');
    expect(good.code, good.stdout).toBe(0);
    const lines = good.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({ event: 'checked', ok: true, failures: 0 });
    const bad = await assay('node', 'check', '--config', file('bad.json', { rpc: 'http://127.0.0.1:9' }));
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/^FAIL {2}rpc: .* Fix: /m);
    const wrong = await assay('node', 'check', '--config', file('wrong.json', { port: -1, speed: 9 }));
    expect(wrong.code).toBe(2);
    expect(wrong.stdout.match(/^FAIL {2}configuration/gm)).toHaveLength(2);
  });
});

describe('assay challenger check', () => {
  const told = (change: Record<string, unknown> = {}) => {
    const { rpc, deployment: file } = settings();
    const overrides = { rpc, deployment: file, data: path.join(network.directory, 'challenging'), ...change };
    return checkChallenger(
      async () => loadConfig(challengerConfigSchema, { file: undefined, overrides }),
      () => {},
    );
  };

  it('finds everything in order, and changes nothing', async () => {
    const findings = await told();
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    const looked = new Set(findings.map(({ what }) => what));
    for (const what of ['configuration', 'rpc', 'deployment', 'key', 'balance', 'self-test', 'disk', 'state directory'])
      expect(looked, what).toContain(what);
    expect(existsSync(path.join(network.directory, 'challenging'))).toBe(false);
  });

  it.each([
    ['an endpoint where nothing listens', 'rpc', () => ({ rpc: 'http://127.0.0.1:9' })],
    ['a deployment without code', 'deployment', () => ({ deployment: changed({ board: zeroAddress.replace(/0$/, '7') }) })],
    ['a keystore that is none', 'key', () => ({ keystore: { file: deployment, passwordFile: deployment } })],
  ] as const)('fails on %s, and says what to do', async (_, failed, change) => {
    const findings = await told(change());
    expect(failures(findings)).toContain(failed);
    for (const { status, fix } of findings) if (status !== 'ok') expect(fix).toBeTruthy();
  });

  it('warns of nodes that do not answer, and of a rate of none', async () => {
    const findings = await told({ provers: ['http://127.0.0.1:9'], rate: 0 });
    expect(findings.filter(({ status }) => status === 'warn').map(({ what }) => what)).toEqual(['configuration', 'node']);
    expect(failures(findings)).toEqual([]);
  });

  it('ends with 0, 1 and 2, and has a help text', async () => {
    const given = ['--deployment', deployment, '--data', path.join(network.directory, 'challenging')];
    const rpc = String(settings().rpc);
    expect((await assay('challenger', 'check', '--rpc', rpc, ...given, '--json')).code).toBe(0);
    const bad = await assay('challenger', 'check', '--rpc', 'http://127.0.0.1:9', ...given);
    expect([bad.code, /^FAIL {2}rpc: .* Fix: /m.test(bad.stdout)]).toEqual([1, true]);
    const wrong = await assay('challenger', 'check', '--rpc', 'ws://127.0.0.1:9', '--deployment', 'none');
    expect([wrong.code, wrong.stdout.match(/^FAIL {2}configuration/gm)?.length]).toEqual([2, 3]);
    const help = await assay('challenger', '--help');
    expect([help.code, help.stdout]).toEqual([0, expect.stringMatching(/check .*\n[\s\S]*ASSAY_CHALLENGER_KEY/)]);
  });
});

function changed(change: Record<string, unknown>): string {
  const file = path.join(network.directory, `deployment-${Object.keys(change).join('-')}.json`);
  writeFileSync(file, JSON.stringify({ ...network.deployment, ...change }));
  return file;
}

describe('dead letters', () => {
  it('are listed with what killed them, and replayed by name', async () => {
    const data = path.join(network.directory, 'dead');
    const state = openStateDirectory(data, 'node');
    await claimStore(embeddedStore(state), { chainId: 31_337, requests: network.deployment.requests, owner: network.deployment.vault });
    const queue = embeddedQueue(state);
    await queue.add({ id: 'run/7', kind: 'run', data: { requestId: '7' }, attempts: 1 });
    queue.work('run', 1, async () => {
      throw new Error('no luck');
    });
    await expect.poll(() => queue.counts('run')).toMatchObject({ dead: 1 });
    await queue.close();
    await state.close();
    // Written over since it died: the others are listed, replayed and removed all the same.
    const database = open<unknown, string[]>({ path: path.join(data, 'state.lmdb'), encoding: 'msgpack' });
    for (const id of ['run/8', 'run/9\u001b[2J']) await database.put(['job', 'run', id], { kind: 'run', id, state: 'dead' });
    await database.close();
    const options = ['--data', data, '--rpc', String(settings().rpc), '--model', `${network.modelId}=${network.modelDirectory}`];
    const listed = await assay('node', 'dead', ...options);
    expect(listed.stdout).toContain('run/7: no luck (after 1 attempts)');
    expect(listed.stdout).toContain('run/8: its record (run) cannot be read');
    expect(listed.stdout).not.toContain('\u001b');
    expect(listed.code).toBe(0);
    const damaged = await assay('node', 'replay', 'run/8', ...options);
    expect([damaged.code, damaged.stderr]).toEqual([2, expect.stringMatching(/\[JOB_MALFORMED\].*assay node remove/s)]);
    expect((await assay('node', 'remove', 'run/8', ...options)).stdout).toContain('1 jobs were thrown away');
    expect((await assay('node', 'remove', 'unreadable', ...options)).stdout).toContain('1 jobs were thrown away');
    const unknown = await assay('node', 'replay', 'run/8', ...options);
    expect(unknown.stderr).toContain('[JOB_UNKNOWN]');
    expect(unknown.code).toBe(2);
    const replayed = await assay('node', 'replay', 'run/7', ...options, '--json');
    expect(JSON.parse(replayed.stdout)).toEqual({ event: 'replayed', jobs: 1, unreadable: 0 });
    expect((await assay('node', 'dead', ...options)).stdout).toContain('No job was given up.');
  });
});
