import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { COLLECTION, dueKey, noteChainTime } from '../../prover/records/documents.ts';
import { HTTP_COLLECTION } from '../../prover/records/http-documents.ts';
import { receiptName } from '../../prover/service/receipts.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { DAY } from '../support/retention.ts';
import { historyConformance } from './history-conformance.ts';
import { retentionConformance } from './retention-conformance.ts';
import type { StoreUnderTest } from './store-conformance.ts';

const root = path.resolve(import.meta.dirname, '../..');

async function create(): Promise<StoreUnderTest> {
  const directory = mkdtempSync(path.join(tmpdir(), 'assay-retention-'));
  const state = openStateDirectory(directory, 'node');
  return {
    store: embeddedStore(state),
    reopen: () => Promise.reject(new Error('not here')),
    remove: async () => {
      await state.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

retentionConformance('embedded', create);
historyConformance('embedded', create);

const NOW = 1_795_000_000;
const MANY = 1_500;
const id = (i: number): string => `0x${i.toString(16).padStart(64, '0')}`;

/** Removes in another process, which is killed as it begins its n-th round and some milliseconds into it. @returns whether it came to its end before */
function removeUntil(directory: string, rounds: number, milliseconds: number): Promise<boolean> {
  const worker = path.join(root, 'test/support/retention-worker.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', worker, directory, String(NOW)], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let begun = 0;
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    const now = said.split('round').length - 1;
    if (begun < rounds && now >= rounds) setTimeout(() => child.kill('SIGKILL'), milliseconds);
    begun = now;
  });
  return new Promise((resolve) => child.once('exit', () => resolve(said.includes('ended'))));
}

describe('removing what is old, killed again and again', () => {
  it('takes all of that and nothing else', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'assay-retention-'));
    const state = openStateDirectory(directory, 'node');
    const store = embeddedStore(state);
    await noteChainTime(store, NOW);
    const kept: string[] = [];
    await Promise.all(
      Array.from({ length: MANY }, async (_, i) => {
        const isOld = i % 3 !== 0;
        const made = NOW - (isOld ? 40 * DAY : DAY) + (i % 7);
        const receipt = receiptName(id(i), made * 1000);
        if (!isOld) kept.push(id(i), receipt);
        await store.put(HTTP_COLLECTION.idempotencyByTime, dueKey(made, id(i)), { id: id(i) });
        await store.put(HTTP_COLLECTION.idempotency, id(i), { question: '', answer: receipt, createdAt: made });
        await store.put(COLLECTION.receipts, receipt, { i });
      }),
    );
    await state.close();
    let kills = 0;
    for (; !(await removeUntil(directory, 2 + (kills % 2), (kills * 7) % 11)); kills++) expect(kills).toBeLessThan(50);
    expect(kills).toBeGreaterThan(1);
    const after = openStateDirectory(directory, 'node');
    const left = embeddedStore(after);
    const names = async (collection: string): Promise<string[]> => (await left.list(collection)).map(([name]) => name);
    const found = [...(await names(HTTP_COLLECTION.idempotency)), ...(await names(COLLECTION.receipts))];
    expect(found.sort()).toEqual(kept.sort());
    expect(await names(HTTP_COLLECTION.idempotencyByTime)).toHaveLength(MANY / 3);
    await after.close();
    rmSync(directory, { recursive: true, force: true });
  });
});
