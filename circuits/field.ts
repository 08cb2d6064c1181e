/** The scalar field of BN254 (alt_bn128): the field of circuits, witnesses and public signals. */
export const FIELD_PRIME = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
/** Bytes of a field element in the iden3 file formats, little-endian. */
export const FIELD_BYTES = 32;
/** The multiplicative group has a subgroup of order 2^28. */
export const TWO_ADICITY = 28;

/** The representative in [0, p). */
export function reduce(value: bigint): bigint {
  const rest = value % FIELD_PRIME;
  return rest < 0n ? rest + FIELD_PRIME : rest;
}

/** The representative nearest to zero, in (−p/2, p/2): how small negative integers are read back. */
export function centered(value: bigint): bigint {
  const residue = reduce(value);
  return residue > FIELD_PRIME / 2n ? residue - FIELD_PRIME : residue;
}

export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = reduce(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % FIELD_PRIME;
    square = (square * square) % FIELD_PRIME;
  }
  return result;
}

/** Inverse of a nonzero element, by the extended Euclidean algorithm. @throws RangeError for zero */
export function inverse(value: bigint): bigint {
  let [previous, rest] = [FIELD_PRIME, reduce(value)];
  if (rest === 0n) throw new RangeError('zero has no inverse');
  let [before, now] = [0n, 1n];
  while (rest > 1n) {
    const quotient = previous / rest;
    [previous, rest] = [rest, previous - quotient * rest];
    [before, now] = [now, before - quotient * now];
  }
  return reduce(now);
}

/** Inverses of many nonzero elements for one inversion and three products each. */
export function inverses(values: readonly bigint[]): bigint[] {
  const prefix: bigint[] = [];
  let product = 1n;
  for (const value of values) {
    prefix.push(product);
    product = (product * value) % FIELD_PRIME;
  }
  let rest = inverse(product);
  const out = new Array<bigint>(values.length);
  for (let i = values.length - 1; i >= 0; i--) {
    out[i] = (rest * prefix[i]!) % FIELD_PRIME;
    rest = (rest * values[i]!) % FIELD_PRIME;
  }
  return out;
}

/** A generator of the subgroup of order 2^bits, the same as snarkjs's (5 is its least non-residue). */
export function rootOfUnity(bits: number): bigint {
  return power(5n, (FIELD_PRIME - 1n) >> BigInt(bits));
}

/** Writes an element of [0, p) as 32 little-endian bytes. */
export function writeField(view: DataView, offset: number, value: bigint): void {
  view.setBigUint64(offset, value & 0xffffffffffffffffn, true);
  view.setBigUint64(offset + 8, (value >> 64n) & 0xffffffffffffffffn, true);
  view.setBigUint64(offset + 16, (value >> 128n) & 0xffffffffffffffffn, true);
  view.setBigUint64(offset + 24, value >> 192n, true);
}

export function readField(view: DataView, offset: number): bigint {
  const low = view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
  return low | (view.getBigUint64(offset + 16, true) << 128n) | (view.getBigUint64(offset + 24, true) << 192n);
}

const PRIME_WORDS = Uint32Array.from({ length: 8 }, (_, i) => Number((FIELD_PRIME >> BigInt(32 * i)) & 0xffffffffn));

/** Writes a small integer, |value| ≤ 2^53, as a field element without big integers where possible. */
export function writeSmallField(view: DataView, offset: number, value: number): void {
  if (value >= 0) {
    view.setUint32(offset, value % 4294967296, true);
    view.setUint32(offset + 4, Math.floor(value / 4294967296), true);
    for (let i = 2; i < 8; i++) view.setUint32(offset + 4 * i, 0, true);
  } else if (value >= -4026531840) {
    // The lowest word of p is 0xf0000001 = 4026531841: no borrow.
    view.setUint32(offset, PRIME_WORDS[0]! + value, true);
    for (let i = 1; i < 8; i++) view.setUint32(offset + 4 * i, PRIME_WORDS[i]!, true);
  } else {
    writeField(view, offset, FIELD_PRIME + BigInt(value));
  }
}
