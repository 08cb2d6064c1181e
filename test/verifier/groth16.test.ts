import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { BASE_FIELD, SCALAR_FIELD } from '../../core/zk-encoding.ts';
import { parseProof, parseSignals, parseVerificationKey, verifyGroth16 } from '../../verifier/groth16.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures/proof');
interface ProofJson {
  pi_a: string[];
  pi_b: string[][];
  pi_c: string[];
}
interface KeyJson {
  vk_alpha_1: string[];
  vk_beta_2: string[][];
  vk_gamma_2: string[][];
  vk_delta_2: string[][];
  IC: string[][];
  nPublic: number;
}
const read = <Json>(name: string): Json => JSON.parse(readFileSync(path.join(fixtures, name), 'utf8')) as Json;
const proofJson = read<ProofJson>('proof.json');
const signalsJson = read<string[]>('proof.public.json');
const keyJson = read<KeyJson>('verification_key.json');

function verdict(changes: { proof?: Partial<ProofJson>; signals?: string[]; key?: Partial<KeyJson> } = {}): boolean | string {
  try {
    return verifyGroth16(
      parseVerificationKey({ ...keyJson, ...changes.key }),
      parseSignals(changes.signals ?? signalsJson),
      parseProof({ ...proofJson, ...changes.proof }),
    );
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
}

const plus = (text: string, n: bigint): string => (BigInt(text) + n).toString();
const negated = ([x, y, z]: string[]): string[] => [x!, (BASE_FIELD - BigInt(y!)).toString(), z!];

describe('verifyGroth16', () => {
  it('holds for what snarkjs proved', () => expect(verdict()).toBe(true));

  it.each(signalsJson.map((_, i) => i))('fails with another signal %i', (i) => {
    expect(verdict({ signals: signalsJson.map((signal, j) => (i === j ? plus(signal, 1n) : signal)) })).toBe(false);
  });

  it('fails with signals missing, superfluous or swapped', () => {
    expect(verdict({ signals: signalsJson.slice(0, -1) })).toBe(false);
    expect(verdict({ signals: [...signalsJson, '0'] })).toBe(false);
    expect(verdict({ signals: [...signalsJson.slice(1), signalsJson[0]!] })).toBe(false);
  });

  it('refuses a signal that is another spelling of the same one', () => {
    const at = signalsJson.length - 1;
    const spelled = signalsJson.map((signal, i) => (i === at ? plus(signal, SCALAR_FIELD) : signal));
    expect(verdict({ signals: spelled })).toBe('PROOF_MALFORMED');
    expect(verdict({ signals: signalsJson.map((signal) => `0${signal}`) })).toBe('PROOF_MALFORMED');
    expect(verdict({ signals: signalsJson.map(() => '-1') })).toBe('PROOF_MALFORMED');
  });

  it('fails with any part of the proof negated or replaced', () => {
    expect(verdict({ proof: { pi_a: negated(proofJson.pi_a) } })).toBe(false);
    expect(verdict({ proof: { pi_c: negated(proofJson.pi_c) } })).toBe(false);
    expect(verdict({ proof: { pi_a: proofJson.pi_c } })).toBe(false);
    expect(verdict({ proof: { pi_b: keyJson.vk_beta_2 } })).toBe(false);
  });

  it('refuses points off the curve, at infinity, or with coordinates out of range', () => {
    const [x, y] = proofJson.pi_a as [string, string];
    expect(verdict({ proof: { pi_a: [plus(x, 1n), y, '1'] } })).toBe('PROOF_MALFORMED');
    expect(verdict({ proof: { pi_a: ['0', '1', '0'] } })).toBe('PROOF_MALFORMED');
    expect(verdict({ proof: { pi_a: [plus(x, BASE_FIELD), y, '1'] } })).toBe('PROOF_MALFORMED');
    const [[bx, by], ...rest] = proofJson.pi_b as [[string, string], ...string[][]];
    expect(verdict({ proof: { pi_b: [[plus(bx, 1n), by], ...rest] } })).toBe('PROOF_MALFORMED');
  });

  it('refuses a point of the twist that is outside the subgroup', () => {
    // x = 1 + 0·u: on the twist y² = x³ + 3/(9 + u), of another order (its y by a square root in the quadratic field).
    expect(verdict({ proof: { pi_b: OUTSIDE } })).toBe('PROOF_MALFORMED');
  });

  it('fails with another key, and refuses one whose points do not match its count', () => {
    expect(verdict({ key: { vk_alpha_1: negated(keyJson.vk_alpha_1) } })).toBe(false);
    expect(verdict({ key: { vk_delta_2: keyJson.vk_gamma_2 } })).toBe(false);
    expect(verdict({ key: { IC: [...keyJson.IC].reverse() } })).toBe(false);
    expect(verdict({ key: { IC: keyJson.IC.slice(1) } })).toBe('PROOF_MALFORMED');
    expect(verdict({ key: { nPublic: keyJson.nPublic + 1 } })).toBe('PROOF_MALFORMED');
  });

  it.each([null, 1, 'proof', [], {}, { ...proofJson, protocol: 'plonk' }, { ...proofJson, curve: 'bls12381' }])(
    'refuses %j as a proof',
    (json) => {
      expect(() => parseProof(json)).toThrow(AssayError);
    },
  );
});

const OUTSIDE: string[][] = outsideSubgroup();

/** Some point on the twist that is not in the group of the pairing: nearly every point is. */
function outsideSubgroup(): string[][] {
  const p = BASE_FIELD;
  type F2 = readonly [bigint, bigint];
  const mod = (a: bigint): bigint => ((a % p) + p) % p;
  const mul = ([a, b]: F2, [c, d]: F2): F2 => [mod(a * c - b * d), mod(a * d + b * c)];
  const power = (base: bigint, exponent: bigint): bigint => {
    let result = 1n;
    for (let [b, e] = [mod(base), exponent]; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b);
    return result;
  };
  const root = (a: bigint): bigint | undefined => {
    const r = power(a, (p + 1n) / 4n);
    return mod(r * r) === mod(a) ? r : undefined;
  };
  // 3/(9 + u) = 3·(9 − u)/82
  const inverse82 = power(82n, p - 2n);
  const b: F2 = [mod(27n * inverse82), mod(-3n * inverse82)];
  for (let x = 1n; ; x++) {
    const [c0, c1]: F2 = [mod(x * x * x + b[0]), b[1]];
    // Square root of c0 + c1·u: needs the norm to be a square.
    const norm = root(mod(c0 * c0 + c1 * c1));
    if (norm === undefined) continue;
    for (const n of [norm, mod(-norm)]) {
      const y0 = root(mod((c0 + n) * power(2n, p - 2n)));
      if (y0 === undefined || y0 === 0n) continue;
      const y1 = mod(c1 * power(2n * y0, p - 2n));
      const [s0, s1] = mul([y0, y1], [y0, y1]);
      if (s0 === c0 && s1 === c1)
        return [
          [x.toString(), '0'],
          [y0.toString(), y1.toString()],
          ['1', '0'],
        ];
    }
  }
}
