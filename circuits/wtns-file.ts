import type { Assignment } from './assignment.ts';
import { BinaryFile } from './binary-file.ts';
import { FIELD_BYTES, FIELD_PRIME, writeField, writeSmallField } from './field.ts';

/** Writes a witness in the iden3 .wtns format, version 2: 32 bytes a wire. */
export function writeWtns(path: string, witness: Assignment): void {
  const file = new BinaryFile(path, 'wtns', 2, 2);
  file.section(1);
  file.u32(FIELD_BYTES);
  const prime = file.claim(FIELD_BYTES);
  writeField(prime.view, prime.at, FIELD_PRIME);
  file.u32(witness.small.length);
  file.endSection();
  file.section(2);
  for (let wire = 0; wire < witness.small.length; wire++) {
    const { view, at } = file.claim(FIELD_BYTES);
    const value = witness.small[wire]!;
    if (Number.isNaN(value)) writeField(view, at, witness.get(wire));
    else writeSmallField(view, at, value);
  }
  file.endSection();
  file.close();
}
