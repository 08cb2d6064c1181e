import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AssayError } from '../core/errors.ts';
import { keccak256, toHash } from '../core/keccak.ts';
import { ZERO_HASH } from '../core/program/identity.ts';
import { verificationKeyHash } from '../core/zk-encoding.ts';
import { readModelDirectory } from '../runtime/model-directory.ts';
import { askLingering, type ChildOptions, runChild } from './child-process.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { writeR1cs } from './r1cs-file.ts';
import { writeDevelopmentKey } from './setup/development-key.ts';
import {
  type Ceremony,
  ceremonyText,
  hashFile,
  parseVerificationKey,
  readSetupRecord,
  SETUP_FILES,
  type SetupRecord,
  sha256,
} from './setup/files.ts';
import { keyProblem, readCeremony, readSections, requireKeyForm } from './setup/key-file.ts';
import { publishedPower } from './setup/powers-of-tau.ts';
import { withWork } from './setup/work.ts';
import type { SnarkjsRequest } from './snarkjs-child.ts';

export interface SetupOptions extends ChildOptions {
  /** Keeps development keys by content hash of their circuit, across models and directories. */
  readonly cacheDirectory?: string;
}

export interface CeremonyOptions extends ChildOptions {
  /** Who contributes, in order; at least two. One machine playing all of them is only as good as that machine. */
  readonly contributors?: readonly string[];
  /** Public randomness fixed after the last contribution, 1 to 255 bytes of hex, and its hash iterations as a power of two (10 to 63). */
  readonly beacon: { readonly hash: string; readonly iterationsExponent: number };
  /** Accepts a powers-of-tau file that is not one of the published ones; the transcript says so. */
  readonly allowUnpublished?: boolean;
}

const SNARKJS = './snarkjs-child.ts';

function snarkjs<Result>(request: SnarkjsRequest, options: ChildOptions): Promise<Result> {
  return runChild<Result>(SNARKJS, request, options);
}

/** keccak of the canonical JSON of everything that happened: ceremony, circuit and key. */
export function transcriptHash(record: Pick<SetupRecord, 'ceremony' | 'r1cs' | 'zkey' | 'keyHash'>): string {
  const { ceremony, r1cs, zkey, keyHash } = record;
  const text = `{"version":1,"r1cs":"${r1cs}","zkey":"${zkey}","keyHash":"${keyHash}","ceremony":${ceremonyText(ceremony)}}`;
  return toHash(keccak256(new TextEncoder().encode(text)));
}

/** Describes the finished files in `work` and moves them into the model's directory, the record last. */
async function publish(
  directory: string,
  work: string,
  circuit: CompiledCircuit,
  programHash: string,
  ceremony: Ceremony | undefined,
): Promise<SetupRecord> {
  const keyText = await readFile(path.join(work, SETUP_FILES.verificationKey), 'utf8');
  const key = parseVerificationKey(keyText, SETUP_FILES.verificationKey);
  const files = {
    r1cs: await hashFile(path.join(work, SETUP_FILES.r1cs), 'sha256'),
    zkey: await hashFile(path.join(work, SETUP_FILES.zkey), 'sha256'),
    keyHash: verificationKeyHash(key),
  };
  const record: SetupRecord = {
    version: 1,
    provenance: ceremony === undefined ? ZERO_HASH : transcriptHash({ ...files, ceremony }),
    development: ceremony === undefined,
    keyHash: files.keyHash,
    inputForm: circuit.layout.inputForm,
    publicSignals: circuit.layout.count,
    constraints: circuit.report.constraints,
    domain: circuit.report.domain,
    program: programHash,
    r1cs: files.r1cs,
    zkey: files.zkey,
    verificationKey: sha256(new TextEncoder().encode(keyText)),
    ...(ceremony === undefined ? {} : { ceremony }),
  };
  await rm(path.join(directory, SETUP_FILES.setup), { force: true });
  for (const name of [SETUP_FILES.r1cs, SETUP_FILES.zkey, SETUP_FILES.verificationKey])
    await rename(path.join(work, name), path.join(directory, name));
  await writeFile(path.join(work, SETUP_FILES.setup), `${JSON.stringify(record, null, 2)}\n`);
  await rename(path.join(work, SETUP_FILES.setup), path.join(directory, SETUP_FILES.setup));
  return record;
}

async function exportVerificationKey(work: string, options: ChildOptions): Promise<void> {
  const key = await askLingering<unknown>(SNARKJS, { call: 'exportVerificationKey', zkey: path.join(work, SETUP_FILES.zkey) }, options);
  await writeFile(path.join(work, SETUP_FILES.verificationKey), `${JSON.stringify(key, null, 1)}\n`);
}

/** The directory's complete setup of this very program with unchanged files, or undefined. */
async function existingSetup(directory: string, programHash: string): Promise<SetupRecord | undefined> {
  const record = await readSetupRecord(directory).catch(() => undefined);
  if (record === undefined || record.program !== programHash) return undefined;
  const matches = async (name: string, hash: string): Promise<boolean> => {
    const file = path.join(directory, name);
    const found = await stat(file).catch(() => undefined);
    return found?.isFile() === true && (await hashFile(file, 'sha256')) === hash;
  };
  const complete =
    (await matches(SETUP_FILES.zkey, record.zkey)) &&
    (await matches(SETUP_FILES.r1cs, record.r1cs)) &&
    (await matches(SETUP_FILES.verificationKey, record.verificationKey));
  return complete ? record : undefined;
}

async function makeDevelopmentKey(work: string, circuit: CompiledCircuit, options: SetupOptions): Promise<void> {
  const zkey = path.join(work, SETUP_FILES.zkey);
  const cached =
    options.cacheDirectory === undefined
      ? undefined
      : path.join(options.cacheDirectory, `${await hashFile(path.join(work, SETUP_FILES.r1cs), 'sha256')}.zkey`);
  const isThere = cached !== undefined && (await stat(cached).catch(() => undefined))?.isFile() === true;
  if (isThere && (await keyProblem(cached, circuit)) === undefined) {
    await copyFile(cached, zkey);
    return;
  }
  await writeDevelopmentKey(zkey, circuit.system, options);
  if (cached === undefined || options.cacheDirectory === undefined) return;
  await mkdir(options.cacheDirectory, { recursive: true });
  const temporary = `${cached}.${randomBytes(6).toString('hex')}.part`;
  await copyFile(zkey, temporary);
  await rename(temporary, cached);
}

/**
 * Makes a development key for the model in `directory`: fast, and worth nothing to strangers, since whoever ran it could have kept the
 * secrets. Its provenance is zero, which is part of the model's identity. A complete setup of the same program is kept as it is.
 * Writes circuit.r1cs, proving.zkey, verification_key.json, setup.json. Cost: about 20 s for 2^17 constraints on two cores.
 * @throws AssayError NOT_IN_ZK_TIER, FILE_MISSING, SETUP_RUNNING, CANCELLED
 */
export async function setupDevelopment(directory: string, options: SetupOptions = {}): Promise<SetupRecord> {
  const { program, programBytes } = await readModelDirectory(directory);
  const programHash = sha256(programBytes);
  const existing = await existingSetup(directory, programHash);
  if (existing?.development) return existing;
  options.onProgress?.({ phase: 'compile circuit', done: 0, total: 1 });
  const circuit = compileCircuit(program);
  return withWork(directory, async (work) => {
    writeR1cs(path.join(work, SETUP_FILES.r1cs), circuit.system);
    await makeDevelopmentKey(work, circuit, options);
    await exportVerificationKey(work, options);
    return publish(directory, work, circuit, programHash, undefined);
  });
}

function requireCeremonyOptions({ contributors = [], beacon }: CeremonyOptions): readonly string[] {
  const names = contributors.length === 0 ? ['first contribution', 'second contribution'] : contributors;
  const valid =
    names.length >= 2 &&
    /^([0-9a-f]{2}){1,255}$/i.test(beacon.hash) &&
    Number.isInteger(beacon.iterationsExponent) &&
    beacon.iterationsExponent >= 10 &&
    beacon.iterationsExponent <= 63;
  if (valid) return names;
  throw new AssayError('A setup needs at least two contributions and a beacon', {
    code: 'CEREMONY_OPTIONS',
    facts: { contributions: names.length, beacon: beacon.hash, iterationsExponent: beacon.iterationsExponent },
    fix: 'give a beacon of 1 to 255 bytes of hex, with 10 to 63 as the exponent of its iterations',
  });
}

/** @throws AssayError PTAU_UNKNOWN unless the file is one of the published ones or others are allowed */
async function identifyPowersOfTau(file: string, allowUnpublished: boolean): Promise<{ powersOfTau: string; published: number | null }> {
  const powersOfTau = await hashFile(file, 'blake2b512');
  const published = publishedPower(powersOfTau);
  if (published !== null || allowUnpublished) return { powersOfTau, published };
  throw new AssayError('This powers-of-tau file is not one of the published ones', {
    code: 'PTAU_UNKNOWN',
    facts: { file, blake2b: powersOfTau.slice(0, 16) },
    fix: 'download powersOfTau28_hez_final_NN.ptau again, or say that you trust this one (`assay setup --allow-unpublished`)',
  });
}

async function contributeAll(work: string, names: readonly string[], { beacon, ...options }: CeremonyOptions): Promise<void> {
  const step = (i: number): string => path.join(work, `${i}.zkey`);
  for (const [i, name] of names.entries()) {
    // The library mixes this with its own randomness; nothing of it is kept.
    const entropy = randomBytes(64).toString('hex');
    await snarkjs({ call: 'contribute', from: step(i), to: step(i + 1), name, entropy }, options);
    await rm(step(i));
  }
  const last = { from: step(names.length), to: path.join(work, SETUP_FILES.zkey) };
  await snarkjs({ call: 'beacon', ...last, name: 'beacon', hash: beacon.hash, iterations: beacon.iterationsExponent }, options);
  await rm(last.from);
}

/**
 * Makes a real key from a prepared powers-of-tau file: first key, contributions, beacon, then snarkjs's full verification. Provenance is
 * the hash of the transcript. Sound unless every contributor (and those of the powers of tau) kept and pooled their secrets.
 * An interrupted setup leaves no setup.json and starts over. Cost: minutes from 2^14 on.
 * @throws AssayError PTAU_UNKNOWN, CEREMONY_OPTIONS, KEY_REFUSED, NOT_IN_ZK_TIER, SETUP_RUNNING, CANCELLED
 */
export async function setupFromPtau(directory: string, ptauFile: string, options: CeremonyOptions): Promise<SetupRecord> {
  const names = requireCeremonyOptions(options);
  const { program, programBytes } = await readModelDirectory(directory);
  const programHash = sha256(programBytes);
  const powers = await identifyPowersOfTau(ptauFile, options.allowUnpublished === true);
  const existing = await existingSetup(directory, programHash);
  if (existing?.ceremony?.powersOfTau === powers.powersOfTau) return existing;
  const circuit = compileCircuit(program);
  return withWork(directory, async (work) => {
    const r1cs = path.join(work, SETUP_FILES.r1cs);
    writeR1cs(r1cs, circuit.system);
    await snarkjs({ call: 'newZKey', r1cs, ptau: ptauFile, zkey: path.join(work, '0.zkey') }, options);
    await contributeAll(work, names, options);
    return adopt(directory, work, circuit, programHash, ptauFile, powers, options);
  });
}

/**
 * Takes over a key that others made for this model's circuit (a ceremony of many machines with `snarkjs zkey contribute`), after the
 * same full verification. @throws AssayError KEY_REFUSED, KEY_MALFORMED, PTAU_UNKNOWN, SETUP_RUNNING
 */
export async function setupFromKey(
  directory: string,
  files: { readonly ptau: string; readonly zkey: string },
  options: Omit<CeremonyOptions, 'beacon' | 'contributors'> = {},
): Promise<SetupRecord> {
  const { program, programBytes } = await readModelDirectory(directory);
  const powers = await identifyPowersOfTau(files.ptau, options.allowUnpublished === true);
  const circuit = compileCircuit(program);
  return withWork(directory, async (work) => {
    writeR1cs(path.join(work, SETUP_FILES.r1cs), circuit.system);
    const zkey = path.join(work, SETUP_FILES.zkey);
    await copyFile(files.zkey, zkey);
    // It comes from elsewhere, and snarkjs believes what it reads.
    await requireKeyForm(zkey, circuit);
    return adopt(directory, work, circuit, sha256(programBytes), files.ptau, powers, options);
  });
}

async function adopt(
  directory: string,
  work: string,
  circuit: CompiledCircuit,
  programHash: string,
  ptau: string,
  powers: { powersOfTau: string; published: number | null },
  options: ChildOptions,
): Promise<SetupRecord> {
  const zkey = path.join(work, SETUP_FILES.zkey);
  const verified = await snarkjs<boolean>({ call: 'verifyKey', r1cs: path.join(work, SETUP_FILES.r1cs), ptau, zkey }, options);
  const { circuit: circuitHash, contributions } = await readCeremony(zkey, await readSections(zkey));
  const beacon = contributions.at(-1)?.kind === 'beacon';
  if (!verified || contributions.length < 3 || !beacon) {
    throw new AssayError('The key does not follow from this circuit, the powers of tau and a proper ceremony', {
      code: 'KEY_REFUSED',
      facts: { verified, contributions: contributions.length, endsWithBeacon: beacon },
      fix: 'make the key again: at least two contributions, then a beacon',
    });
  }
  await exportVerificationKey(work, options);
  const ceremony: Ceremony = { ...powers, circuit: circuitHash, contributions: [...contributions] };
  return publish(directory, work, circuit, programHash, ceremony);
}
