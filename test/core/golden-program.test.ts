import { readFileSync } from 'node:fs';
import { encodeAbiParameters, keccak256 as viemKeccak } from 'viem';
import { describe, expect, test } from 'vitest';
import { execute } from '../../core/execute.ts';
import { decodeProgram, encodeProgram, encodeRecords, instructionRoot } from '../../core/program/codec.ts';
import { encodeModelRecord, type ModelRecord, modelId, modelRecord } from '../../core/program/identity.ts';
import { KINDS } from '../../core/program/types.ts';
import { buildTrace, inputRoot, outputRoot, traceRoot } from '../../core/trace.ts';
import golden from '../golden/program-v1.json' with { type: 'json' };

/** A version 1 file with every instruction kind. It must load for ever, with these roots: never regenerate it. */
const file = new Uint8Array(readFileSync(new URL('../golden/program-v1.assay', import.meta.url)));

const record = {
  ...golden.record,
  inputs: BigInt(golden.record.inputs),
  outputs: BigInt(golden.record.outputs),
  worstStepGas: BigInt(golden.record.worstStepGas),
} as unknown as ModelRecord;

const ABI = [
  ['version', 'uint32'],
  ['instructionRoot', 'bytes32'],
  ['interfaceHash', 'bytes32'],
  ['instructionCount', 'uint32'],
  ['inputs', 'uint256'],
  ['outputs', 'uint256'],
  ['greatestDepth', 'uint8'],
  ['worstStepBytes', 'uint32'],
  ['worstStepGas', 'uint64'],
  ['inputForm', 'uint8'],
  ['keyHash', 'bytes32'],
  ['provenance', 'bytes32'],
  ['creator', 'address'],
  ['royalty', 'uint16'],
] as const;

describe('the golden program file of version 1', () => {
  const program = decodeProgram(file);

  test('loads, holds every kind, and is written back byte for byte', () => {
    expect(new Set(program.instructions.map((instruction) => instruction.kind))).toEqual(new Set(KINDS));
    expect(Buffer.compare(encodeProgram(program), file)).toBe(0);
    expect(instructionRoot(encodeRecords(program))).toBe(golden.instructionRoot);
  });

  test('computes the same tensors', () => {
    const { roots } = buildTrace(execute(program, [Uint8Array.from(golden.input)]));
    expect(roots).toEqual(golden.tensorRoots);
    expect([inputRoot(program, roots), outputRoot(program, roots), traceRoot(roots)]).toEqual([
      golden.inputRoot,
      golden.outputRoot,
      golden.traceRoot,
    ]);
  });

  test('has the roots, counts and tensors of its record', () => {
    const found = modelRecord(program, { creator: record.creator, royalty: record.royalty });
    for (const name of ['instructionRoot', 'interfaceHash', 'instructionCount', 'inputs', 'outputs', 'greatestDepth'] as const)
      expect(found[name], name).toBe(record[name]);
  });

  test('reads from a Node Buffer inside a larger allocation', () => {
    const padded = Buffer.concat([Buffer.alloc(3, 7), file, Buffer.alloc(5, 9)]);
    const again = decodeProgram(padded.subarray(3, 3 + file.length));
    const input = [Uint8Array.from(golden.input)];
    expect(execute(again, input)).toEqual(execute(program, input));
    padded.fill(0);
    expect(Buffer.compare(encodeProgram(again), file)).toBe(0);
  });
});

describe('modelId', () => {
  test('is the keccak of the ABI encoding, as viem encodes it', () => {
    const encoded = encodeAbiParameters(
      ABI.map(([name, type]) => ({ name, type })),
      ABI.map(([name]) => record[name]) as never,
    );
    expect(`0x${Buffer.from(encodeModelRecord(record)).toString('hex')}`).toBe(encoded);
    expect(modelId(record)).toBe(viemKeccak(encoded));
    expect(modelId(record)).toBe(golden.modelId);
  });

  test('changes with every field', () => {
    const bumped: Record<string, unknown> = {
      creator: '0x00000000000000000000000000000000000000c2',
      keyHash: `0x${'11'.repeat(32)}`,
      provenance: `0x${'12'.repeat(32)}`,
      instructionRoot: `0x${'13'.repeat(32)}`,
      interfaceHash: `0x${'14'.repeat(32)}`,
    };
    const ids = ABI.map(([name]) => {
      const value = record[name];
      const next = bumped[name] ?? (typeof value === 'bigint' ? value + 1n : Number(value) + 1);
      return modelId({ ...record, [name]: next } as ModelRecord);
    });
    expect(new Set([...ids, modelId(record)]).size).toBe(ABI.length + 1);
  });

  test.each([
    ['royalty', 65_536],
    ['royalty', -1],
    ['royalty', 0.5],
    ['version', 2 ** 32],
    ['greatestDepth', 256],
    ['inputs', 1n << 256n],
    ['worstStepGas', 1n << 64n],
    ['creator', '0x00'],
    ['keyHash', `0x${'zz'.repeat(32)}`],
  ])('refuses %s = %s', (name, value) => {
    expect(() => encodeModelRecord({ ...record, [name]: value } as ModelRecord)).toThrow(expect.objectContaining({ code: 'RECORD_RANGE' }));
  });
});
