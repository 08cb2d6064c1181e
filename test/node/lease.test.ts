import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { holdLease, type Lease, type LeaseOptions } from '../../prover/assembly/lease.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory, type StateDirectory } from '../../runtime/state-directory.ts';

let folder: string;
let state: StateDirectory;
let store: Store;
const leases: Lease[] = [];
const lost: AssayError[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-lease-'));
  state = openStateDirectory(folder, 'node');
  store = embeddedStore(state);
});
afterEach(async () => {
  for (const lease of leases.splice(0)) await lease.release();
  lost.length = 0;
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

async function hold(options: Partial<LeaseOptions> = {}): Promise<Lease> {
  const lease = await holdLease(store, 'stake', {
    every: 40,
    patience: 400,
    log: createLog({ name: 'test', level: 'silent' }),
    onLost: (error) => lost.push(error),
    ...options,
  });
  leases.push(lease);
  return lease;
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof AssayError ? error.code : String(error)),
  );

describe('the lease of a stake', () => {
  it('is refused while its holder lives, and says where that is', async () => {
    await hold();
    const refused = hold();
    expect(await code(refused)).toBe('STAKE_IN_USE');
    await expect(refused).rejects.toMatchObject({ facts: { stake: 'stake', process: expect.stringContaining(`process ${process.pid}`) } });
  });

  it('is free at once when it was given back', async () => {
    await (await hold()).release();
    // Waiting for a dead holder would take longer than a test may.
    expect(await code(hold({ patience: 3_600_000 }))).toBe('none');
  });

  it('of a process that was killed goes to the next one, which waits for its patience', async () => {
    await store.put('leases', 'stake', { holder: 'killed', place: 'elsewhere', beat: 7 });
    const started = performance.now();
    expect(await code(hold())).toBe('none');
    expect(performance.now() - started).toBeGreaterThanOrEqual(400);
  });

  it('goes to one of many that ask for it at once', async () => {
    const codes = await Promise.all(Array.from({ length: 6 }, () => code(hold())));
    expect(codes.filter((each) => each === 'none')).toHaveLength(1);
    expect(codes.filter((each) => each === 'STAKE_IN_USE')).toHaveLength(5);
  });

  it('tells its holder when another took it, once', async () => {
    await hold();
    await store.put('leases', 'stake', { holder: 'other', place: 'elsewhere', beat: 0 });
    await expect.poll(() => lost.map((error) => error.code)).toEqual(['STAKE_IN_USE']);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(lost).toHaveLength(1);
    expect(await store.get('leases', 'stake')).toMatchObject({ holder: 'other' });
  });

  it('outlives a store that does not answer for a while', async () => {
    let broken = false;
    const flaky: Store = { ...store, update: (...change) => (broken ? Promise.reject(new Error('away')) : store.update(...change)) };
    const held = await holdLease(flaky, 'stake', {
      every: 40,
      patience: 400,
      log: createLog({ name: 'test', level: 'silent' }),
      onLost: (error) => lost.push(error),
    });
    leases.push(held);
    broken = true;
    await new Promise((resolve) => setTimeout(resolve, 150));
    broken = false;
    expect(await code(hold())).toBe('STAKE_IN_USE');
    expect(lost).toEqual([]);
  });
});
