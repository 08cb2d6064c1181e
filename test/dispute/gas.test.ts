import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readClocks } from '../../contracts/client/board/read.ts';
import type { Clocks } from '../../core/dispute/clocks.ts';
import { execute } from '../../core/execute.ts';
import type { AnyInstruction, Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { type DisputeCase, spoiledFrom } from '../support/dispute-cases.ts';
import { DisputeChain } from '../support/dispute-chain.ts';
import { PROMPT, play } from '../support/dispute-play.ts';
import { programOf } from '../support/instructions.ts';
import { Random } from '../support/random.ts';

/**
 * Gas of whole disputes on the real contracts, transaction by transaction as receipts tell it. Committed: a change shows in review.
 * `UPDATE_GAS=1 npx vitest run test/dispute/gas.test.ts` writes the file anew.
 */
const FILE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'gas.json');

let chain: DisputeChain;
let clocks: Clocks;

beforeAll(async () => {
  chain = await DisputeChain.start();
  clocks = await readClocks(chain.client, chain.deployed.board);
});
afterAll(async () => {
  await chain.stop();
});

function dense(source: number, inputs: number, outputs: number, r: Random): AnyInstruction {
  const row = inputs + 5;
  const parameters = new Uint8Array(row * outputs);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) parameters[o * row + i] = (r.integer(1, 64) * r.pick([1, -1])) & 255;
    parameters[o * row + row - 1] = 10;
  }
  const ones = {
    batch: 1,
    height: 1,
    width: 1,
    outHeight: 1,
    outWidth: 1,
    kernelHeight: 1,
    kernelWidth: 1,
    strideHeight: 1,
    strideWidth: 1,
  };
  const rest = { dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, groups: 1, zeroPoint: 0, weightBytes: 1, low: 0, high: 255 };
  return {
    kind: 'linear',
    type: 'u8',
    length: outputs,
    sources: [source],
    attributes: { ...ones, ...rest, channels: inputs, outChannels: outputs },
    parameters,
  };
}

function isqrt(source: number, length: number): AnyInstruction {
  return { kind: 'isqrt', type: 'u8', length, sources: [source], attributes: { shift: 8 }, parameters: new Uint8Array() };
}

/** Dot products of 4,096 bytes. */
function dotProduct(): Program {
  return programOf([{ type: 'u8', length: 4096 }], [dense(0, 4096, 4, new Random(1))]);
}

/** Fifty tensors of 3,000 elements. */
function fiftyTensors(): Program {
  return programOf(
    [{ type: 'u8', length: 3000 }],
    Array.from({ length: 49 }, (_, i) => isqrt(i, 3000)),
  );
}

async function gasOf(program: Program, position: number, element: number, withheld: boolean): Promise<Record<string, number>> {
  const input: TypedArray = Uint8Array.from({ length: program.instructions[0]!.length }, (_, i) => ((i * 37) % 255) + 1);
  const given: DisputeCase = { program, inputs: [input] };
  const tensors = spoiledFrom(program, execute(program, given.inputs), position, element);
  const manners = withheld ? { ...PROMPT, serves: false, hidesInput: true } : PROMPT;
  const { receipts, names } = await play(chain, clocks, given, tensors, manners);
  return Object.fromEntries(receipts.map(({ gasUsed }, i) => [`${i + 1} ${names[i]}`, Number(gasUsed)]));
}

function shapeOf(measured: Readonly<Record<string, Readonly<Record<string, number>>>>): unknown {
  return Object.entries(measured).map(([dispute, transactions]) => [dispute, Object.keys(transactions)]);
}

it('gas of whole disputes is what the committed file says', async () => {
  const measured = {
    'dot product of 4,096, served': await gasOf(dotProduct(), 1, 2, false),
    'fifty tensors, served': await gasOf(fiftyTensors(), 49, 2999, false),
    'fifty tensors, everything withheld': await gasOf(fiftyTensors(), 20, 1500, true),
  };
  if (process.env.UPDATE_GAS !== undefined || !existsSync(FILE)) writeFileSync(FILE, `${JSON.stringify(measured, null, 2)}\n`);
  const committed = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Record<string, number>>;
  expect(shapeOf(measured)).toEqual(shapeOf(committed));
  for (const [dispute, transactions] of Object.entries(measured)) {
    for (const [name, gas] of Object.entries(transactions)) {
      // Hashes in calldata have more or fewer zero bytes from one build to the next.
      expect(Math.abs(gas / committed[dispute]![name]! - 1), `${dispute}: ${name} used ${gas}`).toBeLessThan(0.02);
    }
  }
  expect(Object.keys(measured['fifty tensors, served']).length).toBe(4);
  expect(Object.keys(measured['fifty tensors, everything withheld']).length).toBeLessThanOrEqual(18);
  expect(measured['dot product of 4,096, served']['4 prove']).toBeLessThanOrEqual(500_000);
});
