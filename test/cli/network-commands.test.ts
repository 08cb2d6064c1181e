import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { developmentAccount } from '../../cli/accounts.ts';
import { type Anvil, startAnvil } from '../support/anvil.ts';
import { assay, fixtures, launcher, problemsOf, scratch } from './assay.ts';

const { folder, remove } = scratch('network');
let anvil: Anvil;
let otherChain: Anvil;
const deployment = path.join(folder, 'deployment.json');

beforeAll(async () => {
  [anvil, otherChain] = await Promise.all([startAnvil(), startAnvil({ chainId: 999 })]);
});
afterAll(async () => {
  await Promise.all([anvil?.stop(), otherChain?.stop()]);
  remove();
});

describe('assay deploy, register, stake', () => {
  it('deploys, and records where', async () => {
    const { code, stdout, stderr } = await assay('deploy', '--rpc', anvil.url, '--out', deployment, '--window', '6', '--json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(JSON.parse(readFileSync(deployment, 'utf8'))).toMatchObject({ chainId: 31_337, board: told.board });
  });

  it('stakes, binds the key once, and says what is free', async () => {
    const options = ['--rpc', anvil.url, '--deployment', deployment, '--add-key', '--json'];
    const first = await assay('stake', ...options, '--deposit', '2.5');
    expect(JSON.parse(first.stdout)).toMatchObject({ event: 'stake', free: '2500000000000000000', locked: '0' });
    const second = await assay('stake', ...options, '--withdraw', '1');
    expect(JSON.parse(second.stdout)).toMatchObject({ free: '1500000000000000000' });
  });

  it('opens, renews and shows a coverage channel, and releases none before its time', async () => {
    const options = ['--rpc', anvil.url, '--deployment', deployment, '--json'];
    const customer = developmentAccount(9).address;
    const opened = JSON.parse((await assay('channel', 'open', customer, ...options, '--lock', '0.25', '--days', '2')).stdout);
    expect(opened).toMatchObject({ event: 'channel', state: { customer, lock: '250000000000000000', disputed: '0' } });
    const renewed = JSON.parse((await assay('channel', 'renew', opened.channel, ...options, '--lock', '0.5', '--days', '1')).stdout);
    // Neither lock nor time ever shrinks.
    expect(renewed.state).toEqual({ ...opened.state, lock: '750000000000000000' });
    expect(JSON.parse((await assay('channel', 'show', opened.channel, ...options)).stdout).state).toEqual(renewed.state);
    const early = await assay('channel', 'release', opened.channel, ...options);
    expect(JSON.parse(early.stdout)).toMatchObject({ error: { code: 'CHANNEL_OPEN' } });
    const none = await assay('channel', 'show', `0x${'7'.repeat(64)}`, ...options);
    expect(JSON.parse(none.stdout)).toMatchObject({ error: { code: 'CHANNEL_UNKNOWN' } });
  });
});

describe('assay keystore', () => {
  it('writes a key that only its password opens', async () => {
    const [file, passwordFile] = [path.join(folder, 'key.json'), path.join(folder, 'password')];
    writeFileSync(passwordFile, 'secret\n');
    const made = JSON.parse((await assay('keystore', 'new', file, '--password-file', passwordFile, '--json')).stdout);
    const told = JSON.parse((await assay('keystore', 'address', file, '--json')).stdout);
    expect(told.address).toBe(made.address.toLowerCase());
    const again = await assay('keystore', 'new', file, '--password-file', passwordFile, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'FILE_UNUSABLE' } });
    expect((await assay('keystore', 'forget', file)).code).toBe(2);
  });
});

describe('a mistake ends in one paragraph with its fix, and exit code 2', () => {
  const refused: [string, () => readonly string[], string][] = [
    ['an RPC where nothing listens', () => ['deploy', '--rpc', 'http://127.0.0.1:9'], 'CHAIN_UNREACHABLE'],
    ['an RPC that is no address', () => ['deploy', '--rpc', 'localhost'], 'URL_INVALID'],
    ['a missing --rpc', () => ['deploy'], 'USAGE'],
    ['an amount that is none', () => ['stake', '--rpc', anvil.url, '--deposit', 'much'], 'USAGE'],
    ['a missing deployment file', () => ['stake', '--rpc', anvil.url, '--deployment', path.join(folder, 'none.json')], 'FILE_MISSING'],
    ['a deployment of another chain', () => ['stake', '--rpc', otherChain.url, '--deployment', deployment], 'CHAIN_MISMATCH'],
    ['a deployment file of something else', () => ['stake', '--rpc', anvil.url, '--deployment', 'package.json'], 'DEPLOYMENT_INVALID'],
    ['more than the stake', () => ['stake', '--rpc', anvil.url, '--deployment', deployment, '--withdraw', '500'], 'STAKE_INSUFFICIENT'],
    ['a key that is missing off the development chain', () => ['deploy', '--rpc', otherChain.url], 'KEY_MISSING'],
    ['a node without settings', () => ['node'], 'CONFIG_INVALID'],
    ['a node with an unknown setting', () => ['node', '--config', settings('unknown', { speed: 9 })], 'CONFIG_INVALID'],
    ['a node with a file that is no JSON', () => ['node', '--config', 'README.md'], 'CONFIG_INVALID'],
    ['a model of the wrong form', () => ['node', '--model', 'abc'], 'USAGE'],
    ['a challenger with a rate above one', () => ['challenger', '--rate', '1.5'], 'USAGE'],
    [
      'a request about a folder without a model',
      () => ['request', folder, '--rpc', anvil.url, '--model-id', `0x${'1'.repeat(64)}`, '--input', 'x.json'],
      'FILE_MISSING',
    ],
  ];
  it.each(refused)('%s', async (_, args, code) => {
    const ended = await assay(...args());
    expect(problemsOf(ended.stderr)).toEqual([]);
    expect(ended.stderr).toContain(`[${code}]`);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
  });

  it('and never repeats a key', async () => {
    const secret = '0xdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbe';
    const ended = await withEnvironment({ ASSAY_DEPLOYER_KEY: secret }, ['deploy', '--rpc', anvil.url]);
    expect(ended.text).toContain('[KEY_INVALID]');
    expect(ended.text).not.toContain('deadbeef');
  });

  it('a fault seed off the development chain', async () => {
    const key = `0x${'11'.repeat(32)}`;
    const other = path.join(folder, 'other.json');
    const address = '0x00000000000000000000000000000000000000aa';
    // Something lies there: that it is no deployment is not what is asked here.
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_setCode', params: [address, '0x00'] });
    await fetch(otherChain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    writeFileSync(
      other,
      JSON.stringify({ chainId: 999, block: 0, registry: address, vault: address, requests: address, board: address, channels: address }),
    );
    writeFileSync(path.join(folder, 'program.assay'), '');
    const file = settings('fault', {
      rpc: otherChain.url,
      deployment: other,
      data: path.join(folder, 'fault'),
      models: [{ modelId: `0x${'1'.repeat(64)}`, directory: folder }],
    });
    const ended = await withEnvironment({ ASSAY_NODE_KEY: key }, ['node', '--config', file, '--fault-seed', '1']);
    expect(ended.text).toContain('[FAULT_FORBIDDEN]');
    expect(ended.code).toBe(2);
  });
});

function settings(name: string, content: object): string {
  const file = path.join(folder, `${name}.config.json`);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

function withEnvironment(environment: Record<string, string>, args: readonly string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [launcher, ...args], { env: { ...process.env, ...environment } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.on('close', (code) => resolve({ code, text }));
  });
}

interface Running {
  readonly process: ChildProcess;
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<number | null>;
  stderr(): string;
}

function start(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [launcher, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: Record<string, unknown>[] = [];
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  return { process: child, lines, ended: new Promise((resolve) => child.once('exit', resolve)), stderr: () => stderr };
}

/** Processes whose command line names a folder of this test. */
function left(marker: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(marker) ? [line] : [];
      } catch {
        return [];
      }
    });
}

/** Children, and theirs, of a process. */
function descendants(pid: number): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const below = (parent: number): number[] => table.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

function alive(pid: number): boolean {
  try {
    // A zombie has ended; only its parent has not asked yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function everythingUp(data: string): Promise<{ running: Running; below: number[] }> {
  const running = start('up', '--port', '0', '--node-port', '0', '--data', data);
  void running.ended.then((code) => code !== null && running.lines.push({ event: 'ended', code }));
  await expect
    .poll(() => running.lines.some(({ event }) => event === 'ready' || event === 'ended'), { timeout: 170_000, interval: 200 })
    .toBe(true);
  expect(running.stderr()).toBe('');
  expect(running.lines.map(({ event }) => event)).toContain('ready');
  return { running, below: descendants(running.process.pid!) };
}

/** One request by hand, as the README says, against what is up: the answer is what `assay run` says. */
async function asksAndIsAnswered(lines: readonly Record<string, unknown>[]): Promise<void> {
  const told = (event: string, name?: string): Record<string, unknown> =>
    lines.find((line) => line.event === event && (name === undefined || line.name === name))!;
  const model = told('model', 'mnist-cnn-cntk');
  const directory = String(model.directory);
  const input = path.join(fixtures, 'mnist-cnn-cntk/cases.json');
  const { rpc, deployment: file } = told('ready');
  const asked = await assay(
    ...['request', directory, '--rpc', String(rpc), '--deployment', String(file), '--model-id', String(model.modelId), '--input', input],
    ...['--wait', '150', '--json'],
  );
  expect(asked.stderr).toBe('');
  const [requested, answer] = asked.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(requested).toMatchObject({ event: 'requested', tier: 'optimistic' });
  const [first] = (await assay('run', directory, '--input', input)).stdout.split('\n');
  expect(answer).toMatchObject({ event: 'answer', status: 'final', ...(JSON.parse(first!) as object) });
}

describe('assay up', () => {
  it('says that its port is in use, and leaves nothing', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const data = path.join(folder, 'up-port');
    const ended = await assay('up', '--port', String(port), '--data', data);
    expect(problemsOf(ended.stderr)).toEqual([]);
    expect(ended.stderr).toContain('[ANVIL_PORT_IN_USE]');
    expect(ended.code).toBe(2);
    expect(left(data)).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('does not touch a folder of another origin', async () => {
    const data = path.join(folder, 'mine');
    mkdirSync(data);
    writeFileSync(path.join(data, 'thesis.tex'), 'years of work');
    const ended = await assay('up', '--port', '0', '--data', data);
    expect(ended.stderr).toContain('[OUTPUT_FOREIGN]');
    expect(existsSync(path.join(data, 'thesis.tex'))).toBe(true);
  });

  it('runs everything; one Ctrl-C ends all of it', async () => {
    const { running, below } = await everythingUp(path.join(folder, 'up-ctrl-c'));
    const ready = running.lines.find(({ event }) => event === 'ready')!;
    const models = (await (await fetch(`${String(ready.node)}/v1/models`)).json()) as { models: unknown[] };
    expect(models.models).toHaveLength(2);
    await asksAndIsAnswered(running.lines);
    running.process.kill('SIGINT');
    expect(await running.ended).toBe(130);
    await expect.poll(() => below.filter(alive), { timeout: 15_000 }).toEqual([]);
  }, 480_000);

  it('ends with an error when its chain is killed, and takes the rest with it', async () => {
    const { running, below } = await everythingUp(path.join(folder, 'up-killed'));
    const chain = below.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('anvil'));
    process.kill(chain!, 'SIGKILL');
    expect(await running.ended).toBe(2);
    expect(JSON.stringify(running.lines)).toContain('CHAIN_ENDED');
    await expect.poll(() => below.filter(alive), { timeout: 15_000 }).toEqual([]);
  }, 240_000);

  it('takes everything with it even when it is killed itself', async () => {
    const { running, below } = await everythingUp(path.join(folder, 'up-sigkill'));
    running.process.kill('SIGKILL');
    await running.ended;
    await expect.poll(() => below.filter(alive), { timeout: 20_000 }).toEqual([]);
  }, 240_000);
});
