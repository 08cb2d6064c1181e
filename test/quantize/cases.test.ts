import { describe, expect, it } from 'vitest';
import { parseCases } from '../../core/cases.ts';

const one = (tensor: object): string => JSON.stringify({ inputs: [{ name: 'x', type: 'float32', dims: [2], data: [1, 2], ...tensor }] });

describe('parseCases', () => {
  it('reads one case or many', () => {
    expect(parseCases(one({}))[0]!.inputs[0]!.data).toEqual(Float32Array.of(1, 2));
    expect(parseCases(`{"cases":[${one({})},${one({ data: [3, 4] })}]}`)).toHaveLength(2);
  });

  it('reads base64 of little-endian float32', () => {
    const data = Buffer.from(Float32Array.of(1.5, -2).buffer).toString('base64');
    expect(parseCases(one({ data, encoding: 'base64-le-f32' }))[0]!.inputs[0]!.data).toEqual(Float32Array.of(1.5, -2));
  });

  it('keeps 64-bit integers that doubles hold', () => {
    expect(parseCases(one({ type: 'int64', data: [2 ** 53 - 1, 7] }))[0]!.inputs[0]!.data[0]).toBe(2 ** 53 - 1);
  });

  it.each([
    ['no JSON', '{"cases":'],
    ['no inputs', '{"cases":[{"inputs":[]}]}'],
    ['too few values', one({ data: [1] })],
    ['too many values', one({ data: [1, 2, 3] })],
    ['a foreign character', one({ data: 'AAAA*AAAAAA=' })],
    ['half a float', one({ data: 'AAAAAAA=' })],
    ['a negative dimension', one({ dims: [-2] })],
    ['an infinite value', one({ data: 'AACAfwAAAAA=' })],
  ])('refuses %s', (_, text) => expect(() => parseCases(text)).toThrow(/cases|tensor/));
});
