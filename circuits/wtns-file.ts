import type { Assignment } from './assignment.ts';
import { FIELD_BYTES, FIELD_PRIME, writeField, writeSmallField } from './field.ts';

const HEADER_BYTES = 12 + 12 + 40 + 12;

/** A witness in the iden3 .wtns format, version 2: 32 bytes a wire. */
export function encodeWtns(witness: Assignment): Uint8Array {
  const wires = witness.small.length;
  const bytes = new Uint8Array(HEADER_BYTES + wires * FIELD_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('wtns'));
  view.setUint32(4, 2, true);
  view.setUint32(8, 2, true);
  view.setUint32(12, 1, true);
  view.setBigUint64(16, 40n, true);
  view.setUint32(24, FIELD_BYTES, true);
  writeField(view, 28, FIELD_PRIME);
  view.setUint32(60, wires, true);
  view.setUint32(64, 2, true);
  view.setBigUint64(68, BigInt(wires * FIELD_BYTES), true);
  for (let wire = 0; wire < wires; wire++) {
    const at = HEADER_BYTES + wire * FIELD_BYTES;
    const value = witness.small[wire]!;
    if (Number.isNaN(value)) writeField(view, at, witness.get(wire));
    else writeSmallField(view, at, value);
  }
  return bytes;
}
