import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hash } from '../../core/brand.ts';
import { AssayError } from '../../core/errors.ts';
import { modelRecord } from '../../core/program/identity.ts';
import { drain } from '../../prover/assembly/drain.ts';
import { awaitIdentity, bindToChain, claimStore } from '../../prover/assembly/identity.ts';
import { meteredProve, meteredQueue } from '../../prover/assembly/metered.ts';
import { holdStake } from '../../prover/assembly/stake-lock.ts';
import { createMetrics } from '../../prover/metrics.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Prove } from '../../prover/work/answer.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory, type StateDirectory } from '../../runtime/state-directory.ts';
import { allKinds } from '../support/all-kinds.ts';
import { Random } from '../support/random.ts';

let folder: string;
let state: StateDirectory;
let queue: Queue;
const log = createLog({ name: 'test', level: 'silent' });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-assembly-'));
  state = openStateDirectory(folder, 'node');
  queue = embeddedQueue(state, { firstDelay: 5 });
});
afterEach(async () => {
  await queue.close();
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const job = (kind: string, id: string) => ({ id, kind, data: {} });

describe('draining', () => {
  it('lets what runs end, and waits until what it made is sent; starts nothing new; goes on with demands', async () => {
    const running = gate();
    const done: string[] = [];
    for (const id of ['run/1', 'run/2']) await queue.add(job('run', id));
    queue.work('run', 1, async ({ id }) => {
      await running.opened;
      await queue.add(job('claim', `claim-of-${id}`));
      done.push(id);
    });
    queue.work('claim', 1, async ({ id }) => void done.push(id));
    queue.work('defend', 1, async ({ id }) => void done.push(id));
    await expect.poll(() => queue.counts('run')).toMatchObject({ active: 1 });
    let isDrained = false;
    const drained = drain(queue, ['run'], ['claim'], 3_600).then(() => {
      isDrained = true;
    });
    await queue.add(job('defend', 'demand'));
    await expect.poll(() => done).toEqual(['demand']);
    expect(isDrained).toBe(false);
    running.open();
    await drained;
    expect(done.sort()).toEqual(['claim-of-run/1', 'demand', 'run/1']);
    expect(await queue.counts('run')).toEqual({ waiting: 1, active: 0, dead: 0 });
  });

  it('waits no longer than it is told, and loses nothing by that', async () => {
    await queue.add(job('run', 'endless'));
    queue.work('run', 1, (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))));
    await expect.poll(() => queue.counts('run')).toMatchObject({ active: 1 });
    await drain(queue, ['run'], ['claim'], 0.1);
    await queue.close();
    const again = embeddedQueue(state);
    expect(await again.counts('run')).toEqual({ waiting: 1, active: 0, dead: 0 });
    await again.close();
  });

  it('ends where the queue does not answer', async () => {
    const broken: Queue = { ...meteredQueue(queue, createMetrics()), pause: () => Promise.reject(new Error('away')) };
    await drain(broken, ['run'], [], 3_600);
  });
});

describe('what is counted', () => {
  it('is how jobs end: done, failed, dead, and not those that were stopped', async () => {
    const metrics = createMetrics();
    const metered = meteredQueue(queue, metrics);
    // Attempts of a kind's own: what JOBS says of `prove`.
    await metered.add({ ...job('prove', 'poison'), attempts: 12 });
    await metered.add(job('run', 'good'));
    metered.work('prove', 1, async () => {
      throw new Error('no luck');
    });
    metered.work('run', 1, async () => {});
    await expect.poll(() => queue.counts('prove'), { timeout: 120_000 }).toMatchObject({ dead: 1 });
    const text = await metrics.text();
    for (const [kind, result, count] of [
      ['prove', 'failed', 11],
      ['prove', 'dead', 1],
      ['run', 'done', 1],
    ])
      expect(text).toContain(`assay_jobs_total{kind="${kind}",result="${result}"} ${count}`);
    await metered.close();
    await metered.close();
  });

  it('is how proofs end', async () => {
    const metrics = createMetrics();
    const answers = [async () => ({}), () => Promise.reject(new Error('failed')), () => Promise.reject(new Error('stopped'))];
    const prove = meteredProve((() => answers.shift()!()) as unknown as Prove, metrics);
    const abort = new AbortController();
    const call = (): Promise<unknown> => (prove as (...given: unknown[]) => Promise<unknown>)({}, new Uint8Array(), 0n, abort.signal);
    await call();
    await expect(call()).rejects.toThrow('failed');
    abort.abort();
    await expect(call()).rejects.toThrow('stopped');
    const text = await metrics.text();
    for (const result of ['proved', 'failed', 'cancelled']) expect(text).toContain(`assay_proofs_total{result="${result}"} 1`);
    expect(text).toContain('assay_proof_seconds_count 1');
  });
});

describe('the stake', () => {
  const owner = '0x00000000000000000000000000000000000000Aa';
  const away = new AssayError('away', { code: 'STORE_UNREACHABLE' });
  const taken = new AssayError('taken', { code: 'LOCK_HELD' });

  /** Answers calls in order; the last one goes for all that follow. */
  function storage(...answers: (AssayError | 'held')[]) {
    const lost: ((error: AssayError) => void)[] = [];
    const names: string[] = [];
    let released = 0;
    const hold = async (name: string, onLost: (error: AssayError) => void) => {
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
      names.push(name);
      if (answer !== 'held') throw answer;
      lost.push(onLost);
      return { release: async () => void released++ };
    };
    return { hold, lost, names, released: () => released };
  }

  it('needs no lock where the state directory is one', async () => {
    await (await holdStake({ hold: undefined }, owner, log, () => {})).release();
  });

  it('is refused while another process has it', async () => {
    await expect(holdStake(storage(taken), owner, log, () => {})).rejects.toMatchObject({ code: 'STAKE_IN_USE' });
    await expect(holdStake(storage(away), owner, log, () => {})).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('is held again when its connection broke, and released once', async () => {
    const held = storage('held', away, 'held');
    const fatal: AssayError[] = [];
    const lock = await holdStake(held, owner, log, (error) => fatal.push(error));
    held.lost[0]!(away);
    await expect.poll(() => held.names).toEqual(Array(3).fill(`chain/${owner.toLowerCase()}`));
    await lock.release();
    expect(fatal).toEqual([]);
    expect(held.released()).toBe(1);
  });

  it('is fatal when another process was faster', async () => {
    const held = storage('held', taken);
    const fatal: AssayError[] = [];
    const lock = await holdStake(held, owner, log, (error) => fatal.push(error));
    held.lost[0]!(away);
    await expect.poll(() => fatal.map(({ code }) => code)).toEqual(['STAKE_IN_USE']);
    await lock.release();
  });
});

describe('a store', () => {
  const ours = { chainId: 31_337, requests: `0x${'1'.repeat(40)}`, owner: `0x${'2'.repeat(40)}` } as const;

  it.each([
    ['another chain', { chainId: 1 }],
    ['another deployment', { requests: `0x${'3'.repeat(40)}` }],
    ['another stake', { owner: `0x${'4'.repeat(40)}` }],
  ] as const)('of %s is refused', async (_, change) => {
    const store = embeddedStore(state);
    await claimStore(store, ours);
    await claimStore(store, { ...ours, owner: `0x${'2'.repeat(40)}` });
    await expect(claimStore(store, { ...ours, ...change })).rejects.toMatchObject({ code: 'NODE_FOREIGN' });
  });

  it('tells a worker whose it is, as soon as a process with a chain has said so', async () => {
    const store = embeddedStore(state);
    await expect(awaitIdentity(store, { log, patience: 0 })).rejects.toMatchObject({ code: 'CHAIN_ROLE_MISSING' });
    const waiting = awaitIdentity(store, { log });
    await claimStore(store, ours);
    expect(await waiting).toEqual(ours);
  });

  it('on a disk that is full is taken up by the node that it belongs to: demands wait for it', async () => {
    const program = allKinds(new Random(5));
    const record = modelRecord(program, { creator: `0x${'5'.repeat(40)}` });
    const chain = { record: async () => record } as unknown as Parameters<typeof bindToChain>[0];
    const name = `0x${'6'.repeat(64)}` as Hash;
    const start = async (): Promise<void> => {
      const store = embeddedStore(state);
      await claimStore(store, ours);
      await bindToChain(chain, store)(name, program, new Uint8Array());
    };
    const full = async (): Promise<void> => {
      await state.close();
      state = openStateDirectory(folder, 'node', Number.MAX_SAFE_INTEGER);
    };
    await full();
    await expect(start()).rejects.toMatchObject({ code: 'DISK_FULL' });
    await state.close();
    state = openStateDirectory(folder, 'node');
    await start();
    await full();
    await start();
    await expect(embeddedStore(state).put('any', 'thing', {})).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});
