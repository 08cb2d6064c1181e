import { bn254 } from '@noble/curves/bn254.js';
import { z } from 'zod';
import { AssayError } from '../core/errors.ts';

const { Fp, Fp2, Fp12, Fr } = bn254.fields;
type G1 = typeof bn254.G1.Point.BASE;
type G2 = typeof bn254.G2.Point.BASE;

const MAX_SIGNALS = 4096;
const decimal = z.string().regex(/^(0|[1-9][0-9]{0,77})$/);
const g1Schema = z.tuple([decimal, decimal, decimal]);
const pair = z.tuple([decimal, decimal]);
const g2Schema = z.tuple([pair, pair, pair]);
const proofSchema = z.object({ pi_a: g1Schema, pi_b: g2Schema, pi_c: g1Schema, protocol: z.literal('groth16'), curve: z.literal('bn128') });
const keySchema = z.object({
  protocol: z.literal('groth16'),
  curve: z.literal('bn128'),
  nPublic: z.int().min(1).max(MAX_SIGNALS),
  vk_alpha_1: g1Schema,
  vk_beta_2: g2Schema,
  vk_gamma_2: g2Schema,
  vk_delta_2: g2Schema,
  IC: z
    .array(g1Schema)
    .min(2)
    .max(MAX_SIGNALS + 1),
});
const signalsSchema = z.array(decimal).min(1).max(MAX_SIGNALS);

export interface VerificationKey {
  readonly alpha: G1;
  readonly beta: G2;
  readonly gamma: G2;
  readonly delta: G2;
  /** One point a public signal, after the constant one. */
  readonly inputs: readonly G1[];
}

export interface Proof {
  readonly a: G1;
  readonly b: G2;
  readonly c: G1;
}

function malformed(what: string, why: string): never {
  throw new AssayError(`The ${what} is malformed: ${why}`, {
    code: 'PROOF_MALFORMED',
    facts: { file: what },
    fix: 'give the JSON that snarkjs and `assay prove` or `assay setup` write',
  });
}

function coordinate(what: string, text: string): bigint {
  const value = BigInt(text);
  if (value >= Fp.ORDER) malformed(what, 'a coordinate is not below the field prime');
  return value;
}

/** On the curve (which for G1 is the whole group), and not the point at infinity. */
function parseG1(what: string, [x, y, z]: z.infer<typeof g1Schema>): G1 {
  if (z !== '1') malformed(what, 'a point is at infinity or not affine');
  const point = bn254.G1.Point.fromAffine({ x: coordinate(what, x), y: coordinate(what, y) });
  try {
    point.assertValidity();
  } catch {
    malformed(what, 'a point is not on the curve');
  }
  return point;
}

/** On the twist, in the subgroup of the right order (the twist has others), and not the point at infinity. */
function parseG2(what: string, [x, y, z]: z.infer<typeof g2Schema>): G2 {
  if (z[0] !== '1' || z[1] !== '0') malformed(what, 'a point is at infinity or not affine');
  const element = ([c0, c1]: [string, string]) => Fp2.fromBigTuple([coordinate(what, c0), coordinate(what, c1)]);
  const point = bn254.G2.Point.fromAffine({ x: element(x), y: element(y) });
  try {
    point.assertValidity();
  } catch {
    // Checks the subgroup too.
    malformed(what, 'a point is not on the curve or not in its subgroup of the right order');
  }
  return point;
}

function parse<Schema extends z.ZodType>(what: string, schema: Schema, json: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return malformed(what, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'wrong form'}`);
}

/** snarkjs's verification_key.json. @throws AssayError PROOF_MALFORMED */
export function parseVerificationKey(json: unknown): VerificationKey {
  const what = 'verification key';
  const key = parse(what, keySchema, json);
  if (key.IC.length !== key.nPublic + 1) malformed(what, 'the number of points does not match nPublic');
  return {
    alpha: parseG1(what, key.vk_alpha_1),
    beta: parseG2(what, key.vk_beta_2),
    gamma: parseG2(what, key.vk_gamma_2),
    delta: parseG2(what, key.vk_delta_2),
    inputs: key.IC.map((point) => parseG1(what, point)),
  };
}

/** snarkjs's proof.json. @throws AssayError PROOF_MALFORMED */
export function parseProof(json: unknown): Proof {
  const what = 'proof';
  const proof = parse(what, proofSchema, json);
  return { a: parseG1(what, proof.pi_a), b: parseG2(what, proof.pi_b), c: parseG1(what, proof.pi_c) };
}

/** snarkjs's public.json: decimal field elements, each below the scalar prime. @throws AssayError PROOF_MALFORMED */
export function parseSignals(json: unknown): bigint[] {
  const what = 'list of public signals';
  return parse(what, signalsSchema, json).map((text) => {
    const value = BigInt(text);
    if (value >= Fr.ORDER) malformed(what, 'a signal is not below the scalar prime');
    return value;
  });
}

/**
 * Groth16 verification in plain TypeScript: e(−A, B)·e(α, β)·e(Σ, γ)·e(C, δ) = 1. About 40 ms.
 * @param signals context first, then inputs, then outputs; as many as the key has
 * @returns false for a proof that does not hold, and for a wrong number of signals
 */
export function verifyGroth16(key: VerificationKey, signals: readonly bigint[], proof: Proof): boolean {
  if (signals.length + 1 !== key.inputs.length) return false;
  let sum = key.inputs[0]!;
  for (const [i, signal] of signals.entries()) if (signal !== 0n) sum = sum.add(key.inputs[i + 1]!.multiplyUnsafe(signal));
  const terms = [
    { g1: proof.a.negate(), g2: proof.b },
    { g1: key.alpha, g2: key.beta },
    { g1: sum, g2: key.gamma },
    { g1: proof.c, g2: key.delta },
  ].filter(({ g1 }) => !g1.is0());
  return Fp12.eql(bn254.pairingBatch(terms), Fp12.ONE);
}
