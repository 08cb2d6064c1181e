import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { holdInput, InputPruner } from '../../prover/records/holds.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const log = createLog({ name: 'test', level: 'silent' });
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

  it('that are being removed can be had again only after that', async () => {
    const { store } = opened();
    let resolve = (): void => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    const order: string[] = [];
    const slow = new InputPruner(
      store,
      async () => {
        order.push('removing');
        await promise;
        order.push('removed');
      },
      log,
    );
    await holdInput(store, name('dd'), 10);
    const pruning = slow.prune(11);
    await vi.waitFor(() => expect(order).toEqual(['removing']));
    const holding = holdInput(store, name('dd'), 20).then(() => order.push('held'));
    await new Promise((done) => setTimeout(done, 60));
    resolve();
    await Promise.all([pruning, holding]);
    expect(order).toEqual(['removing', 'removed', 'held']);
    await slow.prune(20);
    expect(order).toHaveLength(3);
    await slow.prune(21);
    expect(order).toHaveLength(5);
  });

  it('whose removal was broken off are held again after a while, and are removed in the end otherwise', async () => {
    const { store, removed, pruner } = opened();
    const broken = new InputPruner(store, () => Promise.reject(new Error('killed')), log);
    for (const one of ['dd', 'ee']) await holdInput(store, name(one), 10);
    await expect(broken.prune(11)).rejects.toThrow('killed');
    await holdInput(store, name('dd'), 20, 50);
    await pruner.prune(11);
    expect(removed).toEqual([name('ee')]);
    await pruner.prune(21);
    expect(removed).toEqual([name('ee'), name('dd')]);
    expect([await store.list('inputs-due'), await store.list('input-holds')]).toEqual([[], []]);
  });

  it('are removed some at a time', async () => {
    const { store, removed, pruner } = opened();
    const names = Array.from({ length: 150 }, (_, i) => name(i.toString(16).padStart(2, '0')));
    await Promise.all(names.map((each) => holdInput(store, each, 10)));
    expect([await pruner.prune(11), removed.length]).toEqual([true, 64]);
    expect([await pruner.prune(11), removed.length]).toEqual([true, 128]);
    expect([await pruner.prune(11), removed.length]).toEqual([false, 150]);
    expect(new Set(removed)).toEqual(new Set(names));
  });
});
