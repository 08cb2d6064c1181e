import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { auditKey } from '../../circuits/audit.ts';
import { type CompiledCircuit, compileCircuit } from '../../circuits/compile.ts';
import { ProvingService } from '../../circuits/prove.ts';
import { coefficientSection } from '../../circuits/setup/coefficients.ts';
import { readSetupRecord, readVerificationKey } from '../../circuits/setup/files.ts';
import { keyProblem, readSections } from '../../circuits/setup/key-file.ts';
import { setupDevelopment } from '../../circuits/setup.ts';
import { AssayError } from '../../core/errors.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import type { Program } from '../../core/program/types.ts';
import { Random } from '../support/random.ts';
import { dense, input, program, quantizedLayer, random, randomInputs } from './build.ts';

// Files that somebody made to be believed, or to bring us down.
vi.setConfig({ testTimeout: 240_000 });
const root = mkdtempSync(path.join(tmpdir(), 'assay-malformed-'));
const service = new ProvingService();
afterAll(() => {
  service.close();
  rmSync(root, { recursive: true, force: true });
});

/** A layer, or the same one with two weights of its first row exchanged: equal bounds, equal A and B, another C. */
function layer(exchanged: boolean): Program {
  const plain = quantizedLayer(3, 30, random(5), false);
  const [first, second, ...rest] = plain.weights[0]!;
  const weights = exchanged ? [[second!, first!, ...rest], ...plain.weights.slice(1)] : plain.weights;
  return program('twin', [input('u8', 30), dense('i32', 0, { ...plain, weights }, [-(2 ** 31), 2 ** 31 - 1])]);
}

const model = layer(false);
const inputs = randomInputs(model, random(3));
let directory: string;
let circuit: CompiledCircuit;
let key: Buffer;

function place(name: string, of: Program): string {
  const at = path.join(root, name);
  mkdirSync(at);
  writeFileSync(path.join(at, 'program.assay'), encodeProgram(of));
  return at;
}

beforeAll(async () => {
  directory = place('model', model);
  circuit = compileCircuit(model);
  await setupDevelopment(directory);
  key = readFileSync(path.join(directory, 'proving.zkey'));
}, 240_000);

async function failed(home: string, zkey?: string): Promise<string[]> {
  const { checks } = await auditKey(home, zkey === undefined ? {} : { zkey });
  return checks.filter(({ passed }) => !passed).map(({ name }) => name);
}

function file(name: string, bytes: Uint8Array): string {
  const at = path.join(root, name);
  writeFileSync(at, bytes);
  return at;
}

function changed(act: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(key);
  act(bytes);
  return bytes;
}

describe('a key for another program', () => {
  it('with the same A and B and every hash put right is found by a proof', async () => {
    const twin = place('twin', layer(true));
    await setupDevelopment(twin);
    expect(coefficientSection(compileCircuit(layer(true)).system)).toEqual(coefficientSection(circuit.system));
    const home = path.join(root, 'swapped');
    cpSync(directory, home, { recursive: true });
    for (const name of ['proving.zkey', 'verification_key.json']) cpSync(path.join(twin, name), path.join(home, name));
    const [own, theirs] = [await readSetupRecord(home), await readSetupRecord(twin)];
    const { zkey, verificationKey, keyHash } = theirs!;
    writeFileSync(path.join(home, 'setup.json'), JSON.stringify({ ...own, zkey, verificationKey, keyHash }));
    expect(await failed(home)).toEqual(['proof']);
  });
});

describe('a malformed proving key', () => {
  const at = async (section: number): Promise<number> => (await readSections(path.join(directory, 'proving.zkey'))).get(section)!.at;

  it('is refused by its form alone, before anything believes its numbers', async () => {
    const header = await at(2);
    const hostile: Record<string, Buffer> = {
      'nothing at all': Buffer.alloc(0),
      'the first bytes alone': key.subarray(0, 12),
      'a section table that ends early': key.subarray(0, 40),
      'half a key': key.subarray(0, key.length >> 1),
      'a key without its last byte': key.subarray(0, -1),
      'a key with a byte more': Buffer.concat([key, Buffer.of(0)]),
      'another magic': changed((b) => b.write('ptau')),
      'version 2': changed((b) => b.writeUInt32LE(2, 4)),
      'four billion sections': changed((b) => b.writeUInt32LE(0xffffffff, 8)),
      'a section of 2^63 bytes': changed((b) => b.writeBigUInt64LE(1n << 63n, 16)),
      'a section of −1 bytes': changed((b) => b.writeBigUInt64LE(0xffffffffffffffffn, 16)),
      'a section twice': changed((b) => b.writeUInt32LE(2, 12)),
      PLONK: changed((b) => b.writeUInt32LE(2, 24)),
      'a field of four billion bytes': changed((b) => b.writeUInt32LE(0xffffffff, header)),
      'another field': changed((b) => b.writeUInt8(b[header + 4]! ^ 1, header + 4)),
      'four billion wires': changed((b) => b.writeUInt32LE(0xffffffff, header + 72)),
      'four billion public signals': changed((b) => b.writeUInt32LE(0xffffffff, header + 76)),
      'no public signal': changed((b) => b.writeUInt32LE(0, header + 76)),
      'a domain of 2^31': changed((b) => b.writeUInt32LE(2 ** 31, header + 80)),
    };
    for (const [name, bytes] of Object.entries(hostile))
      expect(await keyProblem(file('hostile.zkey', bytes), circuit), name).toBeTypeOf('string');
    expect(await keyProblem(file('hostile.zkey', key), circuit)).toBeUndefined();
    const [home, zkey] = [path.join(root, 'hostile'), file('hostile.zkey', hostile['four billion public signals']!)];
    expect(await failed(directory, zkey)).toEqual(['proving key file', 'key form']);
    cpSync(directory, home, { recursive: true });
    cpSync(zkey, path.join(home, 'proving.zkey'));
    await expect(service.prove({ directory: home, inputs, context: 1n })).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
  });

  it('with any byte of its points or terms changed makes no proof, or one that verifies', async () => {
    const r = new Random(7);
    const home = path.join(root, 'flipped');
    cpSync(directory, home, { recursive: true });
    const sections = await readSections(path.join(directory, 'proving.zkey'));
    for (const section of [2, 3, 4, 5, 6, 7, 8, 9]) {
      const { at: from, bytes } = sections.get(section)!;
      const where = from + r.integer(section === 2 ? 84 : section === 4 ? 4 : 0, bytes - 1);
      writeFileSync(
        path.join(home, 'proving.zkey'),
        changed((b) => b.writeUInt8(b[where]! ^ 0x10, where)),
      );
      // The service verifies before it answers: whatever comes out holds.
      const outcome = await service.prove({ directory: home, inputs, context: 1n }).then(
        () => 'proved',
        (error: unknown) => (error instanceof AssayError ? error.code : 'crash'),
      );
      expect(['proved', 'PROOF_REJECTED', 'PROOF_SYSTEM', 'CHILD_ENDED'], `byte ${where} of section ${section}`).toContain(outcome);
    }
    await service.prove({ directory, inputs, context: 1n });
  });
});

describe('other malformed files', () => {
  it('of a circuit, a record, a verification key are named, never believed', async () => {
    const home = path.join(root, 'others');
    cpSync(directory, home, { recursive: true });
    writeFileSync(path.join(home, 'circuit.r1cs'), 'r1cs\x01\x00\x00\x00\xff\xff\xff\xff');
    expect(await failed(home)).toEqual(['circuit']);
    const record = readFileSync(path.join(home, 'setup.json'), 'utf8');
    for (const text of ['', '{', '[]', 'null', record.replace('"version": 1', '"version": 2'), record + ' '.repeat(1 << 20)]) {
      writeFileSync(path.join(home, 'setup.json'), text);
      await expect(auditKey(home)).rejects.toMatchObject({ code: 'SETUP_MALFORMED' });
      await expect(service.prove({ directory: home, inputs, context: 1n })).rejects.toMatchObject({ code: 'SETUP_MALFORMED' });
    }
    writeFileSync(path.join(home, 'setup.json'), JSON.stringify({ ...JSON.parse(record), constraints: 1 }));
    cpSync(path.join(directory, 'circuit.r1cs'), path.join(home, 'circuit.r1cs'));
    expect(await failed(home)).toEqual(['circuit']);
    writeFileSync(path.join(home, 'setup.json'), record);
    const good = await readVerificationKey(home);
    for (const bad of ['', '{}', JSON.stringify({ ...good, IC: [] }), JSON.stringify({ ...good, nPublic: 1e9, protocol: 'plonk' })]) {
      writeFileSync(path.join(home, 'verification_key.json'), bad);
      await expect(auditKey(home)).rejects.toMatchObject({ code: 'SETUP_MALFORMED' });
    }
    writeFileSync(path.join(home, 'verification_key.json'), JSON.stringify({ ...good, vk_alpha_1: ['0', '1', '0'] }));
    expect(await failed(home)).toEqual(expect.arrayContaining(['verification key', 'key is not trivially forgeable']));
  });
});
