import { describe, expect, it } from 'vitest';
import type { NetNode } from '../../core/onnx/lower/net.ts';
import { randomSource } from '../../core/quantize/calibration.ts';
import { Margins, normalTail } from '../../core/quantize/margins.ts';
import { gaussian } from '../support/sketch.ts';

const node = { kind: 'linear' } as NetNode;
const softmax = { kind: 'softmax', logarithm: false } as NetNode;

describe('normalTail', () => {
  it.each([
    [0, 0.5],
    [1.959964, 0.025],
    [-1.959964, 0.975],
    [3.090232, 0.001],
  ])('beyond %f lies %f', (z, tail) => expect(normalTail(z)).toBeCloseTo(tail, 6));
});

describe('expected agreement', () => {
  /** Rows of three votes under errors of a given spread, and how many in fact stay. */
  function simulate(spread: number, known: number): { expected: number; seen: number } {
    const random = randomSource(3);
    const margins = new Margins(3, node);
    let same = 0;
    const rows = 20_000;
    for (let i = 0; i < rows; i++) {
      const float = Float64Array.from({ length: 3 }, () => gaussian(random));
      const integer = float.map((v) => v + spread * gaussian(random));
      margins.row(float);
      if (i < known) margins.error(float, integer);
      if (float.indexOf(Math.max(...float)) === integer.indexOf(Math.max(...integer))) same++;
    }
    return { expected: margins.expectedAgreement()!, seen: same / rows };
  }

  it.each([0.01, 0.05, 0.2])('errors of %f of the votes: twenty rows tell what twenty thousand do', (spread) => {
    const { expected, seen } = simulate(spread, 20);
    expect(Math.abs(expected - seen)).toBeLessThan(0.5 * (1 - seen));
  });

  it('is one without errors, and unknown without votes', () => {
    const exact = new Margins(2, node);
    exact.row(Float64Array.of(1, 2));
    exact.error(Float64Array.of(1, 2), [1, 2]);
    expect(exact.expectedAgreement()).toBe(1);
    expect(new Margins(1, node).expectedAgreement()).toBeUndefined();
    expect(new Margins(2, node).expectedAgreement()).toBeUndefined();
  });

  it('rows of more than 256 values are votes only as probabilities', () => {
    const row = new Float64Array(257).fill(1 / 257);
    for (const [kind, isKnown] of [
      [node, false],
      [softmax, true],
    ] as const) {
      const margins = new Margins(257, kind);
      margins.row(row);
      margins.error(row, row);
      expect(margins.expectedAgreement() !== undefined).toBe(isKnown);
    }
  });

  it('a probability near one is far from its rivals, as its logit is', () => {
    const margins = new Margins(2, softmax);
    margins.row(Float64Array.of(0.9999, 0.0001));
    margins.error(Float64Array.of(0.6, 0.4), [0.59, 0.41]);
    expect(margins.expectedAgreement()).toBeGreaterThan(0.999);
  });
});
