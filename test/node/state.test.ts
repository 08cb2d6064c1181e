import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { open as openDatabase } from 'lmdb';
import { afterEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';
import { openStateDirectory, STATE_VERSION, type StateDirectory } from '../../runtime/state-directory.ts';
import { queueConformance } from './queue-conformance.ts';
import { artifactConformance, storeConformance } from './store-conformance.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const folders: string[] = [];
const opened: StateDirectory[] = [];

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'assay-state-'));
  folders.push(made);
  return made;
}

function open(directory: string, kind = 'node'): StateDirectory {
  const state = openStateDirectory(directory, kind);
  opened.push(state);
  return state;
}

afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
  return 'none';
}

queueConformance('embedded', async () => {
  const directory = folder();
  let state = openStateDirectory(directory, 'node');
  let queue: Queue = embeddedQueue(state, { firstDelay: 5 });
  const close = async (): Promise<void> => {
    await queue.close();
    await state.close();
  };
  return {
    queue,
    reopen: async () => {
      await close();
      state = openStateDirectory(directory, 'node');
      queue = embeddedQueue(state, { firstDelay: 5 });
      return queue;
    },
    damage: async (kind, ids, draw) => {
      await close();
      await damageEntries(directory, kind, ids, draw);
      state = openStateDirectory(directory, 'node');
      queue = embeddedQueue(state, { firstDelay: 5 });
      return queue;
    },
    remove: close,
  };
});

/** Writes over jobs in the state directory of a node that does not run. */
async function damageEntries(directory: string, kind: string, ids: readonly string[], draw: () => number): Promise<void> {
  const file = { path: path.join(directory, 'state.lmdb') };
  const database = openDatabase<unknown, string[]>({ ...file, encoding: 'msgpack' });
  const values = [null, 7, 'text', [], {}, new Date(0), -1, 0.5, Number.NaN, 2 ** 60, 'x'.repeat(70_000), 1n << 62n, undefined];
  const pick = <Value>(from: readonly Value[]): Value => from[Math.floor(draw() * from.length)]!;
  const bytes: (readonly [string[], Buffer])[] = [];
  for (const id of ids) {
    const place = ['job', kind, id];
    const entry = database.get(place) as Record<string, unknown>;
    if (draw() < 0.6) await database.put(place, { ...entry, [pick([...Object.keys(entry), 'more'])]: pick(values) });
    else if (draw() < 0.5) await database.put(place, pick(values));
    else bytes.push([place, Buffer.from(Array.from({ length: 1 + Math.floor(draw() * 60) }, () => Math.floor(draw() * 256)))]);
  }
  await database.close();
  const raw = openDatabase<Buffer, string[]>({ ...file, encoding: 'binary' });
  for (const [place, value] of bytes) await raw.put(place, value);
  await raw.close();
}

storeConformance('embedded', async () => {
  const directory = folder();
  let state = openStateDirectory(directory, 'node');
  return {
    store: embeddedStore(state),
    reopen: async () => {
      await state.close();
      state = openStateDirectory(directory, 'node');
      return embeddedStore(state);
    },
    remove: () => state.close(),
  };
});

artifactConformance('file', async () => openArtifacts(folder()));

describe('a state directory', () => {
  it('is let go of without an error where somebody has removed it', async () => {
    const directory = folder();
    const state = openStateDirectory(directory, 'node');
    rmSync(directory, { recursive: true, force: true });
    await expect(state.close()).resolves.toBeUndefined();
  });

  it('is held by one process at a time', async () => {
    const directory = folder();
    const holder = writer(directory, 'setInterval(() => {}, 1000);');
    await holder.line;
    expect(codeOf(() => open(directory))).toBe('STATE_IN_USE');
    holder.process.kill('SIGKILL');
    await holder.ended;
    expect(codeOf(() => open(directory))).toBe('none');
  });

  describe('whose holder is in another container, where its process id means nothing', () => {
    const elsewhere = (directory: string): string => {
      const file = path.join(directory, 'process');
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      // Its process 1 is one that is alive here, too.
      writeFileSync(file, JSON.stringify({ process: 1, started: '1', namespace: 'pid:[1]', boot }));
      return file;
    };

    it('is refused while that one gives signs of life', () => {
      const directory = folder();
      const script = `setInterval(() => require('node:fs').utimesSync(${JSON.stringify(elsewhere(directory))}, new Date(), new Date()), 500)`;
      const holder = spawn(process.execPath, ['-e', script]);
      try {
        expect(codeOf(() => open(directory))).toBe('STATE_IN_USE');
      } finally {
        holder.kill('SIGKILL');
      }
    });

    it('is taken over when that one has been quiet for a while, and gives signs of life itself', async () => {
      const directory = folder();
      const file = elsewhere(directory);
      expect(codeOf(() => open(directory))).toBe('none');
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ process: process.pid });
      const before = statSync(file).mtimeMs;
      await expect.poll(() => statSync(file).mtimeMs, { timeout: 10_000 }).toBeGreaterThan(before);
    });
  });

  it('is taken over at once where the holder was of an earlier boot, or its process id is by now of another process', () => {
    for (const change of [{ boot: 'another' }, { started: '1' }]) {
      const directory = folder();
      open(directory);
      const file = path.join(directory, 'process');
      const mine = JSON.parse(readFileSync(file, 'utf8')) as object;
      const other = folder();
      writeFileSync(path.join(other, 'process'), JSON.stringify({ ...mine, process: process.ppid, ...change }));
      expect(codeOf(() => open(other))).toBe('none');
      const third = folder();
      const parent = readFileSync(`/proc/${process.ppid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19];
      writeFileSync(path.join(third, 'process'), JSON.stringify({ ...mine, process: process.ppid, started: parent }));
      expect(codeOf(() => open(third))).toBe('STATE_IN_USE');
    }
  });

  it('is refused to another kind of process, and to another version', async () => {
    const directory = folder();
    await openStateDirectory(directory, 'node').close();
    expect(codeOf(() => open(directory, 'challenger'))).toBe('STATE_FOREIGN');
    for (const version of [STATE_VERSION - 1, STATE_VERSION + 1]) {
      writeFileSync(path.join(directory, 'version'), `node ${version}\n`);
      expect(codeOf(() => open(directory))).toBe('STATE_VERSION');
    }
  });

  it('is refused where a file is in its place', () => {
    const file = path.join(folder(), 'file');
    writeFileSync(file, '');
    expect(codeOf(() => open(file))).toBe('STATE_UNWRITABLE');
  });

  it('holds after kill -9 everything that was awaited', async () => {
    const directory = folder();
    const killed = writer(
      directory,
      `for (let i = 0; ; i++) {
         await store.put('claims', String(i).padStart(6, '0'), { i });
         await queue.add({ id: 'job-' + i, kind: 'work', data: { i } });
         console.log(i);
       }`,
    );
    await expect.poll(() => killed.lines.length, { timeout: 20_000 }).toBeGreaterThan(50);
    killed.process.kill('SIGKILL');
    await killed.ended;
    const last = Number(killed.lines.at(-1));
    const state = open(directory);
    const stored = await embeddedStore(state).list<{ i: number }>('claims');
    expect(stored.length).toBeGreaterThan(last);
    expect(stored.map(([, document]) => document.i)).toEqual(stored.map((_, i) => i));
    const queue = embeddedQueue(state);
    expect((await queue.counts('work')).waiting).toBeGreaterThan(last);
    await queue.close();
  });
});

/** Another process that opens the directory, prints "open", and goes on with `body`. */
function writer(directory: string, body: string): { process: ChildProcess; line: Promise<void>; lines: string[]; ended: Promise<void> } {
  const url = (file: string): string => JSON.stringify(pathToFileURL(path.join(root, file)).href);
  const script = `
    const { openStateDirectory } = await import(${url('runtime/state-directory.ts')});
    const { embeddedStore } = await import(${url('prover/store/embedded.ts')});
    const { embeddedQueue } = await import(${url('prover/queue/embedded.ts')});
    const state = openStateDirectory(${JSON.stringify(directory)}, 'node');
    const store = embeddedStore(state);
    const queue = embeddedQueue(state);
    console.log('open');
    ${body}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const line = new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      lines.push(
        ...chunk
          .toString('utf8')
          .split('\n')
          .filter((text) => /^\d+$/.test(text)),
      );
      resolve();
    });
    child.once('exit', () => reject(new Error('the writer ended early')));
  });
  line.catch(() => {});
  return { process: child, line, lines, ended: new Promise((resolve) => child.once('exit', () => resolve())) };
}
