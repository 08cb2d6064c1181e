import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { recordUnit, TENSOR_ROOTS } from '../../core/dispute/units.ts';
import type { Defence, DemandState, UnitAnswer } from '../../prover/chain/answering.ts';
import { Defender } from '../../prover/chain/defend.ts';
import { COLLECTION } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import { freeBytes } from '../../runtime/disk-full.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { until } from './network.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** @param reserve bytes of the disk that are left free */
function openStore(reserve?: number): Store {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-defend-'));
  const state = openStateDirectory(folder, 'node', reserve);
  closers.push(
    () => state.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  return embeddedStore(state);
}

const log = createLog({ name: 'test', level: 'silent' });

/** A defence whose demands are all of root lists, and the claims of which it posted them. */
function defenceOf(change: Partial<Defence> = {}): { readonly defence: Defence; readonly posted: string[] } {
  const posted: string[] = [];
  const defence: Defence = {
    stateOf: async (claimId) => (posted.includes(claimId) ? 'over' : 'open'),
    isClaimOpen: async () => true,
    dataOf: async () => undefined,
    rootsOf: async () => [],
    postRoots: async (claimId) => void posted.push(claimId),
    postAnswers: async () => {},
    ...change,
  };
  return { defence, posted };
}

it('a defence that failed begins again with every block', async () => {
  let isAway = true;
  let tried = 0;
  const { defence, posted } = defenceOf({
    stateOf: async () => {
      tried++;
      if (isAway) throw new Error('the endpoint is away');
      return posted.length === 0 ? 'open' : 'over';
    },
  });
  const defender = new Defender({ store: openStore(), defence, log, alarmSeconds: 10 });
  defender.start();
  await defender.demanded({ claimId: '7', unit: TENSOR_ROOTS, deadline: 1_000 });
  await until('three attempts', async () => {
    await defender.wake(2);
    return tried >= 3;
  });
  expect(posted).toEqual([]);
  isAway = false;
  await until('the answer', async () => {
    await defender.wake(3);
    return posted.length === 1;
  });
  expect(posted).toEqual(['7']);
});

it('a demand that whoever is asked knows nothing of waits until it is known, or its time is over', async () => {
  let state: DemandState = 'unknown';
  const { defence, posted } = defenceOf({ stateOf: async () => state });
  const store = openStore();
  const defender = new Defender({ store, defence, log, alarmSeconds: 10 });
  defender.start();
  await defender.demanded({ claimId: '7', unit: TENSOR_ROOTS, deadline: 1_000 });
  await defender.wake(2);
  await defender.stop();
  expect(posted).toEqual([]);
  state = 'open';
  defender.start();
  await defender.wake(3);
  await until('the answer', async () => posted.length === 1);
  await defender.stop();
  // Of a block that another took the place of: given up after its time, and not before.
  state = 'unknown';
  defender.start();
  await defender.demanded({ claimId: '8', unit: TENSOR_ROOTS, deadline: 1_000 });
  await defender.wake(1_000);
  expect((await store.list(COLLECTION.demands)).length).toBe(1);
  await defender.wake(1_001);
  expect(await store.list(COLLECTION.demands)).toEqual([]);
});

it('of more claims than are defended at once, those whose clocks run out first are', async () => {
  const { defence, posted } = defenceOf({ stateOf: async () => 'open' });
  const defender = new Defender({ store: openStore(), defence, log, alarmSeconds: 10 });
  // Claims of a stranger come before ours in every other order.
  for (let claim = 0; claim < 200; claim++) {
    await defender.demanded({ claimId: String(100 + claim), unit: TENSOR_ROOTS, deadline: 10_000 - claim });
  }
  defender.start();
  await until('all answers', async () => posted.length === 200);
  await defender.stop();
  expect(posted.slice(0, 32).sort()).toEqual(Array.from({ length: 32 }, (_, i) => String(299 - i)).sort());
});

it('thousands of demands on one claim are answered in many transactions at once, by their clocks, and none is computed far ahead', async () => {
  const mined: (() => void)[] = [];
  let computed = 0;
  const sent: UnitAnswer[] = [];
  const over = new Set<number>();
  const { defence } = defenceOf({
    stateOf: async (_claim, unit) => (over.has(unit.position) ? 'over' : 'open'),
    dataOf: async () => {
      computed++;
      return new Uint8Array(32);
    },
    postAnswers: async (answers) => {
      sent.push(...answers);
      await new Promise<void>((resolve) => mined.push(resolve));
      for (const { unit } of answers) over.add(unit.position);
    },
  });
  const store = openStore();
  const defender = new Defender({ store, defence, log, alarmSeconds: 10 });
  await Promise.all(
    Array.from({ length: 1_000 }, (_, i) => defender.demanded({ claimId: '7', unit: recordUnit(i), deadline: 10_000 - i })),
  );
  defender.start();
  await until('transactions under way', async () => mined.length === 8);
  expect(computed).toBeLessThanOrEqual(8 * 24 + 96);
  // The last 192 have the nearest deadlines.
  expect(Math.min(...sent.map(({ unit }) => unit.position))).toBe(1_000 - 192);
  await until('everything', async () => {
    for (const mine of mined.splice(0)) mine();
    return over.size === 1_000;
  });
  await defender.stop();
  expect(await store.list(COLLECTION.demands)).toEqual([]);
});

it('a demand is answered though the disk is full, and stored as soon as it is not', async () => {
  const { defence, posted } = defenceOf();
  const full = openStore(2 * freeBytes(tmpdir()));
  const defender = new Defender({ store: full, defence, log, alarmSeconds: 10 });
  await expect(defender.demanded({ claimId: '7', unit: TENSOR_ROOTS, deadline: 1_000 })).rejects.toThrow('full');
  defender.start();
  await defender.wake(2);
  await until('the answer', async () => posted.length === 1);
  await defender.stop();
  expect(await full.list(COLLECTION.demands)).toEqual([]);
});
