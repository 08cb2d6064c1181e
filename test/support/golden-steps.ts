import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fromHex } from '../../core/keccak.ts';
import { decodeRecord } from '../../core/program/record.ts';
import type { AnyInstruction, Program } from '../../core/program/types.ts';
import { fromBytes, type TypedArray } from '../../core/tensor.ts';
import { type ComputedKind, programOf } from './instructions.ts';

const hex = z.string().regex(/^0x([0-9a-f]{2})*$/);
const fileSchema = z.object({
  names: z.array(z.string()).min(1),
  records: z.array(hex),
  parameters: z.array(hex),
  sources: z.array(hex),
  outputs: z.array(hex),
});

/** A golden vector: one instruction as a program, what it reads, and what every face must compute. */
export interface GoldenStep {
  readonly name: string;
  readonly program: Program;
  readonly inputs: readonly TypedArray[];
  readonly output: TypedArray;
}

/** The golden vectors of a kind (test/golden/generate.ts). */
export function goldenSteps(kind: ComputedKind): GoldenStep[] {
  const text = readFileSync(new URL(`../golden/steps/${kind}.json`, import.meta.url), 'utf8');
  const file = fileSchema.parse(JSON.parse(text));
  let next = 0;
  return file.names.map((name, i) => {
    const { instruction, sourceShapes } = decodeRecord(fromHex(file.records[i]!));
    const inputs = sourceShapes.map(({ type }) => fromBytes(type, fromHex(file.sources[next++]!)));
    const whole = { ...instruction, sources: inputs.map((_, n) => n), parameters: fromHex(file.parameters[i]!) } as AnyInstruction;
    return { name, program: programOf(sourceShapes, [whole]), inputs, output: fromBytes(instruction.type, fromHex(file.outputs[i]!)) };
  });
}
