import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { executeInstruction, stepInstruction, validateInstruction } from '../../core/ops/index.ts';
import { allocate, elementTypeOf } from '../../core/tensor.ts';
import { goldenFiles } from '../golden/generate.ts';
import { goldenVectors } from '../support/golden.ts';
import { COMPUTED_KINDS } from '../support/instructions.ts';

const files = goldenFiles();

describe('golden vectors of the instruction semantics', () => {
  test.each([...files.keys()])('%s is what the generator writes', (name) => {
    expect(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')).toBe(files.get(name));
  });

  test.each(COMPUTED_KINDS)('%s: executor and single steps', (kind) => {
    for (const { name, instruction, sources, output } of goldenVectors(kind)) {
      const shapes = sources.map((values) => ({ type: elementTypeOf(values), length: values.length }));
      validateInstruction(instruction, shapes);
      const out = allocate(instruction.type, instruction.length);
      executeInstruction(instruction, sources, out);
      expect(out, name).toEqual(output);
      const access = {
        source: (n: number, index: number): number => sources[n]![index]!,
        parameter: (offset: number): number => instruction.parameters[offset]!,
      };
      output.forEach((value, element) => {
        expect(stepInstruction(instruction, shapes, element, access), `${name}, element ${element}`).toBe(value);
      });
    }
  });
});
