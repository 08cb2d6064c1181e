import { afterAll, beforeAll, describe, test } from 'vitest';
import { COMPUTED_KINDS } from '../support/instructions.ts';
import { type StepChain, startStepChain } from '../support/step-chain.ts';
import { compareStepsOnChain } from '../support/step-compare.ts';

/** Printed, so that a failing run can be repeated; ASSAY_SEED sets another. */
const SEED = Number(process.env.ASSAY_SEED ?? 50);

let chain: StepChain;
beforeAll(async () => {
  console.log(`step differential: seed ${SEED}`);
  chain = await startStepChain();
});
afterAll(() => chain.stop());

describe('the chain computes what the executor computes', () => {
  test.each(COMPUTED_KINDS)('%s: 250 random elements', (kind) => compareStepsOnChain(chain, kind, SEED, 250));
});
