import { BASE_FIELD } from '../../core/zk-encoding.ts';
import { BinaryFile } from '../binary-file.ts';
import type { ChildOptions } from '../child-process.ts';
import { domainOf } from '../compile.ts';
import type { ConstraintSystem } from '../constraint-system.ts';
import { FIELD_BYTES, FIELD_PRIME, inverse, writeField } from '../field.ts';
import { coefficientSection } from './coefficients.ts';
import { multiplyAll } from './multiply.ts';
import { drawToxic, lagrangeAt, type Toxic, type WireScalars, wireScalars } from './toxic.ts';

interface Points {
  /** alpha, beta, delta. */
  readonly header1: Uint8Array;
  /** beta, one (gamma), delta. */
  readonly header2: Uint8Array;
  readonly ic: Uint8Array;
  readonly a: Uint8Array;
  readonly b1: Uint8Array;
  readonly b2: Uint8Array;
  readonly c: Uint8Array;
  readonly h: Uint8Array;
}

async function computePoints(cs: ConstraintSystem, toxic: Toxic, bits: number, options: ChildOptions): Promise<Points> {
  const { tau, alpha, beta, delta } = toxic;
  const scalars: WireScalars = wireScalars(cs, lagrangeAt(tau, bits));
  const combined = scalars.a.map((a, i) => (beta * a + alpha * scalars.b[i]! + scalars.c[i]!) % FIELD_PRIME);
  const perDelta = inverse(delta);
  const publicWires = cs.publicCount + 1;
  const h = lagrangeAt(tau, bits + 1, true).map((value) => (value * perDelta) % FIELD_PRIME);
  // A bit stands alone in A and B of its own row: its two G1 points are one.
  const different = scalars.b.map((b, i) => (b === scalars.a[i] ? -1 : i)).filter((i) => i >= 0);
  const [header1, header2, ic, a, b1, b2, c, hPoints] = await multiplyAll(
    [
      { group: 'G1', scalars: [alpha, beta, delta] },
      { group: 'G2', scalars: [beta, 1n, delta] },
      { group: 'G1', scalars: combined.slice(0, publicWires) },
      { group: 'G1', scalars: scalars.a },
      { group: 'G1', scalars: different.map((i) => scalars.b[i]!) },
      { group: 'G2', scalars: scalars.b },
      { group: 'G1', scalars: combined.slice(publicWires).map((value) => (value * perDelta) % FIELD_PRIME) },
      { group: 'G1', scalars: h },
    ],
    options,
  );
  const allB1 = a!.slice();
  different.forEach((wire, i) => {
    allB1.set(b1!.subarray(64 * i, 64 * i + 64), 64 * wire);
  });
  return { header1: header1!, header2: header2!, ic: ic!, a: a!, b1: allB1, b2: b2!, c: c!, h: hPoints! };
}

function writeHeader(file: BinaryFile, cs: ConstraintSystem, domain: number, { header1, header2 }: Points): void {
  file.section(1);
  file.u32(1);
  file.endSection();
  file.section(2);
  for (const prime of [BASE_FIELD, FIELD_PRIME]) {
    file.u32(FIELD_BYTES);
    const { view, at } = file.claim(FIELD_BYTES);
    writeField(view, at, prime);
  }
  file.u32(cs.wireCount);
  file.u32(cs.publicCount);
  file.u32(domain);
  file.bytes(header1.subarray(0, 128));
  file.bytes(header2.subarray(0, 256));
  file.bytes(header1.subarray(128, 192));
  file.bytes(header2.subarray(256, 384));
  file.endSection();
}

/**
 * Makes a Groth16 proving key straight from a circuit by choosing the secrets: for development and tests only. The rows that bind the
 * public signals are included as snarkjs does. The file has no contributions, so `snarkjs zkey verify` refuses it.
 * Cost: about 20 s for 2^17 rows on two cores, memory some 2 KiB a wire.
 */
export async function writeDevelopmentKey(
  path: string,
  cs: ConstraintSystem,
  options: ChildOptions = {},
  toxic = drawToxic(),
): Promise<void> {
  const domain = domainOf(cs.rowCount, cs.publicCount);
  const points = await computePoints(cs, toxic, Math.log2(domain), options);
  const file = new BinaryFile(path, 'zkey', 1, 10);
  writeHeader(file, cs, domain, points);
  const sections: readonly [number, Uint8Array][] = [
    [3, points.ic],
    [5, points.a],
    [6, points.b1],
    [7, points.b2],
    [8, points.c],
    [9, points.h],
  ];
  for (const [id, bytes] of sections) {
    file.section(id);
    file.bytes(bytes);
    file.endSection();
  }
  file.section(4);
  file.bytes(coefficientSection(cs));
  file.endSection();
  file.section(10);
  file.bytes(new Uint8Array(64));
  file.u32(0);
  file.endSection();
  file.close();
}
