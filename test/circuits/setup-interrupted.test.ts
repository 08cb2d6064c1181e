import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { auditKey } from '../../circuits/audit.ts';
import { prove } from '../../circuits/prove.ts';
import { setupDevelopment } from '../../circuits/setup.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { Random } from '../support/random.ts';
import { ladderDense, random, randomInputs } from './build.ts';

// A setup killed at any moment: nothing half-written is ever used, and the next setup starts over.
vi.setConfig({ testTimeout: 240_000 });
const root = mkdtempSync(path.join(tmpdir(), 'assay-interrupted-'));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const model = ladderDense('interrupted', [40, 12, 3], 21);
const FILES = ['circuit.r1cs', 'program.assay', 'proving.zkey', 'setup.json', 'verification_key.json'];

function place(name: string): string {
  const directory = path.join(root, name);
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'program.assay'), encodeProgram(model));
  return directory;
}

/** A setup in a process of its own, which prints its phases. */
function startSetup(directory: string): ChildProcess {
  const source = `
    const { setupDevelopment } = await import(${JSON.stringify(path.resolve(import.meta.dirname, '../../circuits/setup.ts'))});
    await setupDevelopment(process.argv[1], { onProgress: ({ phase }) => console.log(phase) });
    console.log('done');`;
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', source, directory], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  return child;
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('exit', () => resolve()));

/** Resolves when the child prints a line that begins so. */
function printed(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes(text)) resolve();
    });
  });
}

/** Nothing is proved without a record; another setup makes everything anew, and what it makes passes the audit. */
async function requireCleanRestart(directory: string): Promise<void> {
  const job = { directory, inputs: randomInputs(model, random(1)), context: 1n };
  if (!existsSync(path.join(directory, 'setup.json'))) await expect(prove(job)).rejects.toMatchObject({ code: 'SETUP_MISSING' });
  await setupDevelopment(directory);
  expect(readdirSync(directory).sort()).toEqual(FILES);
  expect((await auditKey(directory)).passed).toBe(true);
}

describe('a setup killed', () => {
  it('while it multiplies points starts over', async () => {
    const directory = place('multiplying');
    const child = startSetup(directory);
    await printed(child, 'multiply points');
    child.kill('SIGKILL');
    await ended(child);
    expect(readdirSync(directory).sort()).toEqual(['.setup', 'program.assay']);
    await requireCleanRestart(directory);
  });

  it('while it writes the key starts over', async () => {
    const directory = place('writing');
    const child = startSetup(directory);
    while (!existsSync(path.join(directory, '.setup', 'proving.zkey'))) await sleep(1);
    child.kill('SIGKILL');
    await ended(child);
    expect(existsSync(path.join(directory, 'setup.json'))).toBe(false);
    await requireCleanRestart(directory);
  });

  it('at random moments never leaves half a setup', async () => {
    const r = new Random(17);
    const directory = place('random');
    for (let run = 0; run < 3; run++) {
      const child = startSetup(directory);
      await printed(child, 'compile circuit');
      await sleep(r.integer(0, 1500));
      child.kill('SIGKILL');
      await ended(child);
      if (!existsSync(path.join(directory, 'setup.json'))) continue;
      expect((await auditKey(directory)).passed).toBe(true);
      rmSync(path.join(directory, 'setup.json'));
    }
    await requireCleanRestart(directory);
  });
});

describe('each state between two steps of the end', () => {
  it('is no setup until the record is there', async () => {
    const whole = place('whole');
    await setupDevelopment(whole);
    const moved = ['circuit.r1cs', 'proving.zkey', 'verification_key.json'];
    for (const count of [1, moved.length]) {
      const directory = place(`moved-${count}`);
      mkdirSync(path.join(directory, '.setup'));
      for (const [i, name] of moved.entries())
        writeFileSync(path.join(directory, i < count ? '.' : '.setup', name), readFileSync(path.join(whole, name)));
      await requireCleanRestart(directory);
    }
  });

  it('is no setup with a key that is shorter than the record says', async () => {
    const directory = place('short');
    const { zkey } = await setupDevelopment(directory);
    truncateSync(path.join(directory, 'proving.zkey'), 5000);
    const job = { directory, inputs: randomInputs(model, random(1)), context: 1n };
    await expect(prove(job)).rejects.toMatchObject({ code: expect.stringMatching(/PROOF_SYSTEM|PROOF_REJECTED|KEY_MALFORMED/) });
    expect((await setupDevelopment(directory)).zkey).not.toBe(zkey);
    await prove(job);
  });
});

describe('two setups', () => {
  it('of one model at a time: the second is refused, in this process and in another', async () => {
    const directory = place('twice');
    const first = setupDevelopment(directory);
    await sleep(50);
    await expect(setupDevelopment(directory)).rejects.toMatchObject({ code: 'SETUP_RUNNING' });
    await first;
    rmSync(path.join(directory, 'setup.json'));
    const child = startSetup(directory);
    await printed(child, 'multiply points');
    await expect(setupDevelopment(directory)).rejects.toMatchObject({ code: 'SETUP_RUNNING' });
    await ended(child);
    expect((await auditKey(directory)).passed).toBe(true);
  });

  it('share a cache; half a key in it is made again', async () => {
    const cacheDirectory = path.join(root, 'cache');
    const record = await setupDevelopment(place('cached'), { cacheDirectory });
    const cached = path.join(cacheDirectory, `${record.r1cs}.zkey`);
    truncateSync(cached, 3000);
    const again = place('cached-again');
    await setupDevelopment(again, { cacheDirectory });
    expect((await auditKey(again)).passed).toBe(true);
    expect((await setupDevelopment(place('cached-third'), { cacheDirectory })).zkey).toBe(readRecord(again).zkey);
  });
});

function readRecord(directory: string): { zkey: string } {
  return JSON.parse(readFileSync(path.join(directory, 'setup.json'), 'utf8')) as { zkey: string };
}
