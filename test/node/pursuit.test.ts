import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ChallengerChain } from '../../challenger/chain.ts';
import type { Material } from '../../challenger/material.ts';
import { Pursuit } from '../../challenger/pursuit.ts';
import { ChallengerState } from '../../challenger/state.ts';
import type { Hash } from '../../core/brand.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import { runOperations } from '../../core/program/cost.ts';
import type { Program } from '../../core/program/types.ts';
import { createLog } from '../../runtime/log.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const tensor = (length: number, type: 'u8' | 'i32') =>
  ({ name: 't', dims: [length], type, scales: [1], zeroPoints: [0], axis: 0 }) as const;
const matmul = {
  ...{ batch: 1, rows: 2, inner: 10, columns: 3, zeroPointA: 0, zeroPointB: 0 },
  ...{ shift: 0, bias: 0, low: -2147483648, high: 2147483647, shareB: 0 },
};
const program: Program = {
  instructions: [
    { kind: 'input', type: 'u8', length: 20, sources: [], attributes: {}, parameters: new Uint8Array() },
    { kind: 'input', type: 'u8', length: 30, sources: [], attributes: {}, parameters: new Uint8Array() },
    { kind: 'matmul', type: 'i32', length: 6, sources: [0, 1], attributes: matmul, parameters: new Uint8Array() },
  ],
  interface: { name: 'a product', inputs: [tensor(20, 'u8'), tensor(30, 'u8')], outputs: [tensor(6, 'i32')] },
};
const OPERATIONS = 6 * (10 + 1);

it('counts the work of a run', () => {
  expect(runOperations(program)).toBe(OPERATIONS);
});

it.each([
  ['runs what is just small enough', OPERATIONS, 'drawn', 1],
  ['leaves a program to others whose run would hold up all other claims', OPERATIONS - 1, 'unavailable', 0],
] as const)('%s', async (_, mostOperations, state, asked) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-pursuit-'));
  const directory = openStateDirectory(folder, 'challenger');
  closers.push(
    () => directory.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  const memory = new ChallengerState(directory);
  const hash = `0x${'12'.repeat(32)}` as Hash;
  await memory.saveRequest({ requestId: '1', modelId: hash, inputRoot: hash, inputUri: '' });
  await memory.saveClaim({ claimId: '1', modelId: hash, prover: '0x', outputRoot: hash, state: 'drawn', claimedAt: 100 });
  let inputs = 0;
  const chain = { claim: async () => ({ open: true }), sender: { address: '0x' } } as unknown as ChallengerChain;
  const material = {
    model: async () => ({ trees: programTrees(program), greatestDepth: 1 }),
    input: async () => {
      inputs++;
      throw new Error('asked for the input, which comes before the run');
    },
  } as unknown as Material;
  const clocks = { window: 10, response: 10, reaction: 10 };
  const log = createLog({ name: 'test', level: 'silent' });
  const pursuit = new Pursuit({ state: memory, chain, material, clocks, mostOperations, log });
  pursuit.wake({ number: 1n, timestamp: 100n });
  await pursuit.idle();
  expect(inputs).toBe(asked);
  expect(memory.claim('1')?.state).toBe(state);
});
