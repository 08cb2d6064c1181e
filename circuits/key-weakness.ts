import { buildBn128, type Curve, type WasmCurveGroup } from 'ffjavascript';
import { encodeVerificationKey, SCALAR_FIELD } from '../core/zk-encoding.ts';
import type { VerificationKey } from './setup/files.ts';

let curve: Promise<Curve> | undefined;

/** On the curve and in the subgroup of the right order (which for G2 is not the whole curve). */
function inGroup(group: WasmCurveGroup, point: unknown): boolean {
  try {
    const affine = group.fromObject(point);
    return group.isValid(affine) && group.isZero(group.timesScalar(affine, SCALAR_FIELD));
  } catch {
    return false;
  }
}

const toBig = (point: unknown): unknown => (Array.isArray(point) ? point.map(toBig) : BigInt(point as string));
const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Why a verification key could be forged by anybody, or undefined: a point off its curve, at infinity or with coordinates out of
 * range; two points the same, up to sign, whose terms of the equation then cancel each other. What the contract refuses as well
 * (`VerificationKey.sol`). Says nothing of a key whose secrets somebody kept: only its provenance does. Runs on one thread: needs no
 * child process.
 */
export async function keyWeakness(key: VerificationKey): Promise<string | undefined> {
  try {
    encodeVerificationKey(key);
  } catch {
    return 'a point is at infinity or has coordinates out of range';
  }
  curve ??= buildBn128(true);
  const { G1, G2 } = await curve;
  const points1 = [key.vk_alpha_1, ...key.IC];
  const points2 = [key.vk_beta_2, key.vk_gamma_2, key.vk_delta_2];
  if (!points1.every((point) => inGroup(G1, toBig(point)))) return 'a point of G1 is off the curve';
  if (!points2.every((point) => inGroup(G2, toBig(point)))) return 'a point of G2 is off the curve or outside the group';
  const generator = G2.toObject(G2.toAffine(G2.g)).map((pair) => (pair as unknown as bigint[]).map(String));
  // Equal x means equal or opposite points: either gives the secret away.
  const sameX = (a: readonly (readonly string[])[], b: readonly (readonly string[])[]): boolean => equal(a[0], b[0]);
  const { vk_alpha_1: alpha, vk_beta_2: beta, vk_gamma_2: gamma, vk_delta_2: delta } = key;
  if (alpha[0] === '1') return 'alpha is the generator';
  if (sameX(delta, gamma)) return 'delta is gamma';
  if (sameX(delta, generator)) return 'delta is the generator: the key has no contribution';
  if (sameX(beta, generator)) return 'beta is the generator';
  if (sameX(beta, gamma)) return 'beta is gamma';
  if (sameX(beta, delta)) return 'beta is delta';
  return undefined;
}
