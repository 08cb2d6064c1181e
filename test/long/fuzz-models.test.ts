import { expect, test } from 'vitest';
import { fuzzModels } from '../support/fuzz-models.ts';

const SEED = Number(process.env.ASSAY_SEED ?? 7);

test(`20,000 damaged ONNX files (seed ${SEED}; ASSAY_SEED picks another), in less than a gigabyte`, () => {
  const { accepted, refused, compiled, slowest } = fuzzModels(SEED, 20_000);
  console.log(
    `${accepted} imported, ${refused} refused, ${compiled} compiled to the end; the slowest (${slowest.index}) took ${Math.round(slowest.milliseconds)} ms`,
  );
  expect(accepted).toBeGreaterThan(200);
  expect(process.memoryUsage().rss).toBeLessThan(2 ** 30);
});
