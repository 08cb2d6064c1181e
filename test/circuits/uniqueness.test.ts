import { describe, expect, it } from 'vitest';
import { compileCircuit } from '../../circuits/compile.ts';
import { buildWitness } from '../../circuits/witness.ts';
import { AssayError } from '../../core/errors.ts';
import { execute } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { COMPUTED_KINDS, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { LADDER, ladderDense, random, randomInputs } from './build.ts';
import { freeDirections } from './uniqueness.ts';

/** Rows that are eliminated in a second or two. */
const MOST_ROWS = 4000;

function free(of: Program, inputs: readonly TypedArray[], leaveOut?: string): number {
  const { system, layout, report } = compileCircuit(of);
  expect(report.constraints).toBeLessThan(20_000);
  const witness = buildWitness({ system, layout, report }, of, execute(of, inputs), 7n);
  const without = (row: number): boolean => system.purposeOf(row) === leaveOut;
  return freeDirections(system, witness, 1 + layout.inputSignals, without);
}

/** Cases of a kind whose circuits are small. */
function* smallCases(kind: (typeof COMPUTED_KINDS)[number], count: number) {
  const r = new Random(77);
  for (let found = 0; found < count; ) {
    const drawn = randomCase(kind, r);
    if (drawn.program.instructions.reduce((n, { length }) => n + length, 0) > 600) continue;
    try {
      if (compileCircuit(drawn.program).report.constraints > MOST_ROWS) continue;
    } catch (error) {
      if (error instanceof AssayError) continue;
      throw error;
    }
    found++;
    yield drawn;
  }
}

describe('a witness that holds cannot move', () => {
  it.each(COMPUTED_KINDS)('in random %s instructions', (kind) => {
    for (const { program, inputs } of smallCases(kind, 3)) expect(free(program, inputs)).toBe(0);
  });

  it('in a network of 10,000 rows', () => {
    const of = LADDER['mlp-784-128-10']!();
    expect(free(of, randomInputs(of, random(2)))).toBe(0);
  });
});

describe('the search itself', () => {
  it('finds what moves when rows are left out', () => {
    const of = ladderDense('small', [6, 5, 4, 3], 77);
    const inputs = randomInputs(of, random(1));
    expect(free(of, inputs)).toBe(0);
    for (const purpose of ['1', '2', 'output binding']) expect(free(of, inputs, purpose), purpose).toBeGreaterThan(0);
  });
});
