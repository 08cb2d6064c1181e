import { BinaryFile } from './binary-file.ts';
import type { ConstraintSystem } from './constraint-system.ts';
import { FIELD_BYTES, FIELD_PRIME, writeField, writeSmallField } from './field.ts';

/** Writes a circuit in the iden3 .r1cs format, version 1. All public signals are public inputs. 36 bytes a term. */
export function writeR1cs(path: string, cs: ConstraintSystem): void {
  const file = new BinaryFile(path, 'r1cs', 1, 3);
  file.section(1);
  file.u32(FIELD_BYTES);
  const prime = file.claim(FIELD_BYTES);
  writeField(prime.view, prime.at, FIELD_PRIME);
  file.u32(cs.wireCount);
  file.u32(0);
  file.u32(cs.publicCount);
  file.u32(cs.wireCount - cs.publicCount - 1);
  file.u64(cs.wireCount);
  file.u32(cs.rowCount);
  file.endSection();
  file.section(2);
  for (let row = 0; row < cs.rowCount; row++) for (let part = 0; part < 3; part++) writePart(file, cs, row, part);
  file.endSection();
  file.section(3);
  for (let wire = 0; wire < cs.wireCount; wire++) file.u64(wire);
  file.endSection();
  file.close();
}

function writePart(file: BinaryFile, cs: ConstraintSystem, row: number, part: number): void {
  const { from, to } = cs.part(row, part);
  file.u32(to - from);
  for (let i = from; i < to; i++) {
    const { view, at } = file.claim(4 + FIELD_BYTES);
    view.setUint32(at, cs.termWires.data[i]!, true);
    const code = cs.termCodes.data[i]!;
    const small = cs.smallCoefficient(code);
    if (Number.isNaN(small)) writeField(view, at + 4, cs.bigCoefficient(code));
    else writeSmallField(view, at + 4, small);
  }
}
