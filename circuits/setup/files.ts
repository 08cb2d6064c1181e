import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { AssayError } from '../../core/errors.ts';

/** What `assay setup` adds to a model's directory. setup.json comes last: with it the setup is complete. */
export const SETUP_FILES = {
  r1cs: 'circuit.r1cs',
  zkey: 'proving.zkey',
  verificationKey: 'verification_key.json',
  setup: 'setup.json',
} as const;

const RECORD_LIMIT = 1 << 20;
const hex = (bytes: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const hash = z.string().regex(/^0x[0-9a-f]{64}$/);

const contributionSchema = z.strictObject({
  kind: z.enum(['contribution', 'beacon']),
  name: z.string().max(64),
  /** blake2b-512 over all contributions so far, as snarkjs writes it. */
  transcript: hex(64),
  beacon: z.string().max(510).optional(),
  iterationsExponent: z.int().min(10).max(63).optional(),
});

const ceremonySchema = z.strictObject({
  /** blake2b-512 of the powers-of-tau file, and its number in the published series when it is one of them. */
  powersOfTau: hex(64),
  published: z.int().min(8).max(28).nullable(),
  /** snarkjs's hash of the circuit and the first key. */
  circuit: hex(64),
  contributions: z.array(contributionSchema).max(1024),
});

const recordSchema = z.strictObject({
  version: z.literal(1),
  /** Zero: development. Otherwise keccak of the transcript. Part of the model's identity. */
  provenance: hash,
  development: z.boolean(),
  keyHash: hash,
  inputForm: z.enum(['packed', 'commitment']),
  publicSignals: z.int().min(1),
  constraints: z.int().min(1),
  domain: z.int().min(1),
  /** sha256 of the files. */
  program: hex(32),
  r1cs: hex(32),
  zkey: hex(32),
  verificationKey: hex(32),
  ceremony: ceremonySchema.optional(),
});

export type Contribution = z.infer<typeof contributionSchema>;
export type Ceremony = z.infer<typeof ceremonySchema>;
/** setup.json: how a key was made, and which files it belongs to. */
export type SetupRecord = z.infer<typeof recordSchema>;

/** One spelling of a ceremony, members in the order of the schema: what its transcript hashes. */
export function ceremonyText(ceremony: unknown): string {
  return JSON.stringify(ceremonySchema.parse(ceremony));
}

/** Hash of a file of any size, streamed. */
export async function hashFile(file: string, algorithm: 'sha256' | 'blake2b512'): Promise<string> {
  const hasher = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hasher.update(chunk as Uint8Array);
  return hasher.digest('hex');
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Text of a small file, undefined where there is none. @throws AssayError SETUP_MALFORMED for a large one */
async function readBounded(file: string): Promise<string | undefined> {
  try {
    const { size } = await stat(file);
    if (size > RECORD_LIMIT) throw malformed(file, `it has ${size} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads setup.json; undefined when there is none. @throws AssayError SETUP_MALFORMED */
export async function readSetupRecord(directory: string): Promise<SetupRecord | undefined> {
  const file = path.join(directory, SETUP_FILES.setup);
  const text = await readBounded(file);
  if (text === undefined) return undefined;
  return parseOrRefuse(recordSchema, text, file);
}

const point1 = z.array(z.string().regex(/^\d{1,78}$/)).length(3);
const point2 = z.array(z.array(z.string().regex(/^\d{1,78}$/)).length(2)).length(3);
const verificationKeySchema = z.looseObject({
  protocol: z.literal('groth16'),
  curve: z.literal('bn128'),
  nPublic: z.int().min(1),
  vk_alpha_1: point1,
  vk_beta_2: point2,
  vk_gamma_2: point2,
  vk_delta_2: point2,
  IC: z
    .array(point1)
    .min(2)
    .max(1 << 16),
});
export type VerificationKey = z.infer<typeof verificationKeySchema>;

const proofSchema = z.looseObject({
  protocol: z.literal('groth16'),
  curve: z.literal('bn128'),
  pi_a: point1,
  pi_b: point2,
  pi_c: point1,
});
/** snarkjs's proof.json. */
export type Proof = z.infer<typeof proofSchema>;
const signalsSchema = z.array(z.string().regex(/^\d{1,78}$/)).max(1 << 16);

function parseOrRefuse<T>(schema: z.ZodType<T>, text: string, file: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw malformed(file, parsed.error.issues[0]?.message ?? 'unknown');
}

function malformed(file: string, problem: string): AssayError {
  return new AssayError('A file of the setup does not have the right form', {
    code: 'SETUP_MALFORMED',
    facts: { file, problem },
    fix: 'run `assay setup` again, or give the file that `assay prove` wrote',
  });
}

export function parseVerificationKey(text: string, file: string): VerificationKey {
  return parseOrRefuse(verificationKeySchema, text, file);
}

export function parseProof(text: string, file: string): Proof {
  return parseOrRefuse(proofSchema, text, file);
}

export function parseSignals(text: string, file: string): string[] {
  return parseOrRefuse(signalsSchema, text, file);
}

/** Reads verification_key.json. @throws AssayError SETUP_MISSING, SETUP_MALFORMED */
export async function readVerificationKey(directory: string): Promise<VerificationKey> {
  const file = path.join(directory, SETUP_FILES.verificationKey);
  const text = await readBounded(file);
  if (text === undefined) throw missingSetup(directory);
  return parseVerificationKey(text, file);
}

export function missingSetup(directory: string): AssayError {
  return new AssayError('This model has no proving key', {
    code: 'SETUP_MISSING',
    facts: { directory },
    fix: 'run `assay setup DIR --ptau FILE`, or `--dev` for a key that proves nothing to strangers',
  });
}
