import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { type Finality, Finalizer } from '../../prover/chain/finalize.ts';
import { type ClaimDocument, COLLECTION, claimSchema, load, orderedId } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import { freeBytes } from '../../runtime/disk-full.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const log = createLog({ name: 'test', level: 'silent' });
const word = `0x${'00'.repeat(32)}`;

it('a claim whose end cannot be stored, as on a full disk, does not end the process, and ends when there is space', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-finalize-'));
  let isFinal = false;
  const finality: Finality = {
    quietEnd: (claimedAt) => claimedAt + 10,
    standing: async () => ({ isOpen: !isFinal, isFinal: true, end: 0 }),
    finalize: async () => {
      isFinal = true;
    },
    now: () => 200,
    noteEnd: async () => {},
  };
  const claim: ClaimDocument = {
    ...{ claimId: '7', modelId: word, input: word, output: '0x', fault: null, state: 'open', claimedAt: 100 },
  };
  let state = openStateDirectory(folder, 'node');
  try {
    await embeddedStore(state).put(COLLECTION.claims, orderedId('7'), claim);
    await new Finalizer(embeddedStore(state), finality, log).opened('7', { claimedAt: 100 });
    await state.close();
    state = openStateDirectory(folder, 'node', 2 * freeBytes(folder));
    const full = new Finalizer(embeddedStore(state), finality, log);
    await full.wake(200);
    await full.idle();
    expect(isFinal).toBe(true);
    await state.close();
    state = openStateDirectory(folder, 'node');
    const store = embeddedStore(state);
    const finalizer = new Finalizer(store, finality, log);
    await finalizer.wake(201);
    await finalizer.idle();
    expect(await store.list(COLLECTION.claimsOpen)).toEqual([]);
    expect((await load(store, claimSchema, COLLECTION.claims, orderedId('7')))?.state).not.toBe('open');
  } finally {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('a claim that is taken up again while an attempt to end it fails is looked at again, whichever of the two writes last', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-finalize-'));
  const state = openStateDirectory(folder, 'node');
  try {
    // Each operation of the store waits for a draw: over all seeds the two meet in many ways.
    for (let seed = 1; seed <= 60; seed++) {
      const id = `${seed}`;
      let draws = seed;
      const drawn = (most: number): number => {
        draws = (draws * 48_271) % 2_147_483_647;
        return draws % most;
      };
      const wait = async (): Promise<void> => {
        for (let turns = drawn(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      };
      const plain = embeddedStore(state);
      const store: Store = {
        ...plain,
        put: (...given) => wait().then(() => plain.put(...given)),
        remove: (...given) => wait().then(() => plain.remove(...given)),
        update: (collection, document, change) => wait().then(() => plain.update(collection, document, change)),
      };
      let failing = true;
      const ended: string[] = [];
      const finality: Finality = {
        quietEnd: (claimedAt) => claimedAt + 10,
        standing: async () => ({ isOpen: true, isFinal: true, end: 0 }),
        finalize: async ({ claimId }) => {
          await wait();
          if (failing) throw new Error('the node is busy');
          ended.push(claimId);
        },
        now: () => 200,
        noteEnd: async () => {},
      };
      await plain.put(COLLECTION.claims, orderedId(id), {
        ...{ claimId: id, modelId: word, input: word, output: '0x', fault: null, state: 'open', claimedAt: 100 },
      } satisfies ClaimDocument);
      const finalizer = new Finalizer(store, finality, log);
      await finalizer.opened(id, { claimedAt: 100 });
      await finalizer.wake(200);
      await Promise.all([finalizer.opened(id, { claimedAt: 100 }), finalizer.idle()]);
      failing = false;
      for (const now of [300, 400]) {
        await finalizer.wake(now);
        await finalizer.idle();
      }
      expect(ended, `seed ${seed}`).toEqual([id]);
    }
  } finally {
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
