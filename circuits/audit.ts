import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AssayError } from '../core/errors.ts';
import { ZERO_HASH } from '../core/program/identity.ts';
import { verificationKeyHash } from '../core/zk-encoding.ts';
import { readModelDirectory } from '../runtime/model-directory.ts';
import { askLingering, type ChildOptions, runChild } from './child-process.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { keyWeakness } from './key-weakness.ts';
import { writeR1cs } from './r1cs-file.ts';
import { coefficientSection } from './setup/coefficients.ts';
import { ceremonyText, hashFile, readSetupRecord, readVerificationKey, SETUP_FILES, type SetupRecord, sha256 } from './setup/files.ts';
import { readCeremony, readSection, readSections, readSizes } from './setup/key-file.ts';
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
  readonly circuit: CompiledCircuit;
  readonly zkey: string;
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

/** Compiles the program again and compares every byte of the circuit. */
async function checkCircuit({ directory, record, circuit }: Subject): Promise<AuditCheck[]> {
  const work = await mkdtemp(path.join(tmpdir(), 'assay-audit-'));
  try {
    const again = path.join(work, SETUP_FILES.r1cs);
    writeR1cs(again, circuit.system);
    const hash = await hashFile(again, 'sha256');
    const own = await hashFile(path.join(directory, SETUP_FILES.r1cs), 'sha256').catch(() => 'missing');
    return [
      check(
        'circuit',
        hash === own && hash === record.r1cs,
        `${circuit.report.constraints} constraints, compiled again: sha256 ${hash.slice(0, 16)}…`,
      ),
      check(
        'public signals',
        record.publicSignals === circuit.layout.count && record.inputForm === circuit.layout.inputForm,
        `${circuit.layout.count} signals, input ${circuit.layout.inputForm}`,
      ),
    ];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The key's own copy of the A and B parts, row by row, and its sizes. */
async function checkProvingKey({ circuit, zkey }: Subject): Promise<AuditCheck[]> {
  const sections = await readSections(zkey);
  const { wires, signals, domain } = await readSizes(zkey, sections);
  const sizes = [wires, signals, domain];
  const expected = [circuit.system.wireCount, circuit.layout.count, circuit.report.domain];
  const coefficients = Buffer.from(await readSection(zkey, sections, 4));
  const same = sameCoefficients(coefficients, circuit);
  return [
    check(
      'key sizes',
      sizes.every((size, i) => size === expected[i]),
      `wires, signals, domain: ${sizes.join(', ')}`,
    ),
    check('key coefficients', same, `${circuit.system.nonzerosAB + circuit.layout.count + 1} terms of A and B`),
  ];
}

/** Both sides write the terms in the order of the circuit. */
function sameCoefficients(found: Buffer, circuit: CompiledCircuit): boolean {
  const expected = Buffer.from(coefficientSection(circuit.system));
  return found.length === expected.length && found.equals(expected);
}

async function checkVerificationKey({ directory, record, zkey }: Subject, options: AuditOptions): Promise<AuditCheck[]> {
  const key = await readVerificationKey(directory);
  const request: SnarkjsRequest = { call: 'exportVerificationKey', zkey };
  const exported = await askLingering<unknown>('./snarkjs-child.ts', request, options);
  const same = verificationKeyHash(exported as never) === verificationKeyHash(key);
  const weakness = await keyWeakness(key);
  return [
    check('verification key', same && record.keyHash === verificationKeyHash(key), `keyHash ${record.keyHash}`),
    check(
      'key is not trivially forgeable',
      weakness === undefined,
      weakness ?? 'points on their curves, none at infinity, gamma, delta and the generators apart',
    ),
  ];
}

async function checkCeremony(subject: Subject, options: AuditOptions): Promise<{ checks: AuditCheck[]; pointsVerified: boolean }> {
  const { record, zkey, directory } = subject;
  const { ceremony } = record;
  if (ceremony === undefined) {
    const honest = record.development && record.provenance === ZERO_HASH;
    return { checks: [check('provenance', honest, 'development: whoever made this key can forge proofs')], pointsVerified: false };
  }
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
  const request: SnarkjsRequest = { call: 'verifyKey', r1cs: path.join(directory, SETUP_FILES.r1cs), ptau: options.ptau, zkey };
  const verified = await runChild<boolean>('./snarkjs-child.ts', request, options);
  checks.push(
    check('snarkjs zkey verify', verified, verified ? 'every point follows from circuit, powers of tau and contributions' : 'refused'),
  );
  return { checks, pointsVerified: verified };
}

/**
 * Checks a model's setup against its program: compiles it again and compares circuit, keys, hashes and provenance; with the
 * powers-of-tau file also every point of the key. What a consumer runs before pinning a modelId.
 * Writes nothing. Cost: the compilation and one pass over the files; with the file, that of the setup's verification.
 * @throws AssayError FILE_MISSING, SETUP_MISSING, SETUP_MALFORMED, KEY_MALFORMED, NOT_IN_ZK_TIER
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
  const subject: Subject = { directory, record, zkey, circuit: compileCircuit(program) };
  const ceremony = await checkCeremony(subject, options);
  const checks = [
    ...(await checkFiles(subject, sha256(programBytes))),
    ...(await checkCircuit(subject)),
    ...(await checkProvingKey(subject)),
    ...(await checkVerificationKey(subject, options)),
    ...ceremony.checks,
  ];
  return {
    passed: checks.every(({ passed }) => passed),
    provenance: record.provenance,
    development: record.development,
    pointsVerified: ceremony.pointsVerified,
    checks,
  };
}
