import { describe, expect, test } from 'vitest';
import { validateInstruction } from '../../core/ops/index.ts';
import { encodeMap } from '../../core/ops/map.ts';
import { encodeRescaleRows } from '../../core/ops/rescale.ts';
import { encodeTreeNodes } from '../../core/ops/tree.ts';
import { ATTRIBUTES } from '../../core/program/types.ts';
import { COMPUTED_KINDS, type ComputedKind } from '../support/instructions.ts';
import { linearRowOf, SMALL, smallInstruction } from '../support/small-instructions.ts';

type Change = Parameters<typeof smallInstruction>[1];

function check(kind: ComputedKind, change: Change): void {
  const { instruction, sources } = smallInstruction(kind, change);
  validateInstruction(instruction, sources);
}

const LIMIT = 2 ** 31 - 1;
const EXACT = 2 ** 52 - 1;
const i16Image = [{ type: 'i16', length: 4 }] as const;
const i32Pair = [
  { type: 'i32', length: 4 },
  { type: 'i32', length: 4 },
] as const;
const row = (bias: number, multiplierA = 0): Change => ({ parameters: encodeRescaleRows([{ multiplierA, multiplierB: 0, bias }]) });
const wide = (weight: number): Change => ({ attributes: { weightBytes: 2 }, parameters: linearRowOf([weight, 0, 0, 0], 0, 1, 2) });

/** Kind, what is bounded, the last change that holds and the first that does not. */
const BOUNDS: readonly (readonly [ComputedKind, string, Change, Change])[] = [
  ['linear', 'one-byte weight', { parameters: linearRowOf([-127, 0, 0, 0], 0, 1) }, { parameters: linearRowOf([-128, 0, 0, 0], 0, 1) }],
  ['linear', 'two-byte weight', wide(-32767), wide(-32768)],
  ['linear', 'shift', { parameters: linearRowOf([1, 0, 0, 0], 0, 30) }, { parameters: linearRowOf([1, 0, 0, 0], 0, 31) }],
  [
    'linear',
    'accumulator: Σ|w|·255 + |bias| + 2^(k−1) < 2^31',
    { parameters: linearRowOf([2, -3, 0, 0], LIMIT - 5 * 255 - 64, 7) },
    { parameters: linearRowOf([2, -3, 0, 0], LIMIT - 5 * 255 - 63, 7) },
  ],
  [
    'linear',
    'accumulator with a negative bias and no shift',
    { parameters: linearRowOf([1, 0, 0, 0], -(LIMIT - 255), 0) },
    { parameters: linearRowOf([1, 0, 0, 0], -(LIMIT - 254), 0) },
  ],
  [
    'linear',
    'magnitude from the zero point',
    { attributes: { zeroPoint: 100 }, parameters: linearRowOf([1, 0, 0, 0], LIMIT - 155, 0) },
    { attributes: { zeroPoint: 100 }, parameters: linearRowOf([1, 0, 0, 0], LIMIT - 154, 0) },
  ],
  ['linear', 'zero point of u8', { attributes: { zeroPoint: 255 } }, { attributes: { zeroPoint: 256 } }],
  [
    'linear',
    'zero point of i16',
    { sources: i16Image, attributes: { zeroPoint: -32768 } },
    { sources: i16Image, attributes: { zeroPoint: -32769 } },
  ],
  ['linear', 'high', { attributes: { high: 255 } }, { attributes: { high: 256 } }],
  ['linear', 'low', { attributes: { low: 255 } }, { attributes: { low: 256 } }],
  ['linear', 'low above high', { attributes: { low: 9, high: 9 } }, { attributes: { low: 10, high: 9 } }],
  ['linear', 'padding within the kernel', { attributes: { padTop: 1 } }, { attributes: { padTop: 2 } }],
  ['linear', 'weight bytes', {}, { attributes: { weightBytes: 3 } }],
  ['linear', 'groups', {}, { attributes: { groups: 2 } }],
  ['linear', 'stride', { attributes: { strideWidth: 1 } }, { attributes: { strideWidth: 0 } }],
  ['linear', 'source type', {}, { sources: [{ type: 'i32', length: 4 }] }],
  ['matmul', 'bias', { attributes: { bias: LIMIT - 2 * 255 * 255 } }, { attributes: { bias: LIMIT - 2 * 255 * 255 + 1 } }],
  [
    'matmul',
    'bias beside the rounding half',
    { attributes: { shift: 4, bias: LIMIT - 2 * 255 * 255 - 8 } },
    { attributes: { shift: 4, bias: LIMIT - 2 * 255 * 255 - 7 } },
  ],
  ['matmul', 'shift', { attributes: { shift: 30 } }, { attributes: { shift: 31 } }],
  ['matmul', 'shareB', {}, { attributes: { shareB: 2 } }],
  ['rescale', 'bias', row(EXACT - 1), row(EXACT)],
  ['rescale', 'negative bias', row(-(EXACT - 1)), row(-EXACT)],
  ['rescale', 'product and bias', row(EXACT - 1 - 255 * 1000, 1000), row(EXACT - 255 * 1000, 1000)],
  ['rescale', 'shift', { attributes: { shift: 47 } }, { attributes: { shift: 48 } }],
  [
    'rescale',
    'multiplier without its source',
    { sources: [SMALL.rescale.sources[0]!], ...row(0) },
    { sources: [SMALL.rescale.sources[0]!] },
  ],
  [
    'multiply',
    'product of two i32',
    { sources: [i32Pair[0], { type: 'i16', length: 4 }], attributes: { multiplier: 31 } },
    { sources: [i32Pair[0], { type: 'i16', length: 4 }], attributes: { multiplier: 64 } },
  ],
  ['multiply', 'two i32 never fit', { sources: SMALL.multiply.sources }, { sources: i32Pair }],
  ['multiply', 'shift', { attributes: { shift: 47 } }, { attributes: { shift: 48 } }],
  ['table', 'parameter bytes', {}, { parameters: new Uint8Array(257) }],
  [
    'table',
    'entries',
    { attributes: { entries: 1 }, parameters: new Uint8Array(1) },
    { attributes: { entries: 0 }, parameters: new Uint8Array() },
  ],
  ['max', 'type', {}, { type: 'i16' }],
  ['max', 'minimum', { attributes: { minimum: 1 } }, { attributes: { minimum: 2 } }],
  ['sum', 'shift', { attributes: { shift: 47 } }, { attributes: { shift: 48 } }],
  [
    'map',
    'index',
    { parameters: encodeMap(Uint32Array.of(0, 1, 2, 4), Uint8Array.of(9)) },
    { parameters: encodeMap(Uint32Array.of(0, 1, 2, 5), Uint8Array.of(9)) },
  ],
  ['gather', 'axis', {}, { attributes: { axis: 5 } }],
  ['gather', 'perOuter', { attributes: { perOuter: 1 } }, { attributes: { perOuter: 2 } }],
  ['select', 'type of A and B', {}, { type: 'i16' }],
  [
    'arg',
    'indices that the type holds',
    { sources: [{ type: 'u8', length: 256 }], attributes: { axis: 256 } },
    { sources: [{ type: 'u8', length: 257 }], attributes: { axis: 257 } },
  ],
  [
    'divide',
    'numerator',
    { sources: [i32Pair[0], SMALL.divide.sources[1]!], attributes: { multiplier: 2 ** 21 - 1 } },
    { sources: [i32Pair[0], SMALL.divide.sources[1]!], attributes: { multiplier: 2 ** 21 } },
  ],
  ['isqrt', 'shift', { attributes: { shift: 20 } }, { attributes: { shift: 21 } }],
  [
    'tree',
    'child',
    { parameters: encodeTreeNodes([0, 1].map(() => ({ feature: 3, left: 1, right: 1, threshold: 0 }))) },
    { parameters: encodeTreeNodes([0, 1].map(() => ({ feature: 3, left: 2, right: 1, threshold: 0 }))) },
  ],
  [
    'tree',
    'feature',
    { parameters: encodeTreeNodes([0, 1].map(() => ({ feature: 3, left: 1, right: 1, threshold: 0 }))) },
    { parameters: encodeTreeNodes([0, 1].map(() => ({ feature: 4, left: 1, right: 1, threshold: 0 }))) },
  ],
  ['tree', 'depth', { attributes: { depth: 64 } }, { attributes: { depth: 65 } }],
];

describe('the loader accepts the last value that holds and refuses the next', () => {
  test.each(BOUNDS)('%s: %s', (kind, _, inside, outside) => {
    expect(() => check(kind, inside)).not.toThrow();
    expect(() => check(kind, outside)).toThrow(expect.objectContaining({ code: 'PROGRAM_INVALID' }));
  });
});

describe.each(COMPUTED_KINDS)('%s', (kind) => {
  const small = SMALL[kind];
  const refuses = (change: Change): void => {
    expect(() => check(kind, change)).toThrow(expect.objectContaining({ code: 'PROGRAM_INVALID' }));
  };

  test('holds as it is', () => expect(() => check(kind, {})).not.toThrow());

  test('refuses one element, source or parameter byte more', () => {
    if (kind !== 'map') refuses({ length: small.length + 1 });
    refuses({ sources: [...small.sources, ...new Array(8).fill(small.sources[0])] });
    if (kind !== 'map') refuses({ parameters: new Uint8Array(small.parameters.length + 1) });
  });

  test('refuses attributes that are not whole numbers of 32 bits', () => {
    for (const name of ATTRIBUTES[kind])
      for (const value of [0.5, Number.NaN, 2 ** 31, -(2 ** 31) - 1]) refuses({ attributes: { [name]: value } });
  });
});
