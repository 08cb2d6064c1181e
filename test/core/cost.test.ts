import { describe, expect, test } from 'vitest';
import { stepReads } from '../../core/dispute/step-reads.ts';
import { encodeMap } from '../../core/ops/map.ts';
import { requireDisputable, STEP_GAS, stepCost, worstStep } from '../../core/program/cost.ts';
import type { Program } from '../../core/program/types.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { ELEMENT_BYTES, type TypedArray } from '../../core/tensor.ts';
import { buildTree, CHUNK_BYTES, chunkCount, EMPTY, openNodes } from '../../core/tree.ts';
import { COMPUTED_KINDS, programOf, randomCase } from '../support/instructions.ts';
import { mobilenet, resnet8 } from '../support/networks.ts';
import { Random } from '../support/random.ts';
import { smallInstruction } from '../support/small-instructions.ts';

/** Bytes of an opening: the leaves themselves and their siblings. */
function openingBytes(blobBytes: number, leaves: readonly number[]): number {
  if (leaves.length === 0) return 0;
  const tree = buildTree(new Array<Uint8Array>(chunkCount(blobBytes)).fill(EMPTY));
  const held = leaves.reduce((n, leaf) => n + Math.min(CHUNK_BYTES, blobBytes - leaf * CHUNK_BYTES), 0);
  return held + 32 * openNodes(tree, leaves).length;
}

/** Bytes that the step of one element really opens, whatever the tensors hold. */
function openedBytes(program: Program, position: number, element: number, r: Random): number {
  const tensors = program.instructions.map(({ type }) => {
    const [value] = r.tensor(type, 1);
    return new Proxy([], { get: () => value }) as unknown as TypedArray;
  });
  const reads = stepReads(program, position, element, tensors);
  const instruction = program.instructions[position]!;
  const sources = sourceShapes(program, instruction).map(({ type, length }, n) =>
    openingBytes(length * ELEMENT_BYTES[type], reads.sources[n]!),
  );
  return [openingBytes(instruction.parameters.length, reads.parameters), ...sources].reduce((a, b) => a + b, 0);
}

/** Most bytes of `count` elements of an instruction, ends included. */
function greatest(program: Program, position: number, count: number, r: Random): number {
  const last = program.instructions[position]!.length - 1;
  const elements = [0, last, ...Array.from({ length: count }, () => r.integer(0, last))];
  return Math.max(...elements.map((element) => openedBytes(program, position, element, r)));
}

describe('the stated cost of a step is above what any step opens', () => {
  const r = new Random(13);

  test.each(COMPUTED_KINDS)('%s: random instructions', (kind) => {
    for (let i = 0; i < 40; i++) {
      const { program } = randomCase(kind, r);
      const position = program.instructions.length - 1;
      const stated = stepCost(program.instructions[position]!, sourceShapes(program, program.instructions[position]!));
      expect(greatest(program, position, 10, r)).toBeLessThanOrEqual(stated.bytes);
      expect(stated.gas).toBeGreaterThanOrEqual(STEP_GAS.base + STEP_GAS.floor * stated.bytes);
    }
  });

  test.each([
    ['ResNet-8', resnet8],
    ['MobileNet', mobilenet],
  ] as const)('%s: and within three times of it', (_, network) => {
    const program = network(r);
    program.instructions.forEach((instruction, position) => {
      if (instruction.kind === 'input') return;
      const stated = stepCost(instruction, sourceShapes(program, instruction)).bytes;
      const found = greatest(program, position, 20, r);
      expect(found).toBeLessThanOrEqual(stated);
      expect(stated).toBeLessThan(3 * found);
    });
    expect(() => requireDisputable(program)).not.toThrow();
  });

  const long = 40_000;
  test.each([
    ['arg', { sources: [{ type: 'i16', length: long }], length: 8, attributes: { axis: long / 8, inner: 8 }, type: 'i16' }],
    ['arg', { sources: [{ type: 'i32', length: long }], length: 1000, attributes: { axis: long / 1000, inner: 1000 } }],
    [
      'matmul',
      {
        sources: [
          { type: 'u8', length: long },
          { type: 'i16', length: long },
        ],
        length: 1600,
        attributes: { rows: 40, columns: 40, inner: 1000 },
      },
    ],
    [
      'sum',
      {
        sources: [{ type: 'u8', length: long }],
        length: 16,
        attributes: { height: 50, width: 50, channels: 16, kernelHeight: 50, kernelWidth: 50 },
      },
    ],
    [
      'max',
      {
        sources: [{ type: 'i32', length: long }],
        type: 'i32',
        length: 8000,
        attributes: {
          height: 100,
          width: 50,
          channels: 8,
          outHeight: 50,
          outWidth: 20,
          kernelHeight: 3,
          kernelWidth: 5,
          dilationWidth: 7,
          strideHeight: 2,
        },
      },
    ],
    [
      'map',
      {
        sources: [
          { type: 'u8', length: long },
          { type: 'u8', length: 100 },
        ],
        length: long,
        parameters: encodeMap(
          Uint32Array.from({ length: long }, (_, e) => (e * 7919) % (long + 103)),
          Uint8Array.of(1, 2, 3),
        ),
      },
    ],
  ] as const)('%s over a tensor of 40,000 elements', (kind, change) => {
    const { instruction, sources } = smallInstruction(kind, change as never);
    const program = programOf(sources, [instruction]);
    const position = sources.length;
    expect(greatest(program, position, 60, r)).toBeLessThanOrEqual(stepCost(instruction, sources).bytes);
  });
});

describe('a program whose steps are too large for a dispute', () => {
  test('is named with its instruction', () => {
    const length = 100_000;
    const change = { sources: [{ type: 'u8', length }], type: 'i32', attributes: { axis: length } } as const;
    const { instruction, sources } = smallInstruction('arg', change);
    const program = programOf(sources, [instruction]);
    expect(worstStep(program).bytes).toBeGreaterThan(96 * 1024);
    expect(() => requireDisputable(program)).toThrow(expect.objectContaining({ code: 'STEP_TOO_LARGE' }));
  });
});
