import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AssayError } from '../core/errors.ts';
import { ZERO_HASH } from '../core/program/identity.ts';
import type { Program } from '../core/program/types.ts';
import { inputCount } from '../core/program/validate.ts';
import { ELEMENT_BYTES, fromBytes } from '../core/tensor.ts';
import { verificationKeyHash } from '../core/zk-encoding.ts';
import { readModelDirectory } from '../runtime/model-directory.ts';
import { askLingering, type ChildOptions, runChild } from './child-process.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { keyWeakness } from './key-weakness.ts';
import { prove } from './prove.ts';
import { writeR1cs } from './r1cs-file.ts';
import { coefficientSection } from './setup/coefficients.ts';
import {
  ceremonyText,
  hashFile,
  readSetupRecord,
  readVerificationKey,
  SETUP_FILES,
  type SetupRecord,
  sha256,
  type VerificationKey,
} from './setup/files.ts';
import { keyProblem, readCeremony, readSection, readSections } from './setup/key-file.ts';
import { publishedPower } from './setup/powers-of-tau.ts';
import { transcriptHash } from './setup.ts';
import type { SnarkjsRequest } from './snarkjs-child.ts';

export interface AuditOptions extends ChildOptions {
  /** The powers-of-tau file that the setup names: with it the key is verified point by point. */
  readonly ptau?: string;
  /** Another proving key to check instead of the directory's own. */
  readonly zkey?: string;
}

export interface AuditCheck {
  readonly name: string;
  readonly passed: boolean;
  /** What was found, for people. */
  readonly detail: string;
}

export interface AuditReport {
  /** Every check passed. A development key can pass: its provenance says what it is worth. */
  readonly passed: boolean;
  readonly provenance: string;
  readonly development: boolean;
  /** Whether the key's points were verified against the powers of tau (never for development keys). */
  readonly pointsVerified: boolean;
  readonly checks: readonly AuditCheck[];
}

interface Subject {
  readonly directory: string;
  readonly record: SetupRecord;
  readonly program: Program;
  /** The program's circuit, compiled again, and its file. */
  readonly circuit: CompiledCircuit;
  readonly r1cs: string;
  readonly zkey: string;
  /** Why the file is no key of this circuit, by its sizes. */
  readonly problem: string | undefined;
}

function check(name: string, passed: boolean, detail: string): AuditCheck {
  return { name, passed, detail };
}

async function checkFiles({ directory, record, zkey }: Subject, programHash: string): Promise<AuditCheck[]> {
  const file = (name: string): Promise<string> => hashFile(path.join(directory, name), 'sha256').catch(() => 'missing');
  const key = await file(SETUP_FILES.verificationKey);
  const zkeyHash = await hashFile(zkey, 'sha256').catch(() => 'missing');
  return [
    check(
      'program',
      programHash === record.program,
      `sha256 ${programHash.slice(0, 16)}…, setup.json says ${record.program.slice(0, 16)}…`,
    ),
    check('proving key file', zkeyHash === record.zkey, `sha256 ${zkeyHash.slice(0, 16)}…, setup.json says ${record.zkey.slice(0, 16)}…`),
    check('verification key file', key === record.verificationKey, `sha256 ${key.slice(0, 16)}…`),
  ];
}

/** The circuit of the program, compiled again, against the file and the record. */
async function checkCircuit({ directory, record, circuit, r1cs }: Subject): Promise<AuditCheck[]> {
  const hash = await hashFile(r1cs, 'sha256');
  const own = await hashFile(path.join(directory, SETUP_FILES.r1cs), 'sha256').catch(() => 'missing');
  const { constraints, domain } = circuit.report;
  return [
    check(
      'circuit',
      hash === own && hash === record.r1cs && constraints === record.constraints && domain === record.domain,
      `${constraints} constraints, compiled again: sha256 ${hash.slice(0, 16)}…`,
    ),
    check(
      'public signals',
      record.publicSignals === circuit.layout.count && record.inputForm === circuit.layout.inputForm,
      `${circuit.layout.count} signals, input ${circuit.layout.inputForm}`,
    ),
  ];
}

/** The key's own copy of the A and B parts, row by row. */
async function checkCoefficients({ circuit, zkey }: Subject): Promise<AuditCheck> {
  const coefficients = Buffer.from(await readSection(zkey, await readSections(zkey), 4));
  const same = sameCoefficients(coefficients, circuit);
  return check('key coefficients', same, `${circuit.system.nonzerosAB + circuit.layout.count + 1} terms of A and B`);
}

/** Both sides write the terms in the order of the circuit. */
function sameCoefficients(found: Buffer, circuit: CompiledCircuit): boolean {
  const expected = Buffer.from(coefficientSection(circuit.system));
  return found.length === expected.length && found.equals(expected);
}

/** Undefined for a key with points that have no encoding: at infinity, or with coordinates out of range. */
function keyHashOf(key: unknown): string | undefined {
  try {
    return verificationKeyHash(key as VerificationKey);
  } catch (error) {
    if (error instanceof AssayError) return undefined;
    throw error;
  }
}

async function checkVerificationKey({ directory, record, zkey }: Subject, options: AuditOptions): Promise<AuditCheck[]> {
  const key = await readVerificationKey(directory);
  const request: SnarkjsRequest = { call: 'exportVerificationKey', zkey };
  const exported = await askLingering<unknown>('./snarkjs-child.ts', request, options);
  const hash = keyHashOf(key);
  const same = hash !== undefined && hash === keyHashOf(exported);
  const weakness = await keyWeakness(key);
  return [
    check('verification key', same && record.keyHash === hash, `keyHash ${record.keyHash}`),
    check(
      'key is not trivially forgeable',
      weakness === undefined,
      weakness ?? 'points on their curves, none at infinity, gamma, delta and the generators apart',
    ),
  ];
}

/**
 * Proves a run on random inputs. The weights stand in C, of which a key holds no copy to compare: only a proof shows that they are this
 * program's. (Weights that one run does not touch, of an input that is zero, escape it; `snarkjs zkey verify` lets none escape.)
 */
async function checkProof({ directory, program, zkey }: Subject, options: AuditOptions): Promise<AuditCheck> {
  const inputs = program.instructions
    .slice(0, inputCount(program))
    .map(({ type, length }) => fromBytes(type, randomBytes(ELEMENT_BYTES[type] * length)));
  const { signal, onProgress, memoryMegabytes } = options;
  const job = { directory, inputs, context: 0n, zkey, ...(signal === undefined ? {} : { signal }), onProgress };
  try {
    await prove(job, memoryMegabytes === undefined ? {} : { memoryMegabytes });
    return check('proof', true, 'a run on random inputs, proved with this key, verifies');
  } catch (error) {
    const found = error instanceof AssayError && ['PROOF_REJECTED', 'PROOF_SYSTEM', 'SETUP_STALE'].includes(error.code);
    if (!found) throw error;
    return check('proof', false, `a run on random inputs: ${error.message}`);
  }
}

/** What can be said of the key itself; nothing beyond its form where that is wrong, for snarkjs believes what it reads. */
async function checkKey(subject: Subject, options: AuditOptions): Promise<AuditCheck[]> {
  const { problem } = subject;
  const { wires, domain } = subject.circuit.report;
  const form = check('key form', problem === undefined, problem ?? `${wires} wires, domain ${domain}, every section of its size`);
  if (problem !== undefined) return [form];
  return [form, await checkCoefficients(subject), ...(await checkVerificationKey(subject, options)), await checkProof(subject, options)];
}

async function checkCeremony(subject: Subject, options: AuditOptions): Promise<{ checks: AuditCheck[]; pointsVerified: boolean }> {
  const { record, zkey, r1cs, problem } = subject;
  const { ceremony } = record;
  if (ceremony === undefined) {
    const honest = record.development && record.provenance === ZERO_HASH;
    return { checks: [check('provenance', honest, 'development: whoever made this key can forge proofs')], pointsVerified: false };
  }
  if (problem !== undefined) return { checks: [check('transcript', false, 'the key cannot be read')], pointsVerified: false };
  const found = await readCeremony(zkey, await readSections(zkey));
  const same = ceremonyText({ ...ceremony, ...found }) === ceremonyText(ceremony);
  const proper = ceremony.contributions.length >= 3 && ceremony.contributions.at(-1)?.kind === 'beacon';
  const checks = [
    check('transcript', same && proper, `${ceremony.contributions.map(({ kind, name }) => `${kind} "${name}"`).join(', ')}`),
    check('provenance', record.provenance === transcriptHash(record) && !record.development, record.provenance),
    check(
      'powers of tau',
      ceremony.published === publishedPower(ceremony.powersOfTau),
      ceremony.published === null ? 'not a published file' : `published file ${ceremony.published}`,
    ),
  ];
  if (options.ptau === undefined) return { checks, pointsVerified: false };
  const powers = await hashFile(options.ptau, 'blake2b512');
  checks.push(check('powers-of-tau file', powers === ceremony.powersOfTau, `blake2b ${powers.slice(0, 16)}…`));
  const request: SnarkjsRequest = { call: 'verifyKey', r1cs, ptau: options.ptau, zkey };
  const verified = await runChild<boolean>('./snarkjs-child.ts', request, options);
  checks.push(
    check('snarkjs zkey verify', verified, verified ? 'every point follows from circuit, powers of tau and contributions' : 'refused'),
  );
  return { checks, pointsVerified: verified };
}

/**
 * Checks a model's setup against its program: compiles it again, compares circuit, keys, hashes and provenance, and proves a run; with the
 * powers-of-tau file also checks every point of the key. What a consumer runs before pinning a modelId.
 * Writes nothing. Cost: the compilation, one pass over the files and one proof; with the file, that of the setup's verification.
 * @throws AssayError FILE_MISSING, SETUP_MISSING, SETUP_MALFORMED, KEY_MALFORMED, NOT_IN_ZK_TIER, CANCELLED
 */
export async function auditKey(directory: string, options: AuditOptions = {}): Promise<AuditReport> {
  const { program, programBytes } = await readModelDirectory(directory);
  const record = await readSetupRecord(directory);
  const zkey = options.zkey ?? path.join(directory, SETUP_FILES.zkey);
  if (record === undefined || !(await stat(zkey).catch(() => undefined))?.isFile()) {
    throw new AssayError('There is no complete setup to audit', {
      code: 'SETUP_MISSING',
      facts: { directory },
      fix: 'run `assay setup` first',
    });
  }
  const work = await mkdtemp(path.join(tmpdir(), 'assay-audit-'));
  try {
    const circuit = compileCircuit(program);
    const r1cs = path.join(work, SETUP_FILES.r1cs);
    writeR1cs(r1cs, circuit.system);
    const subject: Subject = { directory, record, zkey, program, circuit, r1cs, problem: await keyProblem(zkey, circuit) };
    const key = await checkKey(subject, options);
    const ceremony = await checkCeremony(subject, options);
    const checks = [...(await checkFiles(subject, sha256(programBytes))), ...(await checkCircuit(subject)), ...key, ...ceremony.checks];
    return {
      passed: checks.every(({ passed }) => passed),
      provenance: record.provenance,
      development: record.development,
      pointsVerified: ceremony.pointsVerified,
      checks,
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
