import { readFileSync } from 'node:fs';
import { fromHex } from '../../core/keccak.ts';
import { decodeRecord } from '../../core/program/record.ts';
import type { AnyInstruction } from '../../core/program/types.ts';
import { fromBytes, type TypedArray } from '../../core/tensor.ts';
import type { ComputedKind } from './instructions.ts';

/** One golden vector, as the committed file has it. */
export interface GoldenVector {
  readonly name: string;
  readonly record: Uint8Array;
  readonly instruction: AnyInstruction;
  readonly sources: readonly TypedArray[];
  readonly output: TypedArray;
}

interface GoldenFile {
  readonly names: readonly string[];
  readonly records: readonly string[];
  readonly parameters: readonly string[];
  readonly sources: readonly string[];
  readonly outputs: readonly string[];
}

/** Reads `test/golden/steps/<kind>.json`; its layout is described in test/golden/generate.ts. */
export function goldenVectors(kind: ComputedKind): GoldenVector[] {
  const file = JSON.parse(readFileSync(new URL(`../golden/steps/${kind}.json`, import.meta.url), 'utf8')) as GoldenFile;
  let next = 0;
  return file.names.map((name, i) => {
    const record = fromHex(file.records[i]!);
    const decoded = decodeRecord(record);
    const instruction = { ...decoded.instruction, parameters: fromHex(file.parameters[i]!) } as AnyInstruction;
    const sources = decoded.sourceShapes.map((shape) => fromBytes(shape.type, fromHex(file.sources[next++]!)));
    return { name, record, instruction, sources, output: fromBytes(instruction.type, fromHex(file.outputs[i]!)) };
  });
}
