import { buildBn128 } from 'ffjavascript';
import { describe, expect, it } from 'vitest';
import { FIELD_PRIME, writeField } from '../../circuits/field.ts';
import { FixedBase, type Group, POINT_BYTES } from '../../circuits/setup/fixed-base.ts';

const SCALARS = [0n, 1n, 2n, 255n, 256n, 1n << 253n, FIELD_PRIME - 1n, FIELD_PRIME - 2n, 0x1234567890abcdef1234567890abcdefn << 90n];

// The number of scalars decides the tables: small ones, and those of the largest circuits, whose batches need the most scratch memory.
describe.each([
  ['G1', 10],
  ['G2', 10],
  ['G1', 1 << 19],
  ['G2', 1 << 19],
] as const)('multiples of the generator of %s, with tables for %i scalars', (group: Group, expected: number) => {
  it('are those of the curve library', async () => {
    const base = await FixedBase.create(group, expected);
    const bytes = new Uint8Array(32 * SCALARS.length);
    SCALARS.forEach((scalar, i) => {
      writeField(new DataView(bytes.buffer), 32 * i, scalar);
    });
    const points = base.multiply(bytes, () => {});
    const curve = (await buildBn128(true))[group];
    const size = POINT_BYTES[group];
    SCALARS.forEach((scalar, i) => {
      const own = curve.toObject(points.slice(size * i, size * (i + 1)));
      expect(own, `${scalar}`).toEqual(curve.toObject(curve.toAffine(curve.timesScalar(curve.g, scalar))));
    });
  });
});
