// needs: nothing
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '../..');

interface Run {
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<number | null>;
  stop(signal: NodeJS.Signals): void;
}

function demo(...options: readonly string[]): Run {
  const child = spawn(process.execPath, ['cli/assay.mjs', 'demo', '--json', ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  return { lines, ended: new Promise((resolve) => child.once('close', resolve)), stop: (signal) => child.kill(signal) };
}

const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('assay-demo-'));

/** Processes that were told of one of these folders. */
function processesOf(names: readonly string[]): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return names.some((name) => line.includes(name)) ? [line] : [];
      } catch {
        return [];
      }
    });
}

it('tells the whole story, and ends with ok', async () => {
  const { lines, ended } = demo('--seed', '5');
  expect(await ended).toBe(0);
  const events = lines.map(({ event }) => event);
  for (const event of ['zk-verified', 'optimistic-final', 'fraud-slashed', 'honest-defended']) {
    expect(
      lines.filter((line) => line.event === event).map(({ ok }) => ok),
      event,
    ).toEqual([true]);
  }
  expect(events.at(-1)).toBe('done');
  expect(lines.at(-1)).toMatchObject({ event: 'done', ok: true, seed: 5 });
  // Money moves and burns; none is made.
  const sum = lines.filter(({ event }) => event === 'ledger').reduce((total, { net }) => total + BigInt(String(net)), 0n);
  expect(sum).toBe(0n);
});

it('leaves nothing behind when it is interrupted', async () => {
  const before = new Set(folders());
  const { lines, ended, stop } = demo();
  await expect.poll(() => lines.some(({ event }) => event === 'registered'), { timeout: 120_000, interval: 200 }).toBe(true);
  const own = folders().filter((name) => !before.has(name));
  expect(own).toHaveLength(1);
  stop('SIGINT');
  expect(await ended).toBe(130);
  expect(folders().filter((name) => own.includes(name))).toEqual([]);
  await expect.poll(() => processesOf(own), { timeout: 15_000 }).toEqual([]);
});
