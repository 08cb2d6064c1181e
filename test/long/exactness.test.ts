import { describe, expect, test } from 'vitest';
import { compareCarrier, compareSteps } from '../support/exactness.ts';
import { COMPUTED_KINDS } from '../support/instructions.ts';

const SEED = Number(process.env.ASSAY_SEED ?? 7);
const WANTED = 1_000_000;
/** Inputs for each instruction. */
const ROUNDS = 24;

describe(`exactness over a million values a kind (seed ${SEED}; ASSAY_SEED picks another)`, () => {
  test.each(COMPUTED_KINDS)('%s: onnxruntime against the executor', async (kind) => {
    const { values, cases } = await compareCarrier(kind, SEED, WANTED, ROUNDS);
    console.log(`${kind}: ${values} values of ${cases} instructions, ${ROUNDS} inputs each, 0 differ`);
    expect(values).toBeGreaterThanOrEqual(WANTED);
  });

  test.each(COMPUTED_KINDS)('%s: single steps against the executor', (kind) => {
    expect(compareSteps(kind, SEED + 1, WANTED / 10).values).toBeGreaterThanOrEqual(WANTED / 10);
  });
});
