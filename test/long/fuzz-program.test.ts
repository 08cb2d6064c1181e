import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fuzzPrograms } from '../support/fuzz-programs.ts';

const SEED = Number(process.env.ASSAY_SEED ?? 7);
const golden = new Uint8Array(readFileSync(new URL('../golden/program-v1.assay', import.meta.url)));

test(`20,000 damaged program files (seed ${SEED}; ASSAY_SEED picks another), in less than a gigabyte`, () => {
  const { refused, accepted, codes } = fuzzPrograms(SEED, 20_000, [golden]);
  console.log(`${accepted} valid, ${refused} refused: ${JSON.stringify(codes)}`);
  expect(accepted).toBeGreaterThan(200);
  expect(process.memoryUsage().rss).toBeLessThan(2 ** 30);
});
