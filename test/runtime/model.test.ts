import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { buildCarrier } from '../../core/carrier/carrier.ts';
import { execute } from '../../core/execute.ts';
import { decodeProgram, encodeProgram } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { toBytes } from '../../core/tensor.ts';
import { checkCarrier, readModelDirectory, writeModelDirectory } from '../../runtime/model-directory.ts';
import { requireSelftest, selftest, selftestVectors } from '../../runtime/selftest.ts';
import { openModel } from '../../runtime/session.ts';
import { allKinds } from '../support/all-kinds.ts';
import { programOf } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { smallInstruction } from '../support/small-instructions.ts';

const root = mkdtempSync(path.join(tmpdir(), 'assay-model-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const program = allKinds(new Random(8));
const input = new Random(9).tensor('u8', 64);
let directory: string;
let count = 0;
beforeEach(() => {
  directory = path.join(root, `${count++}`);
});

describe('carrier', () => {
  test('the same program gives the same bytes, also after a round trip through its file', () => {
    const once = buildCarrier(program);
    expect(Buffer.compare(buildCarrier(decodeProgram(encodeProgram(program))), once)).toBe(0);
    expect(Buffer.compare(buildCarrier(program, { trace: true }), once)).not.toBe(0);
  });

  test('a window that no memory holds is refused', () => {
    const { instruction } = smallInstruction('sum', { attributes: { kernelHeight: 65_536, kernelWidth: 65_536 } });
    const monstrous = programOf([{ type: 'u8', length: 4 }], [instruction]);
    expect(() => buildCarrier(monstrous)).toThrow(expect.objectContaining({ code: 'CARRIER_TOO_LARGE' }));
  });
});

describe('session', () => {
  test('opens the bytes of a program file, serves its outputs and traces all tensors', async () => {
    const session = await openModel(encodeProgram(program));
    const expected = execute(program, [input]);
    expect(await session.run([input])).toEqual([expected.at(-1)]);
    expect(await session.trace([input])).toEqual(expected);
    await session.close();
  });

  test('runs asked for at the same time do not disturb one another', async () => {
    const session = await openModel(program);
    const inputs = Array.from({ length: 6 }, (_, i) => new Random(i).tensor('u8', 64));
    const outputs = await Promise.all(inputs.map((values) => session.run([values])));
    expect(outputs).toEqual(inputs.map((values) => [execute(program, [values]).at(-1)]));
    await session.close();
  });

  test('inputs may be views into larger memory, Node Buffers too', async () => {
    const session = await openModel(program);
    const expected = [execute(program, [input]).at(-1)];
    const padded = Buffer.concat([Buffer.alloc(5, 200), toBytes(input), Buffer.alloc(7, 100)]);
    expect(await session.run([new Uint8Array(padded.buffer, padded.byteOffset + 5, 64)])).toEqual(expected);
    expect(await session.run([padded.subarray(5, 69)])).toEqual(expected);
    await session.close();
  });

  test('an output that is also an input is returned', async () => {
    const { instruction } = smallInstruction('max', {});
    const both = programOf([{ type: 'u8', length: 4 }], [instruction]);
    const again: Program = {
      ...both,
      interface: { ...both.interface, outputs: [...both.interface.inputs, ...both.interface.outputs] },
    };
    const session = await openModel(again);
    const values = Uint8Array.of(5, 9, 1, 2);
    expect(await session.run([values])).toEqual([values, Uint8Array.of(9)]);
    expect(await session.trace([values])).toEqual([values, Uint8Array.of(9)]);
    await session.close();
  });

  test.each([
    ['too few values', [new Uint8Array(63)]],
    ['too many values', [new Uint8Array(65)]],
    ['another type', [new Int16Array(64)]],
    ['no input', []],
    ['an input too many', [new Uint8Array(64), new Uint8Array(64)]],
  ])('%s: INPUT_SHAPE', async (_, inputs) => {
    const session = await openModel(program);
    await expect(session.run(inputs)).rejects.toMatchObject({ code: 'INPUT_SHAPE' });
    await session.close();
  });

  test('a damaged program file is refused before onnxruntime sees anything', async () => {
    const bytes = encodeProgram(program);
    await expect(openModel(bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1))).rejects.toMatchObject({ code: 'PROGRAM_MALFORMED' });
  });
});

describe('model directory', () => {
  test('is read back as written, and nothing else lies in it', async () => {
    await writeModelDirectory(directory, program, { accuracy: 1 });
    const model = await readModelDirectory(directory);
    expect(model.program).toEqual(program);
    expect(model.report).toEqual({ accuracy: 1 });
    expect(readdirSync(directory).sort()).toEqual(['carrier.onnx', 'program.assay', 'report.json']);
    await checkCarrier(model);
  });

  test('a program for other hands: the carrier is compared, never trusted', async () => {
    await writeModelDirectory(directory, program, {});
    const file = path.join(directory, 'carrier.onnx');
    const carrier = readFileSync(file);
    carrier[carrier.length >> 1]! ^= 1;
    writeFileSync(file, carrier);
    const model = await readModelDirectory(directory);
    await expect(checkCarrier(model)).rejects.toMatchObject({ code: 'CARRIER_MISMATCH' });
    const session = await openModel(model.program);
    expect(await session.run([input])).toEqual([execute(program, [input]).at(-1)]);
    await session.close();
  });

  test('missing, damaged and misplaced files are errors of ours', async () => {
    await expect(readModelDirectory(directory)).rejects.toMatchObject({ code: 'FILE_MISSING' });
    mkdirSync(path.join(directory, 'program.assay'), { recursive: true });
    await expect(readModelDirectory(directory)).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
    rmSync(directory, { recursive: true });
    await writeModelDirectory(directory, program, {});
    writeFileSync(path.join(directory, 'report.json'), '{');
    await expect(readModelDirectory(directory)).rejects.toMatchObject({ code: 'REPORT_MALFORMED' });
    writeFileSync(path.join(directory, 'program.assay'), 'ASSAYPRG');
    await expect(readModelDirectory(directory)).rejects.toMatchObject({ code: 'PROGRAM_MALFORMED' });
  });
});

describe('self-test', () => {
  test('passes on this machine', async () => {
    expect(await requireSelftest()).toMatchObject({ passed: true, faults: [] });
  });

  test('names the fault when the recorded root is another one', async () => {
    const vectors = await selftestVectors();
    const wrong = vectors.cases.map((one, i) => (i === 1 ? { ...one, traceRoot: vectors.cases[0]!.traceRoot } : one));
    const report = await selftest({}, { ...vectors, cases: wrong });
    expect(report).toMatchObject({ passed: false, faults: [{ face: 'executor' }] });
  });
});
