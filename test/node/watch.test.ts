import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ChainEvent } from '../../contracts/client/follow.ts';
import { STATUS } from '../../prover/chain/chain.ts';
import { Watcher, type WatcherParts } from '../../prover/chain/watch.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { until } from './network.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What it is told to do, it does; everything else ends at once. */
function quietly(methods: Readonly<Record<string, unknown>>): object {
  return new Proxy({ lost: async () => [], ...methods } as Record<string, unknown>, {
    get: (known, name: string) => known[name] ?? (async () => undefined),
  });
}

/** A watcher whose defender counts its turns, and of which everything else ends at once unless told otherwise. */
function watcherWith(parts: Readonly<Record<string, object | string>>) {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-watch-'));
  const state = openStateDirectory(folder, 'node');
  closers.push(
    () => state.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  const turns: string[] = [];
  const defender = {
    wake: async (now: number) => void turns.push(`wake ${now}`),
    rewound: async () => void turns.push('rewound'),
  };
  const quiet = Object.fromEntries(['desk', 'claims', 'finalizer', 'channels', 'collector', 'ends'].map((part) => [part, quietly({})]));
  const log = createLog({ name: 'test', level: 'silent' });
  const watcher = new Watcher({ store: embeddedStore(state), log, defender, ...quiet, ...parts } as unknown as WatcherParts);
  return { watcher, turns };
}

const never = (): Promise<never> => new Promise(() => {});

it('demands get their turn while locks of channels wait for their transactions, and claims for looks at the chain', async () => {
  const { watcher, turns } = watcherWith({ channels: quietly({ release: never, refresh: never }), claims: quietly({ lost: never }) });
  await watcher.onRewound({ timestamp: 50n });
  await watcher.onHead(100n);
  await watcher.onHead(200n);
  expect(turns).toEqual(['rewound', 'wake 100', 'wake 200']);
});

it('what was not looked for after a reorganisation, since the chain did not answer, is looked for again from where it began', async () => {
  let isAway = true;
  const since: number[] = [];
  const claims = quietly({
    lost: async (from: number) => {
      since.push(from);
      if (isAway) throw new Error('the endpoint is away');
      return ['7'];
    },
  });
  const reopened: string[] = [];
  const desk = quietly({ reopened: async (id: string) => void reopened.push(id) });
  const { watcher } = watcherWith({ claims, desk });
  await watcher.onRewound({ timestamp: 50n });
  await watcher.idle();
  await watcher.onRewound({ timestamp: 70n });
  await watcher.idle();
  isAway = false;
  await watcher.onHead(100n);
  await until('the lost claim', async () => reopened.length === 1);
  expect(since).toEqual([50, 50, 50]);
  await watcher.onHead(101n);
  await watcher.idle();
  expect(since).toEqual([50, 50, 50]);
});

it('a claim that is over is not waited for, one that is not shown yet is', async () => {
  const address = `0x${'11'.repeat(20)}` as const;
  const owner = `0x${'22'.repeat(20)}` as const;
  const claimed = (requestId: bigint): ChainEvent => ({
    ...{ name: 'Claimed', address, args: { requestId, prover: owner, output: '0x' } },
    ...{ blockNumber: 1n, transactionHash: `0x${'00'.repeat(32)}`, logIndex: 0 },
  });
  const statuses = new Map([
    ['1', STATUS.none],
    ['2', STATUS.open],
    ['3', STATUS.final],
    ['4', STATUS.faulted],
    ['5', STATUS.refunded],
  ]);
  const chain = {
    addresses: { requests: address },
    claimView: async () => ({ open: false, prover: `0x${'00'.repeat(20)}` }),
    request: async (id: string) => ({ status: statuses.get(id) }),
  };
  const claims = quietly({ opened: async () => false });
  const { watcher } = watcherWith({ chain, claims, owner: owner as unknown as object });
  for (const id of [1n, 2n]) await expect(watcher.onEvent(claimed(id)), `${id}`).rejects.toMatchObject({ code: 'STATE_BEHIND' });
  for (const id of [3n, 4n, 5n]) await expect(watcher.onEvent(claimed(id)), `${id}`).resolves.toBeUndefined();
});

it('demands on the claim of another prover, however many, cost one look at the chain, until blocks are read again', async () => {
  const [requests, board, channels] = [1, 2, 3].map((i) => `0x${String(i).repeat(40)}` as const);
  const [owner, other] = [`0x${'a'.repeat(40)}`, `0x${'b'.repeat(40)}`];
  let looks = 0;
  const chain = {
    addresses: { requests, board, channels },
    claimView: async () => {
      looks++;
      return { open: true, prover: other };
    },
  };
  const { watcher } = watcherWith({ owner, chain, claims: quietly({ isOurs: async () => false }) });
  const demanded = (index: number): ChainEvent => ({
    name: 'Demanded',
    address: board!,
    args: {
      source: requests,
      claimId: `0x${'00'.repeat(31)}07`,
      unit: { kind: 1, position: index, height: 0, index: 0, elementType: 0, length: 0 },
      deadline: 1_000n,
    },
    blockNumber: 5n,
    transactionHash: `0x${'cd'.repeat(32)}`,
    logIndex: index,
  });
  for (let index = 0; index < 100; index++) await watcher.onEvent(demanded(index));
  expect(looks).toBe(1);
  watcher.onRewind();
  await watcher.onEvent(demanded(0));
  expect(looks).toBe(2);
});
