import type { ConstraintSystem } from '../constraint-system.ts';
import { inverse } from '../field.ts';
import { constantForm, type LinearForm, ZERO_FORM } from '../linear-form.ts';
import { lowestBits, splitSigned } from './compare.ts';

/** Bytes of one packed public signal: 31 bytes always fit below the field's prime. */
export const SIGNAL_BYTES = 31;

/** An element as its canonical bytes: an unsigned form of `bytes` bytes, and how to cut it after its lowest ones. */
export interface ByteElement {
  readonly bytes: number;
  /** The two's complement reading, in [0, 256^bytes). */
  readonly unsigned: LinearForm;
  /** The lowest `count` bytes, 0 < count < bytes. */
  lowest(count: number): LinearForm;
}

/**
 * Two's complement of a proved integer: v + 256^bytes·[v < 0].
 * Precondition: the bounds fit `bytes` signed (or, not negative, unsigned) bytes. Cost: none for values that cannot be negative and are
 * not cut; otherwise the bits of the value + 2 rows. `cut` asks for enough bits to take it apart at a byte.
 */
export function twosComplement(cs: ConstraintSystem, value: LinearForm, bytes: number, cut: boolean): ByteElement {
  if (value.low >= 0 && !cut) return { bytes, unsigned: value, lowest: () => ZERO_FORM };
  const split = splitSigned(cs, value);
  const negative = cs.sum([constantForm(1)], [split.top, -1]);
  const unsigned = cs.sum([value], [negative, 2 ** (8 * bytes)]);
  const lowest = (count: number): LinearForm => {
    const bits = 8 * count;
    // value + 2^width has the same lowest bits as value when width ≥ bits; a narrower value is its own residue.
    return split.width >= bits ? lowestBits(cs, split, bits) : cs.sum([value], [negative, 2 ** bits]);
  };
  return { bytes, unsigned, lowest };
}

/** Which elements of the given byte widths straddle two signals. */
export function straddles(widths: readonly number[]): boolean[] {
  let at = 0;
  return widths.map((width) => {
    const from = Math.floor(at / SIGNAL_BYTES);
    at += width;
    return Math.floor((at - 1) / SIGNAL_BYTES) !== from;
  });
}

/**
 * Little-endian packing of the elements' canonical bytes, 31 to a signal: linear forms, no rows.
 * Precondition: every element's unsigned form is proved in range, which makes the packing injective.
 */
export function packSignals(cs: ConstraintSystem, elements: readonly ByteElement[]): LinearForm[] {
  const signals: [LinearForm, bigint][][] = [];
  let at = 0;
  const place = (form: LinearForm, byte: number): void => {
    const signal = Math.floor(byte / SIGNAL_BYTES);
    signals[signal] ??= [];
    signals[signal].push([form, 256n ** BigInt(byte % SIGNAL_BYTES)]);
  };
  for (const element of elements) {
    const room = SIGNAL_BYTES - (at % SIGNAL_BYTES);
    if (element.bytes <= room) place(element.unsigned, at);
    else {
      const lowest = element.lowest(room);
      place(lowest, at);
      place(highBytes(cs, element.unsigned, lowest, room), at + room);
    }
    at += element.bytes;
  }
  return signals.map((parts) => cs.sum(...parts));
}

/** (unsigned − lowest) / 256^count: an integer by construction, so dividing the form by a constant of the field is exact. */
function highBytes(cs: ConstraintSystem, unsigned: LinearForm, lowest: LinearForm, count: number): LinearForm {
  return cs.sum([unsigned, INVERSE_BYTE[count]!], [lowest, -INVERSE_BYTE[count]!]);
}

/** 256^−i in the field for i < 4. */
const INVERSE_BYTE: readonly bigint[] = [1n, inverse(256n), inverse(65536n), inverse(16777216n)];
