import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { assay, problemsOf, root, scratch } from './assay.ts';

const { folder, remove } = scratch('daemon');
afterAll(remove);

// Others may look in: one test runs as another user.
chmodSync(folder, 0o755);
const model = path.join(folder, 'model');
mkdirSync(model);
writeFileSync(path.join(model, 'program.assay'), 'no program');

function config(name: string, change: Record<string, unknown>): string {
  const file = path.join(folder, `${name}.json`);
  const models = [{ modelId: `0x${'1'.repeat(64)}`, directory: model }];
  writeFileSync(file, JSON.stringify({ rpc: 'http://127.0.0.1:9', data: path.join(folder, name), models, port: 0, ...change }));
  return file;
}

describe('exit codes of a node tell its supervisor whether to start it again', () => {
  const ends: [what: string, change: () => Record<string, unknown>, code: string, exit: number][] = [
    ['a configuration that is wrong', () => ({ port: -1 }), 'CONFIG_INVALID', 2],
    ['a chain that does not answer', () => ({}), 'CHAIN_UNREACHABLE', 75],
    [
      'a database that does not answer',
      () => ({ role: 'worker', redis: 'redis://127.0.0.1:9', database: 'postgres://assay:hunter2@127.0.0.1:9/assay' }),
      'STORE_UNREACHABLE',
      75,
    ],
  ];
  it.each(ends)('%s', async (_, change, code, exit) => {
    const ended = await assay('node', '--config', config(`end-${exit}-${code}`, change()));
    expect(problemsOf(ended.stderr.trim().split('\n').at(-1)!)).toEqual([]);
    expect(ended.stderr).toContain(`[${code}]`);
    expect(ended.stderr).not.toContain('hunter2');
    expect(ended.code).toBe(exit);
  });

  it('and so do those of a challenger', async () => {
    const file = path.join(folder, 'challenger.json');
    writeFileSync(file, JSON.stringify({ rpc: 'http://127.0.0.1:9', data: path.join(folder, 'challenger') }));
    expect((await assay('challenger', '--config', file)).code).toBe(75);
  });
});

describe('a state directory that cannot be used', () => {
  const list = (name: string): Promise<{ code: number | null; stderr: string }> => assay('node', 'dead', '--config', config(name, {}));

  it('because it is a challenger’s', async () => {
    await openStateDirectory(path.join(folder, 'foreign'), 'challenger').close();
    const { code, stderr } = await list('foreign');
    expect(stderr).toContain('[STATE_FOREIGN]');
    expect(code).toBe(2);
  });

  it('because another version wrote it', async () => {
    await openStateDirectory(path.join(folder, 'old'), 'node').close();
    writeFileSync(path.join(folder, 'old', 'version'), 'node 1\n');
    expect((await list('old')).stderr).toContain('[STATE_VERSION]');
  });

  it('because a process holds it', async () => {
    const state = openStateDirectory(path.join(folder, 'held'), 'node');
    writeFileSync(path.join(folder, 'held', 'process'), '1');
    expect((await list('held')).stderr).toContain('[STATE_IN_USE]');
    writeFileSync(path.join(folder, 'held', 'process'), String(process.pid));
    await state.close();
  });

  it('because it belongs to somebody else', async () => {
    const closed = path.join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o555);
    // Root may write everywhere: there the command runs as nobody, who may not.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const reads = spawnSync(process.execPath, ['--eval', `fs.accessSync(${JSON.stringify(path.join(root, 'cli/main.ts'))})`], user);
    if (reads.status !== 0) return console.warn('nobody may not read this checkout: the mistake was not made');
    const child = spawn(process.execPath, [path.join(root, 'cli/assay.mjs'), 'node', 'check', '--config', config('closed', {})], {
      ...user,
      env: { ...process.env, HOME: '/nonexistent', TSX_DISABLE_CACHE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = await textOf(child);
    expect(said.text).toContain(`FAIL  configuration: data: ${closed} cannot be written to (EACCES)`);
    expect(said.code).toBe(2);
  });
});

function textOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve) => {
    let text = '';
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    child.on('close', (code) => resolve({ code, text }));
  });
}

describe('signals', () => {
  /** A process whose clean-up takes for ever, or as long as is told. */
  async function hanging(milliseconds: number): Promise<{ readonly child: ChildProcess; readonly ended: Promise<number | null> }> {
    const cleanup = JSON.stringify(pathToFileURL(path.join(root, 'cli/cleanup.ts')).href);
    const script = `
      const { beforeExit, graceForCleanUp, installSignalHandlers } = await import(${cleanup});
      installSignalHandlers();
      graceForCleanUp(3600);
      beforeExit(() => { console.log('cleaning'); return new Promise((resolve) => setTimeout(resolve, ${milliseconds})); });
      setInterval(() => {}, 1000);
      console.log('up');`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    await said(child, 'up');
    return { child, ended };
  }

  function said(child: ChildProcess, word: string): Promise<void> {
    return new Promise((resolve) => child.stdout!.on('data', (chunk: Buffer) => chunk.toString().includes(word) && resolve()));
  }

  it('the first cleans up, and ends with the code of the signal', async () => {
    const { child, ended } = await hanging(10);
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
  });

  it('the second ends at once', async () => {
    const { child, ended } = await hanging(3_600_000);
    const cleaning = said(child, 'cleaning');
    child.kill('SIGTERM');
    await cleaning;
    await new Promise((resolve) => setTimeout(resolve, 600));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
  });
});
