import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildBn128 } from 'ffjavascript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { auditKey } from '../../circuits/audit.ts';
import { keyWeakness } from '../../circuits/key-weakness.ts';
import { type ProvedAnswer, ProvingService, prove } from '../../circuits/prove.ts';
import type { Proof, VerificationKey } from '../../circuits/setup/files.ts';
import { setupDevelopment } from '../../circuits/setup.ts';
import { readVerificationKey, verifyProof } from '../../circuits/verify.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import { fromHex, keccak256, toHash } from '../../core/keccak.ts';
import { encodeProgram } from '../../core/program/codec.ts';
import { ZERO_HASH } from '../../core/program/identity.ts';
import type { Program } from '../../core/program/types.ts';
import { BASE_FIELD, encodeProof, encodeVerificationKey, SCALAR_FIELD, verificationKeyHash } from '../../core/zk-encoding.ts';
import { ladderDense, random, randomInputs } from './build.ts';

// Processes start slowly on a busy machine; nothing here asserts time.
vi.setConfig({ testTimeout: 240_000 });
const root = mkdtempSync(path.join(tmpdir(), 'assay-proofs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function place(name: string, of: Program): string {
  const directory = path.join(root, name);
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'program.assay'), encodeProgram(of));
  return directory;
}

const model = ladderDense('iris', [4, 6, 3], 5);
const other = ladderDense('other', [4, 6, 3], 6);
const inputs = randomInputs(model, random(3));
const CONTEXT = 0x1234567890abcdefn << 100n;

let directory: string;
let otherKey: VerificationKey;
let key: VerificationKey;
let answer: ProvedAnswer;

beforeAll(async () => {
  directory = place('model', model);
  const otherDirectory = place('other', other);
  const record = await setupDevelopment(directory);
  await setupDevelopment(otherDirectory);
  expect(record).toMatchObject({ development: true, provenance: ZERO_HASH, inputForm: 'packed', publicSignals: 3 });
  key = await readVerificationKey(directory);
  otherKey = await readVerificationKey(otherDirectory);
  answer = await prove({ directory, inputs, context: CONTEXT });
}, 240_000);

async function verdict(change: { key?: VerificationKey; proof?: Proof; publicSignals?: readonly string[] }): Promise<boolean> {
  return (await verifyProof({ key, proof: answer.proof, publicSignals: answer.publicSignals, ...change })).valid;
}

describe('an honest proof', () => {
  it('verifies, proves the executor’s outputs, and is accepted by the snarkjs command', async () => {
    expect(await verdict({})).toBe(true);
    expect(answer.outputs).toEqual(outputsOf(model, execute(model, inputs)));
    expect(answer.publicSignals[0]).toBe(String(CONTEXT));
    const file = (name: string, value: unknown): string => {
      const at = path.join(root, name);
      writeFileSync(at, JSON.stringify(value));
      return at;
    };
    const cli = createRequire(import.meta.url)
      .resolve('snarkjs')
      .replace(/main\.(js|cjs)$|build[\\/]main\.cjs$/, 'build/cli.cjs');
    const signals = file('proof.public.json', answer.publicSignals);
    const command = [cli, 'groth16', 'verify', path.join(directory, 'verification_key.json'), signals, file('proof.json', answer.proof)];
    expect(execFileSync(process.execPath, command, { encoding: 'utf8' })).toContain('OK!');
  });

  it('is proved from a trace as well, for another context, by another proof', async () => {
    const again = await prove({ directory, trace: execute(model, inputs), context: 7n });
    expect(again.publicSignals.slice(1)).toEqual(answer.publicSignals.slice(1));
    expect(again.proof.pi_a).not.toEqual(answer.proof.pi_a);
    expect(await verdict({ proof: again.proof, publicSignals: again.publicSignals })).toBe(true);
    // Replayed for the first context it is worthless.
    expect(await verdict({ proof: again.proof })).toBe(false);
  });
});

describe('a forged proof', () => {
  it('is refused when any public signal changes', async () => {
    for (let i = 0; i < answer.publicSignals.length; i++) {
      for (const changed of [BigInt(answer.publicSignals[i]!) + 1n, 0n, SCALAR_FIELD - 1n]) {
        const publicSignals = answer.publicSignals.with(i, String(changed));
        expect(await verdict({ publicSignals }), `signal ${i} = ${changed}`).toBe(false);
      }
    }
  });

  it('is refused with signals at or beyond the prime, missing, or extra', async () => {
    const alias = answer.publicSignals.with(1, String(BigInt(answer.publicSignals[1]!) + SCALAR_FIELD));
    for (const publicSignals of [alias, answer.publicSignals.slice(1), [...answer.publicSignals, '0'], answer.publicSignals.with(0, '-1')])
      expect(await verdict({ publicSignals })).toBe(false);
  });

  it('is refused with swapped, negated or foreign points, points off the curve or at infinity', async () => {
    const { proof } = answer;
    const negated = ({ pi_a: [x, y, z] }: Proof): Proof => ({ ...proof, pi_a: [x!, String(BASE_FIELD - BigInt(y!)), z!] });
    const forged: Proof[] = [
      { ...proof, pi_a: proof.pi_c, pi_c: proof.pi_a },
      negated(proof),
      { ...proof, pi_a: key.vk_alpha_1 },
      { ...proof, pi_b: key.vk_beta_2 },
      { ...proof, pi_a: [proof.pi_a[0]!, String(BigInt(proof.pi_a[1]!) + 1n), '1'] },
      { ...proof, pi_b: [proof.pi_b[0]!, proof.pi_b[0]!, proof.pi_b[2]!] },
      { ...proof, pi_a: ['0', '1', '0'] },
      { ...proof, pi_c: ['0', '0', '1'] },
      { ...proof, pi_a: [String(BigInt(proof.pi_a[0]!) + BASE_FIELD), proof.pi_a[1]!, '1'] },
    ];
    for (const [i, bad] of forged.entries()) expect(await verdict({ proof: bad }), `forgery ${i}`).toBe(false);
  });

  it('is refused under the key of another model of the same shape', async () => {
    expect(await verdict({ key: otherKey })).toBe(false);
  });
});

describe('keys', () => {
  it('are refused when anybody could forge under them', async () => {
    const { G1, G2 } = await buildBn128(true);
    const json = (point: readonly unknown[]): string[][] => point.map((pair) => (pair as bigint[]).map(String));
    const generator = json(G2.toObject(G2.toAffine(G2.g)) as unknown[]);
    const infinity1 = G1.toObject(G1.toAffine(G1.timesScalar(G1.g, SCALAR_FIELD))).map(String);
    expect(await keyWeakness(key)).toBeUndefined();
    expect(await keyWeakness({ ...key, vk_delta_2: key.vk_gamma_2 })).toMatch(/delta/);
    expect(await keyWeakness({ ...key, vk_gamma_2: key.vk_delta_2 })).toMatch(/delta/);
    expect(await keyWeakness({ ...key, vk_delta_2: generator, vk_gamma_2: key.vk_beta_2 })).toMatch(/generator/);
    expect(await keyWeakness({ ...key, vk_alpha_1: infinity1 })).toMatch(/infinity/);
    expect(await keyWeakness({ ...key, IC: key.IC.with(1, ['1', '3', '1']) })).toMatch(/G1/);
    expect(await keyWeakness({ ...key, vk_beta_2: [key.vk_beta_2[0]!, key.vk_beta_2[0]!, ['1', '0']] })).toMatch(/G2/);
  });

  it('with two points the same would let anybody forge: why they are refused', async () => {
    const { G1, G2 } = await buildBn128(true);
    const claimed = ['1', '2', '3'];
    const point = (p: readonly string[]): Uint8Array => G1.fromObject(p.map(BigInt));
    const publicPart = claimed.reduce(
      (sum, signal, i) => G1.add(sum, G1.timesScalar(point(key.IC[i + 1]!), BigInt(signal))),
      point(key.IC[0]!),
    );
    const text = (p: Uint8Array): string[] => G1.toObject(G1.toAffine(p)).map(String);
    const opposite = (p: VerificationKey['vk_beta_2']) => {
      const neg = G2.toObject(G2.toAffine(G2.neg(G2.fromObject(p.map((pair) => pair.map(BigInt)))))) as unknown as bigint[][];
      return neg.map((pair) => pair.map(String));
    };
    const { vk_alpha_1: alpha, vk_beta_2: beta, vk_gamma_2: gamma, vk_delta_2: delta } = key;
    const minusAlpha = text(G1.neg(point(alpha)));
    const minusPublic = text(G1.neg(publicPart));
    // e(A, B) = e(alpha, beta)·e(public, gamma)·e(C, delta), without any witness.
    const forgeries: readonly [Partial<VerificationKey>, pi: { a: readonly string[]; b: typeof beta; c: readonly string[] }][] = [
      [{ vk_delta_2: gamma }, { a: alpha, b: beta, c: minusPublic }],
      [{ vk_delta_2: opposite(gamma) }, { a: alpha, b: beta, c: text(publicPart) }],
      [{ vk_beta_2: delta }, { a: text(publicPart), b: gamma, c: minusAlpha }],
      [{ vk_beta_2: opposite(delta) }, { a: text(publicPart), b: gamma, c: alpha }],
    ];
    for (const [change, { a, b, c }] of forgeries) {
      const weak: VerificationKey = { ...key, ...change };
      const forged = { protocol: 'groth16', curve: 'bn128', pi_a: a, pi_b: b, pi_c: c } as Proof;
      expect(await verdict({ key: weak, proof: forged, publicSignals: claimed })).toBe(true);
      expect(await verdict({ proof: forged, publicSignals: claimed })).toBe(false);
      expect(await keyWeakness(weak)).toMatch(/is gamma|is delta/);
    }
    expect(await keyWeakness({ ...key, vk_beta_2: gamma })).toMatch(/beta/);
    expect(await keyWeakness({ ...key, vk_alpha_1: ['1', '2', '1'] })).toMatch(/alpha/);
  });

  it('and proofs have one encoding for the chain', () => {
    const bytes = encodeVerificationKey(key);
    expect(bytes.length).toBe(32 * (2 + 12 + 2 * (key.nPublic + 1)));
    expect(verificationKeyHash(key)).toBe(toHash(keccak256(bytes)));
    expect(BigInt(`0x${Buffer.from(bytes.subarray(64, 96)).toString('hex')}`)).toBe(BigInt(key.vk_beta_2[0]![1]!));
    expect(answer.encodedProof).toEqual(encodeProof(answer.proof));
    expect(answer.encodedProof.length).toBe(256);
    expect(fromHex(verificationKeyHash(key)).length).toBe(32);
    expect(() => encodeProof({ ...answer.proof, pi_a: [String(BASE_FIELD), '1', '1'] })).toThrow(/base field/);
  });
});

describe('setup', () => {
  it('is kept when complete, made again when a file changed, and never half there', async () => {
    const home = place('again', model);
    const first = await setupDevelopment(home);
    expect(await setupDevelopment(home)).toEqual(first);
    // An interrupted setup leaves its work directory and no record.
    rmSync(path.join(home, 'setup.json'));
    mkdirSync(path.join(home, '.setup'));
    writeFileSync(path.join(home, '.setup', 'proving.zkey'), 'half');
    await expect(prove({ directory: home, inputs, context: 1n })).rejects.toMatchObject({ code: 'SETUP_MISSING' });
    const second = await setupDevelopment(home);
    expect(second.zkey).not.toBe(first.zkey);
    expect(second.r1cs).toBe(first.r1cs);
    expect(readdirSync(home).sort()).toEqual(['circuit.r1cs', 'program.assay', 'proving.zkey', 'setup.json', 'verification_key.json']);
    writeFileSync(path.join(home, 'proving.zkey'), 'damaged');
    expect((await setupDevelopment(home)).zkey).not.toBe(second.zkey);
  });

  it('takes a development key from the cache by the hash of its circuit', async () => {
    const cacheDirectory = path.join(root, 'cache');
    const [a, b] = [place('cache-a', model), place('cache-b', model)];
    const first = await setupDevelopment(a, { cacheDirectory });
    expect(readdirSync(cacheDirectory)).toEqual([`${first.r1cs}.zkey`]);
    expect((await setupDevelopment(b, { cacheDirectory })).zkey).toBe(first.zkey);
  });

  it('stops when cancelled and leaves nothing', async () => {
    const home = place('cancelled', model);
    const abort = new AbortController();
    const running = setupDevelopment(home, { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(readdirSync(home)).toEqual(['program.assay']);
  });
});

describe('audit', () => {
  it('passes for an untouched development setup and says what it is', async () => {
    const report = await auditKey(directory);
    expect(report.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(report).toMatchObject({ passed: true, development: true, pointsVerified: false, provenance: ZERO_HASH });
  });

  it('names what does not fit', async () => {
    const failed = async (home: string): Promise<string[]> =>
      (await auditKey(home)).checks.filter(({ passed }) => !passed).map(({ name }) => name);
    const copy = (name: string): string => {
      const home = place(name, model);
      for (const file of ['circuit.r1cs', 'proving.zkey', 'verification_key.json', 'setup.json'])
        writeFileSync(path.join(home, file), readFileSync(path.join(directory, file)));
      return home;
    };
    const swappedProgram = copy('audit-program');
    writeFileSync(path.join(swappedProgram, 'program.assay'), encodeProgram(other));
    expect(await failed(swappedProgram)).toEqual(expect.arrayContaining(['program', 'circuit']));

    const foreignKey = copy('audit-key');
    writeFileSync(path.join(foreignKey, 'proving.zkey'), readFileSync(path.join(root, 'other', 'proving.zkey')));
    expect(await failed(foreignKey)).toEqual(expect.arrayContaining(['proving key file', 'key form']));
    const again = place('audit-again', model);
    await setupDevelopment(again);
    writeFileSync(path.join(foreignKey, 'proving.zkey'), readFileSync(path.join(again, 'proving.zkey')));
    expect(await failed(foreignKey)).toEqual(['proving key file', 'verification key', 'proof']);

    const claimsReal = copy('audit-provenance');
    const record = JSON.parse(readFileSync(path.join(claimsReal, 'setup.json'), 'utf8'));
    writeFileSync(
      path.join(claimsReal, 'setup.json'),
      JSON.stringify({ ...record, development: false, provenance: `0x${'11'.repeat(32)}` }),
    );
    expect(await failed(claimsReal)).toEqual(['provenance']);
  });
});

describe('the proving service', () => {
  it('reports progress, serves a queue, and refuses after closing', async () => {
    const service = new ProvingService({ processes: 1 });
    const phases: string[] = [];
    const jobs = [1n, 2n, 3n].map((context) =>
      service.prove({ directory, inputs, context, onProgress: ({ phase }) => phases.push(phase) }),
    );
    const answers = await Promise.all(jobs);
    expect(answers.map(({ publicSignals }) => publicSignals[0])).toEqual(['1', '2', '3']);
    expect(phases.slice(0, 5)).toEqual(['load circuit', 'run model', 'compute witness', 'prove', 'verify']);
    service.close();
    await expect(service.prove({ directory, inputs, context: 1n })).rejects.toMatchObject({ code: 'SERVICE_CLOSED' });
  });

  it('cancels a running job and goes on with the next', async () => {
    const service = new ProvingService();
    const abort = new AbortController();
    const cancelled = service.prove({ directory, inputs, context: 1n, signal: abort.signal, onProgress: () => abort.abort() });
    const next = service.prove({ directory, inputs, context: 2n });
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await next).publicSignals[0]).toBe('2');
    service.close();
  });

  it('ends a process over its memory cap, and says so', async () => {
    await expect(prove({ directory, inputs, context: 1n }, { memoryMegabytes: 40 })).rejects.toMatchObject({ code: 'CHILD_MEMORY' });
  });

  it('refuses a key of another program, wrong inputs, and a directory without a setup', async () => {
    const stale = place('stale', other);
    for (const file of ['proving.zkey', 'verification_key.json', 'setup.json'])
      writeFileSync(path.join(stale, file), readFileSync(path.join(directory, file)));
    await expect(prove({ directory: stale, inputs, context: 1n })).rejects.toMatchObject({ code: 'SETUP_STALE' });
    await expect(prove({ directory, inputs: [new Uint8Array(3)], context: 1n })).rejects.toMatchObject({ code: 'INPUT_SHAPE' });
    await expect(prove({ directory: place('bare', model), inputs, context: 1n })).rejects.toMatchObject({ code: 'SETUP_MISSING' });
  });

  it('throws a proof away that its own key does not verify', async () => {
    const home = place('mixed', model);
    for (const file of ['circuit.r1cs', 'verification_key.json', 'setup.json'])
      writeFileSync(path.join(home, file), readFileSync(path.join(directory, file)));
    await expect(prove({ directory: home, inputs, context: 1n, zkey: path.join(root, 'other', 'proving.zkey') })).rejects.toMatchObject({
      code: 'KEY_MALFORMED',
    });
    // A key of another setup: it loads, it proves, and what it proves is worthless here.
    const again = place('mixed-again', model);
    await setupDevelopment(again);
    writeFileSync(path.join(home, 'proving.zkey'), readFileSync(path.join(again, 'proving.zkey')));
    await expect(prove({ directory: home, inputs, context: 1n })).rejects.toMatchObject({ code: 'PROOF_REJECTED' });
  });
});
