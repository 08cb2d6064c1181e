import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fuzzPrograms } from '../support/fuzz-programs.ts';

const golden = new Uint8Array(readFileSync(new URL('../golden/program-v1.assay', import.meta.url)));

test('2,000 damaged program files are refused with an error of ours or are valid programs', () => {
  const { refused, accepted, codes } = fuzzPrograms(31, 2_000, [golden]);
  // Both outcomes must occur, and every gate must have been reached: else the fuzzer tests nothing.
  expect(accepted).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(1_000);
  expect(Object.keys(codes).sort()).toEqual(['PROGRAM_INVALID', 'PROGRAM_MALFORMED', 'RECORD_MALFORMED']);
});
