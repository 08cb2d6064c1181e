import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

/** How many tests a runner passed, failed and skipped. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const count = z.number().int().nonnegative();
const tallySchema = z.object({ passed: count, failed: count, skipped: count });
const vitestReport = z.object({ numTotalTests: count, numPassedTests: count, numFailedTests: count });

/** Adds runners' counts. */
export function totalOf(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (sum, tally) => ({ passed: sum.passed + tally.passed, failed: sum.failed + tally.failed, skipped: sum.skipped + tally.skipped }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/**
 * What vitest's JSON report counts. A report that is missing or of another shape is an error, never a zero.
 * @throws when the text is not such a report
 */
export function vitestTally(report: string): Tally {
  const { numTotalTests, numPassedTests, numFailedTests } = vitestReport.parse(JSON.parse(report));
  return { passed: numPassedTests, failed: numFailedTests, skipped: numTotalTests - numPassedTests - numFailedTests };
}

/**
 * What Forge's last line counts: `Ran 2 test suites in 3ms (…): 8 tests passed, 0 failed, 0 skipped (8 total tests)`.
 * @throws when the output has no such line, or its numbers do not add up
 */
export function forgeTally(output: string): Tally {
  const lines = [
    ...output.matchAll(/^Ran \d+ test suites? in .*: (\d+) tests? passed, (\d+) failed, (\d+) skipped \((\d+) total tests?\)$/gm),
  ];
  const numbers = lines.at(-1)?.slice(1).map(Number);
  if (numbers === undefined) throw new Error('Forge printed no summary of its tests.');
  const [passed = 0, failed = 0, skipped = 0, total = 0] = numbers;
  if (passed + failed + skipped !== total) throw new Error(`Forge's summary does not add up: ${lines.at(-1)?.[0]}`);
  return { passed, failed, skipped };
}

/** @throws when the suite left no tally: it did not get as far as counting */
export function readTally(file: string): Tally {
  if (!existsSync(file)) throw new Error(`${file} is missing: that suite did not run to its end.`);
  return tallySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}

export function writeTally(file: string, tally: Tally): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(tally)}\n`);
}
