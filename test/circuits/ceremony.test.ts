import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { auditKey } from '../../circuits/audit.ts';
import { prove } from '../../circuits/prove.ts';
import type { SetupRecord } from '../../circuits/setup/files.ts';
import { setupDevelopment, setupFromKey, setupFromPtau } from '../../circuits/setup.ts';
import { readVerificationKey, verifyProof } from '../../circuits/verify.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { ZERO_HASH } from '../../core/program/identity.ts';
import { ladderDense, random, randomInputs } from './build.ts';

// A real setup, small: powers of tau made here, two contributions, a beacon, snarkjs's own verification.
vi.setConfig({ testTimeout: 240_000 });
const POWER = 7;
const model = ladderDense('tiny', [3, 2], 12);
const root = mkdtempSync(path.join(tmpdir(), 'assay-ceremony-'));
const ptau = path.join(root, 'powers.ptau');
const directory = path.join(root, 'model');
const BEACON = { hash: '0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20', iterationsExponent: 10 };
let record: SetupRecord;

afterAll(() => rmSync(root, { recursive: true, force: true }));

const cli = path.join(path.dirname(createRequire(import.meta.url).resolve('snarkjs')), 'cli.cjs');
function snarkjs(...args: string[]): string {
  return execFileSync(process.execPath, [cli, ...args], { cwd: root, encoding: 'utf8' });
}

beforeAll(async () => {
  snarkjs('powersoftau', 'new', 'bn128', String(POWER), 'new.ptau');
  snarkjs('powersoftau', 'contribute', 'new.ptau', 'one.ptau', '--name=one', '-e=entropy of the test');
  snarkjs('powersoftau', 'prepare', 'phase2', 'one.ptau', ptau);
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'program.assay'), encodeProgram(model));
  record = await setupFromPtau(directory, ptau, { beacon: BEACON, contributors: ['ann', 'bob'], allowUnpublished: true });
}, 240_000);

describe('a real setup', () => {
  it('records its transcript as its provenance', () => {
    expect(record.development).toBe(false);
    expect(record.provenance).toMatch(/^0x[0-9a-f]{64}$/);
    expect(record.provenance).not.toBe(ZERO_HASH);
    expect(record.ceremony?.published).toBeNull();
    expect(record.ceremony?.contributions.map(({ kind, name }) => [kind, name])).toEqual([
      ['contribution', 'ann'],
      ['contribution', 'bob'],
      ['beacon', 'beacon'],
    ]);
    expect(record.ceremony?.contributions[2]).toMatchObject({ beacon: BEACON.hash, iterationsExponent: 10 });
  });

  it('is accepted by the snarkjs command', () => {
    const said = snarkjs('zkey', 'verify', path.join(directory, 'circuit.r1cs'), ptau, path.join(directory, 'proving.zkey'));
    expect(said).toContain('ZKey Ok!');
  });

  it('proves, and verifies under its own key only', async () => {
    const { proof, publicSignals } = await prove({ directory, inputs: randomInputs(model, random(1)), context: 99n });
    expect(await verifyProof({ key: await readVerificationKey(directory), proof, publicSignals })).toEqual({ valid: true });
    const development = path.join(root, 'development');
    mkdirSync(development);
    writeFileSync(path.join(development, 'program.assay'), encodeProgram(model));
    await setupDevelopment(development);
    const key = await readVerificationKey(development);
    expect((await verifyProof({ key, proof, publicSignals })).valid).toBe(false);
  });

  it('passes the audit point by point, and a development key in its place does not', async () => {
    const report = await auditKey(directory, { ptau });
    expect(report.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(report).toMatchObject({ passed: true, pointsVerified: true, development: false });
    const swapped = await auditKey(directory, { ptau, zkey: path.join(root, 'development', 'proving.zkey') });
    expect(swapped.checks.filter(({ passed }) => !passed).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['proving key file', 'verification key', 'transcript', 'snarkjs zkey verify']),
    );
  });

  it('is not taken for another transcript', async () => {
    const copy = path.join(root, 'copy');
    cpSync(directory, copy, { recursive: true });
    const changed = JSON.parse(readFileSync(path.join(copy, 'setup.json'), 'utf8'));
    changed.ceremony.contributions[0].name = 'eve';
    writeFileSync(path.join(copy, 'setup.json'), JSON.stringify(changed));
    const failed = (await auditKey(copy)).checks.filter(({ passed }) => !passed).map(({ name }) => name);
    expect(failed).toEqual(['transcript', 'provenance']);
  });
});

describe('a setup is refused', () => {
  const options = { beacon: BEACON, allowUnpublished: true };

  it('with a powers-of-tau file that nobody published', async () => {
    await expect(setupFromPtau(directory, ptau, { beacon: BEACON })).rejects.toMatchObject({ code: 'PTAU_UNKNOWN' });
  });

  it('with one contribution, or without a proper beacon', async () => {
    await expect(setupFromPtau(directory, ptau, { ...options, contributors: ['ann'] })).rejects.toMatchObject({ code: 'CEREMONY_OPTIONS' });
    for (const beacon of [
      { hash: '', iterationsExponent: 10 },
      { hash: '012', iterationsExponent: 10 },
      { hash: '01', iterationsExponent: 9 },
    ])
      await expect(setupFromPtau(directory, ptau, { ...options, beacon })).rejects.toMatchObject({ code: 'CEREMONY_OPTIONS' });
  });

  it('with a key that others made for another circuit, or that has no ceremony', async () => {
    const zkey = path.join(root, 'development', 'proving.zkey');
    await expect(setupFromKey(directory, { ptau, zkey }, { allowUnpublished: true })).rejects.toMatchObject({
      code: /KEY_REFUSED|PROOF_SYSTEM/,
    });
  });

  it('with a key that is none', async () => {
    const zkey = path.join(root, 'none.zkey');
    const whole = readFileSync(path.join(directory, 'proving.zkey'));
    const signals = Buffer.from(whole);
    // The number of public signals in the header: snarkjs would read so many points.
    signals.writeUInt32LE(0xffffffff, 12 + 12 + 4 + 12 + 76);
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, whole.length >> 1), signals]) {
      writeFileSync(zkey, bytes);
      await expect(setupFromKey(directory, { ptau, zkey }, { allowUnpublished: true })).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
    }
  });

  it('with powers of tau that are none, are cut off, or of another field', async () => {
    const file = path.join(root, 'none.ptau');
    const whole = readFileSync(ptau);
    const field = Buffer.from(whole);
    field.writeUInt8(field[12 + 12 + 4]! ^ 1, 12 + 12 + 4);
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, 12), whole.subarray(0, whole.length >> 1), field]) {
      writeFileSync(file, bytes);
      await expect(setupFromPtau(directory, file, options)).rejects.toMatchObject({ code: 'PROOF_SYSTEM' });
    }
    // The setup that was there is still whole.
    expect((await auditKey(directory)).passed).toBe(true);
  });

  it('when the circuit is larger than the file', async () => {
    const large = path.join(root, 'large');
    mkdirSync(large);
    writeFileSync(path.join(large, 'program.assay'), encodeProgram(ladderDense('large', [20, 10], 3)));
    await expect(setupFromPtau(large, ptau, options)).rejects.toMatchObject({ code: 'PROOF_SYSTEM' });
  });

  it('but not when the ceremony’s own key comes back', async () => {
    const again = path.join(root, 'again');
    mkdirSync(again);
    writeFileSync(path.join(again, 'program.assay'), encodeProgram(model));
    const files = { ptau, zkey: path.join(directory, 'proving.zkey') };
    expect(await setupFromKey(again, files, { allowUnpublished: true })).toEqual(record);
  });
});
