import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bytesToHex, type Hex, zeroAddress } from 'viem';
import { afterEach, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { allocate } from '../../core/tensor.ts';
import { inputForms, joinTensors, listRootOfBytes } from '../../core/tensor-list.ts';
import { type NodeChain, STATUS } from '../../prover/chain/chain.ts';
import { RESERVE_GAS } from '../../prover/chain/intake.ts';
import { RequestDesk } from '../../prover/chain/requests.ts';
import type { Catalog, ServedModel } from '../../prover/models/catalog.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import { COLLECTION, orderedId } from '../../prover/records/documents.ts';
import { InputStore } from '../../prover/records/inputs.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { allKinds } from '../support/all-kinds.ts';
import { Random } from '../support/random.ts';

const MODEL = `0x${'11'.repeat(32)}` as const;
const NOW = 1_000;
const ending: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** A desk before a chain that holds whatever it is asked for, and a disk that is full while `disk.isFull`. */
function setup() {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-requests-'));
  const state = openStateDirectory(folder, 'node');
  const store = embeddedStore(state);
  const queue = embeddedQueue(state);
  ending.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => state.close(),
    () => queue.close(),
  );
  const program = allKinds(new Random(5));
  const model = { modelId: MODEL, program, inputForm: 0 } as unknown as ServedModel;
  const catalog: Catalog = { get: () => model, all: [model], largestInput: 1_000, close: async () => {} };
  const artifacts = openArtifacts(path.join(folder, 'artifacts'));
  const disk = { isFull: false };
  const inputs = new InputStore(
    {
      has: (...name) => artifacts.has(...name),
      get: (...name) => artifacts.get(...name),
      remove: (...name) => artifacts.remove(...name),
      put: async (...bytes) => {
        if (disk.isFull) throw new AssayError('no space is left', { code: 'DISK_FULL' });
        return artifacts.put(...bytes);
      },
    },
    store,
  );
  const chain = {
    freeStake: async () => 10n,
    feePerGas: async () => 1n,
    ether: async () => RESERVE_GAS,
    terms: async () => ({ illFormed: false, keyBroken: false }),
    request: async () => ({ status: STATUS.none }),
  } as unknown as NodeChain;
  const desk = new RequestDesk({
    ...{ owner: zeroAddress, store, queue, chain, catalog, inputs },
    fetcher: { fetch: () => {} },
    ends: { note: async () => {} },
    takeUp: async () => false,
    policy: { minimumFee: 0n, mostFee: undefined, mostCoverage: undefined, faulty: false },
    log: createLog({ name: 'test', level: 'silent' }),
  });
  const bytes = joinTensors(inputForms(program).map(({ type, length }) => allocate(type, length)));
  const inputRoot = listRootOfBytes(inputForms(program), bytes) as Hex;
  const asked = (input: Hex, deadline: number) => ({
    requestId: 1n,
    modelId: MODEL,
    terms: { tier: 1, earlyDelivery: false, coverage: 1n, deadline, callbackGas: 0 },
    ...{ fee: 1n, inputRoot, input, inputUri: '' },
  });
  const stateOf = async (): Promise<string | undefined> =>
    (await store.get<{ readonly state: string }>(COLLECTION.requests, orderedId('1')))?.state;
  return { desk, disk, store, asked, input: bytesToHex(bytes), stateOf };
}

it('a request whose input finds a full disk is not dropped: its event fails, and is handled when there is space', async () => {
  const { desk, disk, asked, input, stateOf } = setup();
  disk.isFull = true;
  await expect(desk.requested(asked(input, NOW + 60), NOW)).rejects.toMatchObject({ code: 'DISK_FULL' });
  expect(await stateOf()).toBeUndefined();
  disk.isFull = false;
  await desk.requested(asked(input, NOW + 60), NOW);
  expect(await stateOf()).toBe('queued');
});

it('a request whose input is none of its model is left alone for good', async () => {
  const { desk, asked, input, stateOf } = setup();
  await desk.requested(asked(`${input}00`, NOW + 60), NOW);
  expect(await stateOf()).toBeUndefined();
});

it.each([
  [NOW - 1, undefined],
  [NOW, 'passed'],
  [NOW + 1, 'passed'],
  [NOW + 2, 'queued'],
])('a request with the deadline %i, seen at 1,000, is remembered as %s', async (deadline, state) => {
  const { desk, store, asked, input, stateOf } = setup();
  await desk.requested(asked(input, deadline), NOW);
  expect(await stateOf()).toBe(state);
  expect(await store.list(COLLECTION.requestsByTime)).toHaveLength(state === undefined ? 0 : 1);
});
