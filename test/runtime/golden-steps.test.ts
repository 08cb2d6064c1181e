import { describe, expect, test } from 'vitest';
import { execute, stepElement } from '../../core/execute.ts';
import { validateInstruction } from '../../core/ops/index.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { openModel } from '../../runtime/session.ts';
import { goldenSteps } from '../support/golden-steps.ts';
import { COMPUTED_KINDS } from '../support/instructions.ts';

describe.each(COMPUTED_KINDS)('golden vectors of %s', (kind) => {
  const vectors = goldenSteps(kind);

  test('the executor and its single steps', () => {
    for (const { name, program, inputs, output } of vectors) {
      const instruction = program.instructions.at(-1)!;
      validateInstruction(instruction, sourceShapes(program, instruction));
      const tensors = execute(program, inputs);
      expect(tensors.at(-1), name).toEqual(output);
      const steps = Array.from(output, (_, element) => stepElement(program, inputs.length, element, tensors));
      expect(steps, name).toEqual(Array.from(output));
    }
  });

  test('onnxruntime', async () => {
    for (const { name, program, inputs, output } of vectors) {
      const session = await openModel(program, { threads: 1 });
      expect(await session.run(inputs), name).toEqual([output]);
      await session.close();
    }
  });
});
