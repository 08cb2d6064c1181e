import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { type Defence, Defender, type DemandState } from '../../prover/chain/defend.ts';
import { COLLECTION } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { until } from './network.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function openStore(): Store {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-defend-'));
  const state = openStateDirectory(folder, 'node');
  closers.push(
    () => state.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  return embeddedStore(state);
}

const log = createLog({ name: 'test', level: 'silent' });

it('a defence that failed begins again with every block', async () => {
  let isAway = true;
  let tried = 0;
  const posted: string[] = [];
  const defence: Defence = {
    stateOf: async () => {
      tried++;
      if (isAway) throw new Error('the endpoint is away');
      return posted.length === 0 ? 'open' : 'over';
    },
    isClaimOpen: async () => true,
    dataOf: async () => undefined,
    rootsOf: async () => [],
    postRoots: async (claimId) => {
      posted.push(claimId);
    },
    postAnswers: async () => {},
  };
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
  const posted: string[] = [];
  const defence: Defence = {
    stateOf: async () => state,
    isClaimOpen: async () => true,
    dataOf: async () => undefined,
    rootsOf: async () => [],
    postRoots: async (claimId) => {
      posted.push(claimId);
    },
    postAnswers: async () => {},
  };
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
