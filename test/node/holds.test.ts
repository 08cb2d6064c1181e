import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { holdInput, InputPruner } from '../../prover/records/holds.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function opened() {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-holds-'));
  const state = openStateDirectory(folder, 'node');
  closers.push(
    () => state.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  const store = embeddedStore(state);
  const removed: string[] = [];
  const log = createLog({ name: 'test', level: 'silent' });
  return { store, removed, pruner: new InputPruner(store, async (name) => void removed.push(name), log) };
}

const name = (byte: string): string => `0x${byte.repeat(32)}`;

describe('input bytes', () => {
  it('are kept to the last second that any use wants, and no longer', async () => {
    const { store, removed, pruner } = opened();
    await holdInput(store, name('aa'), 100);
    await holdInput(store, name('bb'), 50);
    await holdInput(store, name('aa'), 200);
    await holdInput(store, name('aa'), 150);
    await pruner.prune(50);
    expect(removed).toEqual([]);
    await pruner.prune(51);
    expect(removed).toEqual([name('bb')]);
    await pruner.prune(200);
    expect(removed).toHaveLength(1);
    await pruner.prune(201);
    expect(removed).toEqual([name('bb'), name('aa')]);
    expect(await store.list('inputs-due')).toEqual([]);
    expect(await store.list('input-holds')).toEqual([]);
  });

  it('come back under a new hold', async () => {
    const { store, removed, pruner } = opened();
    await holdInput(store, name('cc'), 10);
    await pruner.prune(11);
    await holdInput(store, name('cc'), 20);
    await pruner.prune(20);
    expect(removed).toEqual([name('cc')]);
    await pruner.prune(21);
    expect(removed).toEqual([name('cc'), name('cc')]);
  });

  it('stay while the machine says that their time has not come', async () => {
    const { store, removed, pruner } = opened();
    await holdInput(store, name('dd'), 100);
    await pruner.prune(1_000, 100);
    expect(removed).toEqual([]);
    await pruner.prune(1_000, 101);
    expect(removed).toEqual([name('dd')]);
  });
});
