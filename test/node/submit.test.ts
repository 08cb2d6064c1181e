import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bytesToHex, zeroAddress } from 'viem';
import { afterEach, describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { allocate } from '../../core/tensor.ts';
import { inputForms, joinTensors } from '../../core/tensor-list.ts';
import { type NodeChain, type PreparedClaim, STATUS } from '../../prover/chain/chain.ts';
import { Submitter } from '../../prover/chain/submit.ts';
import type { Catalog, ServedModel } from '../../prover/models/catalog.ts';
import { openPool } from '../../prover/models/sessions.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import { type ClaimDocument, COLLECTION, orderedId, type RequestDocument } from '../../prover/records/documents.ts';
import { InputStore } from '../../prover/records/inputs.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { enqueue } from '../../prover/work/jobs.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { allKinds } from '../support/all-kinds.ts';
import { Random } from '../support/random.ts';

const MODEL = `0x${'11'.repeat(32)}` as const;
const ending: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** A submitter with one prepared claim on its store, before a chain that takes it. */
async function prepared(check: () => Promise<never>, onChain: { readonly coverage?: bigint; readonly fee?: bigint } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-submit-'));
  const state = openStateDirectory(folder, 'node');
  const program = allKinds(new Random(5));
  const session = await openPool(encodeProgram(program));
  const queue = embeddedQueue(state, { firstDelay: 1, longestDelay: 2 });
  ending.push(
    async () => rmSync(folder, { recursive: true, force: true }),
    () => state.close(),
    () => session.close(),
    () => queue.close(),
  );
  const store = embeddedStore(state);
  const inputs = new InputStore(openArtifacts(path.join(folder, 'artifacts')), store);
  const model = { modelId: MODEL, program, session, inputForm: 0 } as unknown as ServedModel;
  const tensors = inputForms(program).map(({ type, length }) => allocate(type, length));
  const { inputRoot } = await inputs.accept(model, joinTensors(tensors));
  const terms = { modelId: MODEL, tier: 1, fee: '1', coverage: '1', callbackGas: 0, earlyDelivery: false, deadline: 9_999_999_999 };
  const request: RequestDocument = { requestId: '1', ...terms, input: inputRoot, state: 'queued' };
  const output = bytesToHex(joinTensors(outputsOf(program, execute(program, tensors))));
  const claim: ClaimDocument = { claimId: '1', modelId: MODEL, input: inputRoot, output, fault: null, state: 'prepared', claimedAt: 0 };
  await store.put(COLLECTION.requests, orderedId('1'), request);
  await store.put(COLLECTION.claims, orderedId('1'), claim);
  const sent: string[] = [];
  const chain = {
    owner: async () => zeroAddress,
    request: async () => ({
      status: sent.length > 0 ? STATUS.claimed : STATUS.open,
      terms: { ...terms, coverage: onChain.coverage ?? 1n },
      input: inputRoot,
      fee: onChain.fee ?? 1n,
      prover: zeroAddress,
    }),
    claim: async ({ output: claimed }: PreparedClaim) => void sent.push(claimed),
  } as unknown as NodeChain;
  const catalog: Catalog = { get: () => model, all: [model], largestInput: 1_000, close: async () => {} };
  const log = createLog({ name: 'test', level: 'silent' });
  new Submitter({ store, queue, chain, catalog, inputs, checks: { of: check }, log }).start();
  await enqueue(queue, 'claim', { requestId: '1' });
  return { queue, sent, output, store, request };
}

describe('a prepared claim', () => {
  it('is not sent while its model was not held to the step code of the chain, nor when that failed', async () => {
    let asked = 0;
    const { queue, sent } = await prepared(async () => {
      asked++;
      throw new AssayError('not the same', { code: 'STEP_DIFFERS' });
    });
    await expect.poll(() => queue.counts('claim'), { timeout: 20_000 }).toEqual({ waiting: 0, active: 0, dead: 1 });
    expect(asked).toBeGreaterThan(1);
    expect(sent).toEqual([]);
  });

  it('is sent, as it was prepared, once it was', async () => {
    let asked = 0;
    const { queue, sent, output, store } = await prepared(async () => {
      if (++asked === 1) throw new Error('the chain did not answer');
      return undefined as never;
    });
    await expect.poll(() => queue.counts('claim'), { timeout: 20_000 }).toEqual({ waiting: 0, active: 0, dead: 0 });
    expect(sent).toEqual([output]);
    expect(await store.get(COLLECTION.requests, orderedId('1'))).toMatchObject({ state: 'answered' });
  });

  it.each([{ coverage: 2n }, { fee: 0n }])('is not sent when the chain asks the same on other terms: %o', async (onChain) => {
    const { queue, sent, store } = await prepared(async () => undefined as never, onChain);
    await expect.poll(() => queue.counts('claim'), { timeout: 20_000 }).toEqual({ waiting: 0, active: 0, dead: 0 });
    expect(sent).toEqual([]);
    expect(await store.get(COLLECTION.requests, orderedId('1'))).toMatchObject({ state: 'passed' });
    expect(await store.get(COLLECTION.claims, orderedId('1'))).toMatchObject({ state: 'void' });
  });

  it('that comes too late does not end the request that was given its number meanwhile', async () => {
    const seen: { coverage?: bigint } = {};
    const { queue, sent, store, request } = await prepared(async () => {
      await store.put(COLLECTION.requests, orderedId('1'), { ...request, coverage: '2' });
      seen.coverage = 2n;
      throw new Error('the contract refuses the question');
    }, seen);
    await expect.poll(() => queue.counts('claim'), { timeout: 20_000 }).toEqual({ waiting: 0, active: 0, dead: 0 });
    expect(sent).toEqual([]);
    expect(await store.get(COLLECTION.requests, orderedId('1'))).toMatchObject({ state: 'queued', coverage: '2' });
    expect(await store.get(COLLECTION.claims, orderedId('1'))).toMatchObject({ state: 'prepared' });
  });
});
