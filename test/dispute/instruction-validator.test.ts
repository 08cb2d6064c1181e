import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeOpening } from '../../core/dispute/step-evidence.ts';
import { AssayError } from '../../core/errors.ts';
import { validateInstruction } from '../../core/ops/index.ts';
import { stepCost } from '../../core/program/cost.ts';
import { decodeRecord, encodeRecord, RECORD_BYTES } from '../../core/program/record.ts';
import { type AnyInstruction, LIMITS } from '../../core/program/types.ts';
import { sourceShapes } from '../../core/program/validate.ts';
import { openBytes } from '../../core/trace.ts';
import { buildTree, leavesOfBytes } from '../../core/tree.ts';
import { COMPUTED_KINDS, randomCase } from '../support/instructions.ts';
import { Random } from '../support/random.ts';
import { linearRowOf } from '../support/small-instructions.ts';
import { type RecordVerdict, type StepChain, startStepChain } from '../support/step-chain.ts';

let chain: StepChain;
beforeAll(async () => {
  chain = await startStepChain();
});
afterAll(() => chain.stop());

const SEED = 70;
const EXTREMES = [
  0,
  1,
  2,
  30,
  31,
  47,
  48,
  255,
  256,
  65535,
  65536,
  65537,
  2 ** 20,
  2 ** 20 + 1,
  2 ** 26,
  2 ** 26 + 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];
const INVALID: RecordVerdict = { valid: false, depth: 0, bytes: 0, gas: 0n };

/** Parameter bytes that pass every rule but their number, so that what is judged is the record alone. */
function harmless(kind: AnyInstruction['kind'], length: number): Uint8Array {
  return kind === 'map' ? new Uint8Array(length).fill(0) : new Uint8Array(length);
}

/** The loader's verdict on a record by itself. */
function expected(record: Uint8Array): RecordVerdict {
  try {
    const { kind, instruction, sourceShapes: shapes, parameterLength, parameterRoot } = decodeRecord(record);
    const isLength = (length: number): boolean => length >= 1 && length <= LIMITS.length;
    if (!isLength(instruction.length) || !shapes.every(({ length }) => isLength(length))) return INVALID;
    if ((parameterLength === 0) !== /^0x0*$/.test(parameterRoot)) return INVALID;
    // Only a record whose parameters are of a size to build is judged here.
    if (parameterLength > 2 ** 26) return INVALID;
    const whole = { ...instruction, parameters: harmless(kind, parameterLength) } as AnyInstruction;
    validateInstruction(whole, shapes);
    const cost = stepCost(whole, shapes);
    return { valid: true, depth: cost.depth, bytes: cost.bytes, gas: BigInt(cost.gas) };
  } catch (error) {
    if (error instanceof AssayError) return INVALID;
    throw error;
  }
}

describe('records', () => {
  test.each(COMPUTED_KINDS)('%s: valid ones have the cost that core states', async (kind) => {
    const r = new Random(SEED);
    for (let i = 0; i < 12; i++) {
      const { program } = randomCase(kind, r);
      const instruction = program.instructions.at(-1)!;
      const shapes = sourceShapes(program, instruction);
      const cost = stepCost(instruction, shapes);
      const verdict = await chain.validateInstruction(encodeRecord(instruction, shapes));
      expect(verdict).toEqual({ valid: true, depth: cost.depth, bytes: cost.bytes, gas: BigInt(cost.gas) });
    }
  });

  test.each(COMPUTED_KINDS)('%s: damaged ones are judged as the loader judges them', async (kind) => {
    const r = new Random(SEED + 1);
    let refused = 0;
    for (let i = 0; i < 90; i++) {
      const { program } = randomCase(kind, r);
      const instruction = program.instructions.at(-1)!;
      const record = encodeRecord(instruction, sourceShapes(program, instruction));
      const view = new DataView(record.buffer);
      const style = r.integer(0, 5);
      if (style === 0) record[r.integer(0, RECORD_BYTES - 1)] = r.integer(0, 255);
      else if (style === 1) view.setUint32(4, r.pick(EXTREMES));
      else if (style === 2) view.setUint32(48 + 8 * r.integer(0, 3), r.pick(EXTREMES));
      else view.setUint32(108 + 4 * r.integer(0, 20), r.chance(0.7) ? r.pick(EXTREMES) : r.integer(0, 300));
      const verdict = expected(record);
      if (!verdict.valid) refused++;
      expect(await chain.validateInstruction(record), Buffer.from(record).toString('hex')).toEqual(verdict);
    }
    expect(refused).toBeGreaterThan(20);
  });

  test('an input, a record of a wrong size', async () => {
    const input: AnyInstruction = { kind: 'input', type: 'i16', length: 1000, sources: [], attributes: {}, parameters: new Uint8Array() };
    const record = encodeRecord(input, []);
    expect(await chain.validateInstruction(record)).toEqual({ valid: true, depth: 1, bytes: 0, gas: BigInt(stepCost(input, []).gas) });
    expect(await chain.validateInstruction(record.slice(0, 203))).toEqual(INVALID);
    expect(await chain.validateInstruction(Uint8Array.from([...record, 0]))).toEqual(INVALID);
    expect(await chain.validateInstruction(new Uint8Array())).toEqual(INVALID);
  });
});

/** Units of an instruction's parameters that a rule speaks of, and the bytes of each. */
function unitOf(instruction: AnyInstruction, unit: number): { offset: number; size: number } | undefined {
  switch (instruction.kind) {
    case 'linear': {
      const size = instruction.parameters.length / instruction.attributes.outChannels;
      return unit < instruction.attributes.outChannels ? { offset: unit * size, size } : undefined;
    }
    case 'rescale':
      return unit < instruction.attributes.channels ? { offset: 16 * unit, size: 16 } : undefined;
    case 'map':
      return unit < instruction.length ? { offset: 4 * unit, size: 4 } : undefined;
    case 'tree':
      return unit < instruction.attributes.trees * instruction.attributes.nodes ? { offset: 12 * unit, size: 12 } : undefined;
    default:
      return undefined;
  }
}

function evidenceFor(instruction: AnyInstruction, { offset, size }: { offset: number; size: number }): Uint8Array {
  const { parameters } = instruction;
  const leaves = Array.from(
    { length: Math.floor((offset + size - 1) / 512) - Math.floor(offset / 512) + 1 },
    (_, i) => Math.floor(offset / 512) + i,
  );
  return encodeOpening(openBytes(parameters, buildTree(leavesOfBytes(parameters)), leaves));
}

describe('parameters, unit by unit', () => {
  const KINDS_WITH_UNITS = ['linear', 'rescale', 'map', 'tree'] as const;

  test.each(KINDS_WITH_UNITS)('%s: a unit is judged as the loader judges it', async (kind) => {
    const r = new Random(SEED + 2);
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      const { program } = randomCase(kind, r);
      const instruction = { ...program.instructions.at(-1)! } as AnyInstruction;
      const shapes = sourceShapes(program, instruction);
      const parameters = Uint8Array.from(instruction.parameters);
      let unit = 0;
      while (unitOf(instruction, unit + 1) !== undefined && r.chance(0.7)) unit++;
      const place = unitOf(instruction, unit)!;
      const at = r.chance(0.5) ? place.offset + place.size - 1 - r.integer(0, 4 % place.size) : place.offset + r.integer(0, place.size - 1);
      if (r.chance(0.8)) parameters[at] = r.pick([0x80, 0x7f, 0xff, 30, 31, r.integer(0, 255)]);
      const damaged = { ...instruction, parameters } as AnyInstruction;
      let valid = true;
      try {
        validateInstruction(damaged, shapes);
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        valid = false;
        refused++;
      }
      expect(await chain.validateParameters(encodeRecord(damaged, shapes), unit, evidenceFor(damaged, place))).toBe(valid);
    }
    expect(refused).toBeGreaterThan(5);
  });

  test('weights, shift and accumulator of a linear row, on both sides of each bound', async () => {
    const { kind, length, type, attributes } = {
      kind: 'linear',
      type: 'u8',
      length: 1,
      attributes: {
        ...{ batch: 1, height: 1, width: 1, channels: 66, outHeight: 1, outWidth: 1, outChannels: 1, kernelHeight: 1, kernelWidth: 1 },
        ...{ strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0, groups: 1 },
        ...{ zeroPoint: 0, weightBytes: 1, low: 0, high: 255 },
      },
    } as const;
    const shapes = [{ type: 'u8', length: 66 }] as const;
    const judge = async (weight: number, bias: number, shift: number): Promise<boolean | string> => {
      const row = linearRowOf([weight, ...new Array<number>(65).fill(127)], bias, shift);
      const instruction: AnyInstruction = { kind, type, length, attributes, sources: [0], parameters: row };
      return chain.validateParameters(encodeRecord(instruction, shapes), 0, evidenceFor(instruction, { offset: 0, size: row.length }));
    };
    const room = 2 ** 31 - 1 - 66 * 127 * 255;
    expect(await judge(-127, 0, 30)).toBe(true);
    expect(await judge(-128, 0, 30)).toBe(false);
    expect(await judge(-127, 0, 31)).toBe(false);
    expect(await judge(-127, room, 0)).toBe(true);
    expect(await judge(-127, room + 1, 0)).toBe(false);
    expect(await judge(127, -room, 0)).toBe(true);
    expect(await judge(127, -room - 1, 0)).toBe(false);
    expect(await judge(127, room - 512, 10)).toBe(true);
    expect(await judge(127, room - 511, 10)).toBe(false);
  });

  test('refused: a unit that does not exist, another leaf, nothing opened, a record that is malformed by itself', async () => {
    const r = new Random(SEED + 3);
    const { program } = randomCase('tree', r);
    const instruction = program.instructions.at(-1)! as Extract<AnyInstruction, { kind: 'tree' }>;
    const record = encodeRecord(instruction, sourceShapes(program, instruction));
    const evidence = evidenceFor(instruction, { offset: 0, size: 12 });
    const units = instruction.attributes.trees * instruction.attributes.nodes;
    expect(await chain.validateParameters(record, 0, evidence)).toBe(true);
    expect(await chain.validateParameters(record, units, evidence)).toBe('NoSuchUnit');
    expect(await chain.validateParameters(record, 0, new Uint8Array(2))).toBe('ParametersNotOpened');
    expect(await chain.validateParameters(record, 0, Uint8Array.from([...evidence, 0]))).toBe('EvidenceLeftOver');
    const forged = Uint8Array.from(evidence);
    forged[10] = forged[10]! ^ 1;
    expect(await chain.validateParameters(record, 0, forged)).toBe('ParametersNotOpened');
    expect(await chain.validateParameters(record.slice(1), 0, evidence)).toBe('MalformedRecord');
    const table = randomCase('table', r).program;
    const other = table.instructions.at(-1)!;
    const opened = evidenceFor(other, { offset: 0, size: 1 });
    expect(await chain.validateParameters(encodeRecord(other, sourceShapes(table, other)), 0, opened)).toBe('NoSuchUnit');
  });
});
