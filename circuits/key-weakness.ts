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
 * range; delta equal to gamma or to the generator (then the public part can be cancelled or no setup was made). Says nothing of a key
 * whose secrets somebody kept: only its provenance does. Runs on one thread: needs no child process.
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
  if (equal(key.vk_delta_2, key.vk_gamma_2)) return 'delta equals gamma';
  if (equal(key.vk_delta_2, generator)) return 'delta is the generator: the key has no contribution';
  if (equal(key.vk_beta_2, generator) || equal(key.vk_beta_2, key.vk_gamma_2) || equal(key.vk_beta_2, key.vk_delta_2))
    return 'beta equals another point';
  return undefined;
}
