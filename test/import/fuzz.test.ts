import { expect, it } from 'vitest';
import { fuzzModels } from '../support/fuzz-models.ts';

const CASES = 2000;

it(`${CASES} damaged ONNX files are imported or refused, never a crash`, () => {
  const { accepted, refused } = fuzzModels(20260, CASES);
  expect(refused).toBeGreaterThan(CASES / 20);
  expect(accepted).toBeGreaterThan(0);
}, 240_000);
