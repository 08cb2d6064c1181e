import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stepReads } from '../../core/dispute/step-reads.ts';
import { stepCost } from '../../core/program/cost.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { COMPUTED_KINDS, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { stepCase } from '../support/step-case.ts';
import { type StepChain, startStepChain } from '../support/step-chain.ts';

/** Printed, so that a failing run can be repeated; ASSAY_SEED sets another. */
const SEED = Number(process.env.ASSAY_SEED ?? 50);
const ELEMENTS_PER_KIND = 250;
const ELEMENTS_PER_CASE = 6;

let chain: StepChain;
beforeAll(async () => {
  console.log(`step differential: seed ${SEED}`);
  chain = await startStepChain();
});
afterAll(() => chain.stop());

describe('the chain computes what the executor computes', () => {
  test.each(COMPUTED_KINDS)('%s: random instructions, values and elements', async (kind) => {
    const r = new Random(SEED);
    let compared = 0;
    for (let round = 0; compared < ELEMENTS_PER_KIND; round++) {
      const example = randomCase(kind, r);
      const { own, position, callFor } = stepCase(example);
      const instruction = example.program.instructions[position]!;
      const cost = stepCost(instruction, sourceShapes(example.program, instruction));
      for (let i = 0; i < Math.min(ELEMENTS_PER_CASE, instruction.length); i++, compared++) {
        const element = i === 0 ? instruction.length - 1 : r.integer(0, instruction.length - 1);
        const call = callFor(element);
        const { parameters, ...shown } = instruction;
        const what = `seed ${SEED}, case ${round}, element ${element} of ${JSON.stringify({ ...shown, parameterBytes: parameters.length })}`;
        expect(await chain.step(call), what).toEqual({ value: BigInt(own.tensors[position]![element]!) });
        expect(call.value, what).toBe(own.tensors[position]![element]!);
        // Counts and indices are not counted as opened: 2 bytes a blob, 3 a leaf.
        const reads = stepReads(example.program, position, element, own.tensors);
        const blobs = [...(parameters.length > 0 ? [reads.parameters] : []), ...reads.sources];
        const heads = blobs.reduce((sum, leaves) => sum + 2 + 3 * leaves.length, 0);
        expect(call.evidence.length - heads, what).toBeLessThanOrEqual(cost.bytes);
      }
    }
  });
});
