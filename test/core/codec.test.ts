import { describe, expect, test } from 'vitest';
import { decodeProgram, encodeProgram, interfaceBytes } from '../../core/program/codec.ts';
import { decodeRecord, encodeRecord, RECORD_BYTES } from '../../core/program/record.ts';
import type { Program } from '../../core/program/types.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { allKinds } from '../support/all-kinds.ts';
import { Random } from '../support/random.ts';
import { SMALL } from '../support/small-instructions.ts';

const program = allKinds(new Random(3));
const file = encodeProgram(program);
const HEADER = 20;
const interfaceLength = interfaceBytes(program.interface).length;
const recordsAt = HEADER + interfaceLength;

/** The file with another interface text, its length mended. */
function withInterface(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array(file.length - interfaceLength + bytes.length);
  out.set(file.subarray(0, HEADER));
  out.set(bytes, HEADER);
  out.set(file.subarray(recordsAt), HEADER + bytes.length);
  new DataView(out.buffer).setUint32(16, bytes.length);
  return out;
}

function refuses(bytes: Uint8Array, code = 'PROGRAM_MALFORMED'): void {
  expect(() => decodeProgram(bytes)).toThrow(expect.objectContaining({ code }));
}

describe('program file', () => {
  test('what is read is what was written', () => {
    for (let seed = 0; seed < 5; seed++) {
      const written = allKinds(new Random(seed));
      const bytes = encodeProgram(written);
      const read = decodeProgram(bytes);
      expect(read).toEqual(written);
      expect(Buffer.compare(encodeProgram(read), bytes)).toBe(0);
    }
  });

  test('a byte more or less, another version or other first bytes: refused', () => {
    refuses(Uint8Array.from([...file, 0]));
    for (const length of [0, 7, HEADER - 1, HEADER, recordsAt - 1, recordsAt, recordsAt + RECORD_BYTES, file.length - 1])
      refuses(file.slice(0, length));
    refuses(file.with(11, 2));
    refuses(file.with(0, 0x61));
    refuses(file.with(12, 1));
  });

  test('parameters that are not those of their root: refused', () => {
    refuses(file.with(file.length - 1, file.at(-1)! ^ 1));
    refuses(file.with(recordsAt + RECORD_BYTES + 12, file[recordsAt + RECORD_BYTES + 12]! ^ 1));
  });

  test('an interface has one spelling', () => {
    const text = new TextDecoder().decode(interfaceBytes(program.interface));
    expect(decodeProgram(withInterface(text))).toEqual(program);
    refuses(withInterface(` ${text}`));
    refuses(withInterface(text.replace('"scales":[1]', '"scales":[1.0]')));
    refuses(withInterface(text.replace('{"name":"random",', '{"name":"random","name":"random",')));
    refuses(withInterface(text.replace('"axis":0}', '"axis":0,"more":1}')));
    refuses(withInterface(text.replace('"axis":0', '"axis":8')));
    refuses(withInterface(`${'['.repeat(100_000)}`));
    refuses(withInterface('null'));
  });

  test.each([
    ['an output of another length', { outputs: [{ ...program.interface.outputs[0]!, dims: [1] }] }],
    ['no inputs', { inputs: [] }],
    ['scales that fit no axis', { inputs: [{ ...program.interface.inputs[0]!, scales: [1, 2], zeroPoints: [0, 0] }] }],
    ['fewer zero points than scales', { inputs: [{ ...program.interface.inputs[0]!, scales: new Array(64).fill(1) }] }],
  ])('%s: refused', (_, change) => {
    const other: Program = { ...program, interface: { ...program.interface, ...change } };
    refuses(encodeProgram(other), 'PROGRAM_INVALID');
  });
});

describe('record', () => {
  test.each(program.instructions.map((instruction, position) => [position, instruction] as const))(
    '%i is read as written',
    (_, instruction) => {
      const record = encodeRecord(instruction, sourceShapes(program, instruction));
      const { parameters, ...rest } = instruction;
      const read = decodeRecord(record);
      expect(read.instruction).toEqual(rest);
      expect(read.parameterLength).toBe(parameters.length);
      expect(read.sourceShapes).toEqual(sourceShapes(program, instruction).map(({ type, length }) => ({ type, length })));
    },
  );

  test('every byte that says nothing must be zero', () => {
    const { sources, ...small } = SMALL.isqrt;
    const record = encodeRecord({ kind: 'isqrt', ...small, sources: [0] }, sources);
    for (const at of [3, 47, 52, 107, 112, 203])
      expect(() => decodeRecord(record.with(at, 1)), `byte ${at}`).toThrow(expect.objectContaining({ code: 'RECORD_MALFORMED' }));
    for (const [at, value] of [
      [0, 15],
      [1, 3],
      [2, 9],
      [46, 3],
    ] as const)
      expect(() => decodeRecord(record.with(at, value))).toThrow(expect.objectContaining({ code: 'RECORD_MALFORMED' }));
    expect(() => decodeRecord(record.slice(1))).toThrow(expect.objectContaining({ code: 'RECORD_MALFORMED' }));
  });
});
