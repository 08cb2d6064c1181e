import { afterAll, beforeAll, describe, test } from 'vitest';
import { COMPUTED_KINDS } from '../support/instructions.ts';
import { type StepChain, startStepChain } from '../support/step-chain.ts';
import { compareStepsOnChain } from '../support/step-compare.ts';

/** Another one each run, printed, so that a failing run can be repeated with ASSAY_SEED. */
const SEED = Number(process.env.ASSAY_SEED ?? Date.now() % 2 ** 31);

let chain: StepChain;
beforeAll(async () => {
  console.log(`step differential: seed ${SEED}`);
  chain = await startStepChain();
});
afterAll(() => chain.stop());

describe('the chain computes what the executor computes, at length', () => {
  test.each(COMPUTED_KINDS)('%s: 10,000 random elements', (kind) => compareStepsOnChain(chain, kind, SEED, 10_000));
});
