import { expect } from 'vitest';
import { stepReads } from '../../core/dispute/step-reads.ts';
import { stepCost } from '../../core/program/cost.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { type ComputedKind, randomCase } from './instructions.ts';
import { Random } from './random.ts';
import { stepCase } from './step-case.ts';
import type { StepChain } from './step-chain.ts';

const ELEMENTS_PER_CASE = 6;

/**
 * Holds the step verifier to the executor on random instructions of a kind, values and elements, until `wanted` elements agree;
 * and the evidence to the stated bound of opened bytes.
 */
export async function compareStepsOnChain(chain: StepChain, kind: ComputedKind, seed: number, wanted: number): Promise<void> {
  const r = new Random(seed);
  let compared = 0;
  for (let round = 0; compared < wanted; round++) {
    const example = randomCase(kind, r);
    const { own, position, callFor } = stepCase(example);
    const instruction = example.program.instructions[position]!;
    const { parameters, ...shown } = instruction;
    const cost = stepCost(instruction, sourceShapes(example.program, instruction));
    for (let i = 0; i < Math.min(ELEMENTS_PER_CASE, instruction.length); i++, compared++) {
      const element = i === 0 ? instruction.length - 1 : r.integer(0, instruction.length - 1);
      const call = callFor(element);
      const what = `seed ${seed}, case ${round}, element ${element} of ${JSON.stringify({ ...shown, parameterBytes: parameters.length })}`;
      expect(await chain.step(call), what).toEqual({ value: BigInt(own.tensors[position]![element]!) });
      expect(call.value, what).toBe(own.tensors[position]![element]!);
      // Counts and indices are not counted as opened: 2 bytes a blob, 3 a leaf.
      const reads = stepReads(example.program, position, element, own.tensors);
      const blobs = [...(parameters.length > 0 ? [reads.parameters] : []), ...reads.sources];
      const heads = blobs.reduce((sum, leaves) => sum + 2 + 3 * leaves.length, 0);
      expect(call.evidence.length - heads, what).toBeLessThanOrEqual(cost.bytes);
    }
  }
}
