import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { expectedGas, RESERVE_GAS } from '../../prover/chain/intake.ts';
import { RequestDesk, type RequestDeskParts, type RequestedArgs } from '../../prover/chain/requests.ts';
import type { ServedModel } from '../../prover/models/catalog.ts';
import { COLLECTION, load, orderedId, requestSchema } from '../../prover/records/documents.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'assay-intake-'));
const state = openStateDirectory(folder, 'node');
afterAll(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

const store = embeddedStore(state);
const FEE_PER_GAS = 100n;
const PAYS = expectedGas(1, 0) * FEE_PER_GAS;
const fetched: string[] = [];
let ether = RESERVE_GAS * FEE_PER_GAS;
const desk = new RequestDesk({
  owner: `0x${'11'.repeat(20)}`,
  store,
  queue: {},
  chain: {
    freeStake: async () => 10n ** 18n,
    feePerGas: async () => FEE_PER_GAS,
    ether: async () => ether,
    terms: async () => ({ illFormed: false, keyBroken: false }),
  },
  catalog: { get: () => ({ inputForm: 1 }) as ServedModel },
  inputs: { has: async () => false, of: async () => undefined },
  fetcher: { fetch: (_model: unknown, name: string) => void fetched.push(name) },
  policy: { minimumFee: undefined, mostFee: undefined, mostCoverage: undefined, faulty: false },
  log: createLog({ name: 'test', level: 'silent' }),
} as unknown as RequestDeskParts);

async function asked(requestId: bigint, fee: bigint, tier = 1) {
  const inputRoot = `0x${requestId.toString(16).padStart(64, '0')}` as const;
  const terms = { tier, coverage: 1n, callbackGas: 0, earlyDelivery: false, deadline: 10_000 };
  const inputUri = 'https://inputs.example.org/1';
  const args: RequestedArgs = { requestId, modelId: `0x${'22'.repeat(32)}`, terms, fee, inputRoot, input: '0x', inputUri };
  await desk.requested(args, 100);
  await desk.sweep(200);
  const known = await load(store, requestSchema, COLLECTION.requests, orderedId(requestId));
  return [known?.state, fetched.splice(0).includes(inputRoot)];
}

const reasonOf = async (requestId: bigint): Promise<string | undefined> =>
  (await load(store, requestSchema, COLLECTION.requests, orderedId(String(requestId))))?.reason;

it('a request that pays for next to nothing of its gas is passed, one that pays for some waits, and no input is sought for either', async () => {
  expect(await asked(1n, 0n)).toEqual(['passed', false]);
  expect(await asked(2n, PAYS / 100n - 1n)).toEqual(['passed', false]);
  expect(await asked(3n, PAYS / 100n)).toEqual(['waiting', false]);
  expect(await asked(4n, PAYS - 1n)).toEqual(['waiting', false]);
  expect(await asked(5n, PAYS)).toEqual(['waiting', true]);
});

it('nothing is claimed by a key that could not answer demands; a proof is demanded of by nobody', async () => {
  ether = RESERVE_GAS * FEE_PER_GAS - 1n;
  expect(await asked(6n, PAYS)).toEqual(['waiting', false]);
  expect(await reasonOf(6n)).toMatch(/too little ether/);
  expect(await asked(7n, expectedGas(0, 0) * FEE_PER_GAS, 0)).toEqual(['waiting', true]);
  ether = RESERVE_GAS * FEE_PER_GAS;
  expect(await asked(8n, PAYS)).toEqual(['waiting', true]);
});
