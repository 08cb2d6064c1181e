import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Reconciler, type ReconcilerParts } from '../../prover/chain/reconcile.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import type { Queue } from '../../prover/queue/port.ts';
import {
  type ClaimDocument,
  COLLECTION,
  noteChainTime,
  orderedId,
  type ProofDocument,
  proofId,
  type RequestDocument,
  waitingKey,
} from '../../prover/records/documents.ts';
import { noteInHistory } from '../../prover/records/history.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import type { JobKind } from '../../prover/work/jobs.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { DAY, retentionOf } from '../support/retention.ts';

const ending: (() => Promise<void>)[] = [];
const KINDS: readonly JobKind[] = ['run', 'claim', 'prove', 'fulfil'];
const word = (byte: string): string => `0x${byte.repeat(32)}`;

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

function state() {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-reconcile-'));
  const opened = openStateDirectory(folder, 'node');
  ending.push(async () => {
    await opened.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return opened;
}

/** A store that outlives its queues: `parts.queue` is one that never heard of anything. */
function setup(options: Partial<ReconcilerParts> = {}): { store: Store; queue: Queue; reconciler: Reconciler } {
  const store = embeddedStore(state());
  const queue = embeddedQueue(state());
  ending.push(() => queue.close());
  const parts = {
    store,
    queue,
    log: createLog({ name: 'test', level: 'silent' }),
    hasInput: async () => false,
    inputArrived: async () => {},
  };
  const reconciler = new Reconciler({ ...parts, ...options });
  ending.push(() => reconciler.stop());
  return { store, queue, reconciler };
}

function request(requestId: string, change: Partial<RequestDocument> = {}): RequestDocument {
  const terms = { modelId: word('11'), tier: 1, input: word('22'), fee: '1', coverage: '1', callbackGas: 0, deadline: 1_000 };
  return { requestId, ...terms, earlyDelivery: false, state: 'queued', ...change };
}

async function keep(store: Store, document: RequestDocument): Promise<void> {
  const id = orderedId(document.requestId);
  await store.put(COLLECTION.requestsQueued, id, { id });
  await store.put(COLLECTION.requests, id, document);
}

function claim(claimId: string, change: Partial<ClaimDocument> = {}): ClaimDocument {
  const terms = { modelId: word('11'), input: word('22'), output: '0x00', fault: null, claimedAt: 0 };
  return { claimId, ...terms, state: 'prepared', ...change };
}

function proof(requestId: string, state: ProofDocument['state']): ProofDocument {
  const terms = { modelId: word('11'), input: word('22'), context: '5', deadline: 1_000, progress: 0, createdAt: 1 };
  return { id: proofId(requestId), ...terms, state, requestId };
}

/** Ids of the jobs of a queue, by working them off. */
async function jobsIn(queue: Queue): Promise<string[]> {
  const ids: string[] = [];
  for (const kind of KINDS) {
    queue.work(kind, 1, async (job) => {
      ids.push(job.id);
    });
    await expect.poll(() => queue.counts(kind), { timeout: 10_000 }).toEqual({ waiting: 0, active: 0, dead: 0 });
  }
  return ids.sort();
}

describe('a queue that lost everything', () => {
  it('gets the next step of all that is accepted, and of nothing else', async () => {
    const { store, queue, reconciler } = setup();
    await keep(store, request('1'));
    await keep(store, request('2'));
    await store.put(COLLECTION.claims, orderedId('2'), claim('2'));
    // Prepared for another request that had the number before a reorganisation; and one that is on chain already.
    await keep(store, request('3'));
    await store.put(COLLECTION.claims, orderedId('3'), claim('3', { input: word('33') }));
    await keep(store, request('4'));
    await store.put(COLLECTION.claims, orderedId('4'), claim('4', { state: 'void' }));
    for (const [id, state] of [
      ['5', 'queued'],
      ['6', 'running'],
      ['7', 'done'],
      ['8', 'failed'],
    ] as const) {
      await keep(store, request(id, { tier: 0 }));
      await store.put(COLLECTION.proofs, proofId(id), proof(id, state));
    }
    await keep(store, request('9', { tier: 0 }));
    await keep(store, request('10', { state: 'answered' }));
    // History that nothing points at.
    await store.put(COLLECTION.requests, orderedId('11'), request('11'));
    expect(await reconciler.round()).toBe(8);
    expect(await reconciler.round()).toBe(0);
    expect(await jobsIn(queue)).toEqual(
      ['run/1', 'claim/2', 'run/3', 'run/4', `prove/${proofId('5')}`, `prove/${proofId('6')}`, 'fulfil/7', `prove/${proofId('8')}`].sort(),
    );
  });

  it('gets what is missing when only some is', async () => {
    const { store, queue, reconciler } = setup();
    for (let i = 1; i <= 100; i++) await keep(store, request(String(i)));
    await queue.add({ id: 'run/50', kind: 'run', data: { requestId: '50' } });
    expect(await reconciler.round()).toBe(99);
    expect((await jobsIn(queue)).length).toBe(100);
  });

  it('holds the dead letters of what nobody can answer any more', async () => {
    const { store, queue, reconciler } = setup();
    await keep(store, request('1'));
    await keep(store, request('2', { state: 'passed' }));
    for (const id of ['1', '2']) await queue.add({ id: `run/${id}`, kind: 'run', data: { requestId: id }, attempts: 1 });
    queue.work('run', 1, async () => {
      throw new Error('poison');
    });
    await expect.poll(() => queue.counts('run'), { timeout: 10_000 }).toMatchObject({ dead: 2 });
    await noteChainTime(store, 1_001);
    expect(await reconciler.round()).toBe(0);
    expect(await queue.counts('run')).toEqual({ waiting: 0, active: 0, dead: 2 });
  });
});

describe('what failed too often', () => {
  it('is forgotten with its request, days after nobody can answer it any more; that of others is kept', async () => {
    const { store, queue } = setup();
    const names = ['run/1', 'claim/1', 'fulfil/1', `prove/${proofId('1')}`, 'run/11', `prove/job-1`];
    for (const id of names) await queue.add({ id, kind: id.split('/')[0]!, data: {}, attempts: 1 });
    for (const kind of KINDS) queue.work(kind, 1, () => Promise.reject(new Error('poison')));
    const dead = async (): Promise<string[]> => (await Promise.all(KINDS.map((kind) => queue.dead(kind)))).flat().map(({ id }) => id);
    await expect.poll(dead, { timeout: 10_000 }).toHaveLength(6);
    await noteInHistory(store, orderedId('1'), 1_000);
    await store.put(COLLECTION.requests, orderedId('1'), request('1', { state: 'passed' }));
    for (const [second, left] of [
      [1_000 + 30 * DAY, 6],
      [1_001 + 30 * DAY, 2],
    ] as const) {
      await noteChainTime(store, second);
      await retentionOf(store, undefined, queue).round(second);
      expect(await dead()).toHaveLength(left);
    }
    expect((await dead()).sort()).toEqual(['prove/job-1', 'run/11']);
  });

  it('is tried again while its request can be answered: at once, and after pauses that double', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { store, queue, reconciler } = setup({ reviveAfter: 1_000 });
    let tries = 0;
    const dies = () => expect.poll(() => queue.counts('claim'), { timeout: 10_000 }).toEqual({ waiting: 0, active: 0, dead: 1 });
    await keep(store, request('1'));
    await store.put(COLLECTION.claims, orderedId('1'), claim('1'));
    await noteChainTime(store, 1_000);
    await queue.add({ id: 'claim/1', kind: 'claim', data: { requestId: '1' }, attempts: 1 });
    queue.work('claim', 1, async () => {
      tries++;
      throw new Error('the chain is away');
    });
    await dies();
    const found: number[] = [];
    for (let second = 0; second <= 8; second++) {
      if ((await reconciler.round()) > 0) found.push(second);
      await dies();
      vi.advanceTimersByTime(1_000);
    }
    expect(found).toEqual([0, 1, 3, 7]);
    expect(tries).toBe(5);
  });

  it('and is a proof: is made again, one that a customer gave up over HTTP is not', async () => {
    const { store, reconciler } = setup();
    await keep(store, request('1', { tier: 0 }));
    await store.put(COLLECTION.proofs, proofId('1'), { ...proof('1', 'failed'), error: { code: 'PROVING_FAILED', message: '' } });
    const given = { ...proof('2', 'failed'), id: 'job-2', requestId: null };
    await store.put(COLLECTION.proofs, 'job-2', given);
    expect(await reconciler.round()).toBe(1);
    expect(await store.get(COLLECTION.proofs, proofId('1'))).toEqual(proof('1', 'queued'));
    expect(await store.get(COLLECTION.proofs, 'job-2')).toEqual(given);
    // It fails again: the next chance is minutes away.
    await store.put(COLLECTION.proofs, proofId('1'), proof('1', 'failed'));
    await reconciler.round();
    expect(await store.get(COLLECTION.proofs, proofId('1'))).toEqual(proof('1', 'failed'));
  });
});

describe('the rounds', () => {
  it('read as much, and ask as often, with much history as with little', async () => {
    const costs: number[][] = [];
    for (const many of [100, 2_000]) {
      const store = embeddedStore(state());
      const all = Array.from({ length: many }, (_, i) => String(i + 1));
      await Promise.all(
        all.flatMap((id, i) => [
          store.put(COLLECTION.requests, orderedId(id), request(id, { state: i % 3 === 0 ? 'passed' : 'answered', tier: i % 2 })),
          store.put(COLLECTION.claims, orderedId(id), claim(id, { state: i % 3 === 0 ? 'void' : 'final' })),
          store.put(COLLECTION.proofs, proofId(id), proof(id, 'done')),
          noteInHistory(store, orderedId(id), 1_000),
        ]),
      );
      await keep(store, request(String(many + 1)));
      const cost = [0, 0];
      const counting: Store = {
        ...store,
        get: (...asked) => {
          cost[0]!++;
          return store.get(...asked);
        },
        list: async <Document>(...asked: Parameters<Store['list']>) => {
          const found = await store.list<Document>(...asked);
          cost[1]! += 1 + found.length;
          return found;
        },
      };
      const { reconciler } = setup({ store: counting });
      expect(await reconciler.round()).toBe(1);
      expect(await reconciler.round()).toBe(0);
      costs.push(cost);
    }
    expect(costs[1]).toEqual(costs[0]);
    expect(Math.max(...costs[0]!)).toBeLessThan(20);
  });

  it('take a pointer that leads nowhere away at its second sight: its document may be about to be written', async () => {
    const { store, reconciler } = setup();
    await keep(store, request('1', { state: 'passed' }));
    await store.put(COLLECTION.requestsQueued, orderedId('2'), { id: orderedId('2') });
    await reconciler.round();
    expect(await store.list(COLLECTION.requestsQueued)).toHaveLength(2);
    await store.put(COLLECTION.requests, orderedId('2'), request('2'));
    expect(await reconciler.round()).toBe(1);
    expect((await store.list(COLLECTION.requestsQueued)).map(([id]) => id)).toEqual([orderedId('2')]);
  });

  it('tell of inputs that came in unheard, each once', async () => {
    const arrived: string[] = [];
    const { store, reconciler } = setup({
      hasInput: async (name) => name === word('22'),
      inputArrived: async (names) => void arrived.push(...names),
    });
    for (const waiting of [request('1'), request('2'), request('3', { input: word('33') })]) {
      await store.put(COLLECTION.requestsWaiting, waitingKey(waiting), { id: orderedId(waiting.requestId) });
    }
    await reconciler.round();
    expect(arrived).toEqual([word('22')]);
    // They wait on, since it is no input of their model: that needs no look every quarter of a minute.
    await reconciler.round();
    expect(arrived).toEqual([word('22')]);
  });

  it('begin at once, go on after a failure, and end when told', async () => {
    let rounds = 0;
    const { store, queue, reconciler } = setup({
      every: 5,
      others: [
        async () => {
          rounds++;
          if (rounds === 1) throw new Error('the server is away');
        },
      ],
    });
    await keep(store, request('1'));
    reconciler.start();
    await expect.poll(() => rounds, { timeout: 10_000 }).toBeGreaterThan(3);
    await reconciler.stop();
    const ended = rounds;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(rounds).toBe(ended);
    expect(await queue.counts('run')).toEqual({ waiting: 1, active: 0, dead: 0 });
  });
});

it('a lost proof is made though others wait in its place: some asked for over HTTP', async () => {
  const { store, queue, reconciler } = setup();
  await keep(store, request('1', { tier: 0 }));
  await store.put(COLLECTION.proofs, proofId('1'), proof('1', 'queued'));
  for (let i = 0; i < 3; i++) await queue.add({ id: `prove/job-${i}`, kind: 'prove', data: { proofId: `job-${i}` } });
  let added = 0;
  for (let round = 0; round < 4; round++) added += await reconciler.round();
  expect(added).toBe(1);
  // Lost once more, by a Redis that came back without its last second.
  const { queue: emptied } = setup();
  for (let i = 0; i < 3; i++) await emptied.add({ id: `prove/job-${i}`, kind: 'prove', data: { proofId: `job-${i}` } });
  const log = createLog({ name: 'test', level: 'silent' });
  const again = new Reconciler({ store, queue: emptied, log, hasInput: async () => false, inputArrived: async () => {} });
  expect(await again.round()).toBe(1);
  expect(await jobsIn(emptied)).toContain(`prove/${proofId('1')}`);
});
