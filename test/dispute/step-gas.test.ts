import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stepReads } from '../../core/dispute/step-reads.ts';
import { encodeMap } from '../../core/ops/map.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import { stepCost } from '../../core/program/cost.ts';
import type { AnyInstruction } from '../../core/program/types.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { allocate, type ElementType, type TypedArray } from '../../core/tensor.ts';
import { COMPUTED_KINDS, programOf, type RandomCase, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { stepCase } from '../support/step-case.ts';
import { type StepChain, startStepChain } from '../support/step-chain.ts';

let chain: StepChain;
beforeAll(async () => {
  chain = await startStepChain();
});
afterAll(() => chain.stop());

/** Gas of a transaction that makes the step and nothing else, beside what core states as the most. */
async function measured(example: RandomCase, element: number): Promise<{ gas: number; stated: number }> {
  const { callFor, own, position } = stepCase(example);
  const instruction = example.program.instructions[position]!;
  const call = callFor(element);
  const stated = stepCost(instruction, sourceShapes(example.program, instruction));
  const reads = stepReads(example.program, position, element, own.tensors);
  const leaves = [reads.parameters, ...reads.sources].reduce((sum, opened) => sum + opened.length, 0);
  const blobs = instruction.sources.length + (instruction.parameters.length > 0 ? 1 : 0);
  expect(call.evidence.length - 2 * blobs - 3 * leaves).toBeLessThanOrEqual(stated.bytes);
  return { gas: await chain.stepGas(call), stated: stated.gas };
}

/** Values none of whose bytes is zero: the dearest calldata. */
function nonzero(type: ElementType, length: number): TypedArray {
  const values = allocate(type, length);
  return values.fill(type === 'u8' ? 0xff : type === 'i16' ? 0x0101 : 0x01010101);
}

function example(sources: readonly { type: ElementType; length: number }[], instruction: Omit<AnyInstruction, 'sources'>): RandomCase {
  const whole = { ...instruction, sources: sources.map((_, i) => i) } as AnyInstruction;
  return { program: programOf(sources, [whole]), inputs: sources.map(({ type, length }) => nonzero(type, length)) };
}

const WINDOW = {
  ...{ batch: 1, height: 1, width: 1, channels: 1, outHeight: 1, outWidth: 1, kernelHeight: 1, kernelWidth: 1 },
  ...{ strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0 },
};
const I32 = { low: -2147483648, high: 2147483647 };

/** One output channel over the whole of a [height, width, channels] image. */
function linear(source: 'u8' | 'i16', weightBytes: 1 | 2, height: number, width: number, channels: number): RandomCase {
  const window = { ...WINDOW, height, width, channels, kernelHeight: height, kernelWidth: width };
  const parameters = new Uint8Array(height * width * channels * weightBytes + 5).fill(1);
  const attributes = { ...window, outChannels: 1, groups: 1, zeroPoint: 3, weightBytes, ...I32 };
  return example([{ type: source, length: height * width * channels }], { kind: 'linear', type: 'i32', length: 1, attributes, parameters });
}

const NONE = new Uint8Array();
const LARGE: Readonly<Record<string, () => RandomCase>> = {
  'dense u8 × i8, 4,096': () => linear('u8', 1, 1, 1, 4096),
  'dense i16 × i16, 4,096': () => linear('i16', 2, 1, 1, 4096),
  'dense i16 × i8, 4,096': () => linear('i16', 1, 1, 1, 4096),
  'dense u8 × i16, 4,096': () => linear('u8', 2, 1, 1, 4096),
  'dense u8 × i8, 40,000': () => linear('u8', 1, 1, 1, 40_000),
  'convolution of 3 × 3 × 256': () => linear('u8', 1, 3, 3, 256),
  'depthwise 5 × 5 of 512 channels': () =>
    example([{ type: 'u8', length: 25 * 512 }], {
      kind: 'linear',
      type: 'i32',
      length: 512,
      attributes: {
        ...WINDOW,
        height: 5,
        width: 5,
        channels: 512,
        kernelHeight: 5,
        kernelWidth: 5,
        outChannels: 512,
        groups: 512,
        zeroPoint: 3,
        weightBytes: 1,
        ...I32,
      },
      parameters: new Uint8Array(512 * 30).fill(1),
    }),
  'matmul u8 of 4,096': () => {
    const attributes = { batch: 1, rows: 1, inner: 4096, columns: 1, zeroPointA: 1, zeroPointB: 2, shift: 0, bias: 0, shareB: 0, ...I32 };
    return example(
      [4096, 4096].map((length) => ({ type: 'u8', length })),
      { kind: 'matmul', type: 'i32', length: 1, attributes, parameters: NONE },
    );
  },
  'matmul i16 × u8 of 250': () => {
    const attributes = { batch: 1, rows: 1, inner: 250, columns: 1, zeroPointA: 0, zeroPointB: 2, shift: 0, bias: 0, shareB: 0, ...I32 };
    const sources = [
      { type: 'i16', length: 250 },
      { type: 'u8', length: 250 },
    ] as const;
    return example(sources, { kind: 'matmul', type: 'i32', length: 1, attributes, parameters: NONE });
  },
  'max of 8 × 8 taps, 600 channels': () =>
    example([{ type: 'u8', length: 64 * 600 }], {
      kind: 'max',
      type: 'u8',
      length: 600,
      attributes: { ...WINDOW, height: 8, width: 8, channels: 600, kernelHeight: 8, kernelWidth: 8, minimum: 0 },
      parameters: NONE,
    }),
  'sum of 2,000 neighbours': () =>
    example([{ type: 'u8', length: 2000 }], {
      kind: 'sum',
      type: 'i32',
      length: 1,
      attributes: { ...WINDOW, width: 2000, kernelWidth: 2000, zeroPoint: 1, multiplier: 1, shift: 0, bias: 0, ...I32 },
      parameters: NONE,
    }),
  'arg over 3,000 neighbours': () =>
    example([{ type: 'i32', length: 3000 }], {
      kind: 'arg',
      type: 'i32',
      length: 1,
      attributes: { outer: 1, axis: 3000, inner: 1, minimum: 0 },
      parameters: NONE,
    }),
  'arg over 50 of 600 apart': () =>
    example([{ type: 'u8', length: 30_000 }], {
      kind: 'arg',
      type: 'i32',
      length: 600,
      attributes: { outer: 1, axis: 50, inner: 600, minimum: 0 },
      parameters: NONE,
    }),
  'a tree of depth 64 with 10,000 nodes': () => {
    const nodes = Array.from({ length: 10_000 }, (_, i) => ({
      feature: i % 1000,
      left: (i + 157) % 10_000,
      right: (i + 157) % 10_000,
      threshold: 0x01010101,
    }));
    return example([{ type: 'i32', length: 1000 }], {
      kind: 'tree',
      type: 'i32',
      length: 1,
      attributes: { rows: 1, features: 1000, trees: 1, nodes: 10_000, depth: 64 },
      parameters: encodeTreeNodes(nodes),
    });
  },
  'a table of 100,000 entries': () =>
    example([{ type: 'i32', length: 50_000 }], {
      kind: 'table',
      type: 'i32',
      length: 50_000,
      attributes: { offset: 0, entries: 100_000, width: 1, channels: 1, channelInner: 1 },
      parameters: new Uint8Array(400_000).fill(1),
    }),
  'a map of 40,000': () => {
    const sources = [{ type: 'i32', length: 40_000 }] as const;
    return example(sources, {
      kind: 'map',
      type: 'i32',
      length: 40_000,
      attributes: {},
      parameters: encodeMap(
        Uint32Array.from({ length: 40_000 }, (_, i) => 39_999 - i),
        new Int32Array(),
      ),
    });
  },
};

describe('no step is dearer than core states', () => {
  test.each(Object.keys(LARGE))('%s', async (name) => {
    const { gas, stated } = await measured(LARGE[name]!(), 0);
    expect(gas).toBeLessThanOrEqual(stated);
  });

  test.each(COMPUTED_KINDS)('%s: random ones', async (kind) => {
    const r = new Random(80);
    for (let i = 0; i < 10; i++) {
      const example = randomCase(kind, r);
      const { gas, stated } = await measured(example, r.integer(0, example.program.instructions.at(-1)!.length - 1));
      expect(gas).toBeLessThanOrEqual(stated);
    }
  });
});
