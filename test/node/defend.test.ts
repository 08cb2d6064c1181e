import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { TENSOR_ROOTS } from '../../core/dispute/units.ts';
import { type Defence, Defender } from '../../prover/chain/defend.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { until } from './network.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

it('a defence that failed begins again with every block', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-defend-'));
  const state = openStateDirectory(folder, 'node');
  closers.push(
    () => state.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  let isAway = true;
  let tried = 0;
  const posted: string[] = [];
  const defence: Defence = {
    isOpen: async () => {
      tried++;
      if (isAway) throw new Error('the endpoint is away');
      return posted.length === 0;
    },
    isClaimOpen: async () => true,
    dataOf: async () => undefined,
    rootsOf: async () => [],
    postRoots: async (claimId) => {
      posted.push(claimId);
    },
    postAnswers: async () => {},
  };
  const log = createLog({ name: 'test', level: 'silent' });
  const defender = new Defender({ store: embeddedStore(state), defence, log, alarmSeconds: 10 });
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
