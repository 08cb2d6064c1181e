/** Writer of the protobuf wire format, as much of it as an ONNX file needs. Fields in the order given: same calls, same bytes. */
export class ProtobufWriter {
  private readonly parts: Uint8Array[] = [];
  private length = 0;

  /** Field of a non-negative integer below 2^53, or of a negative int64. */
  integer(field: number, value: number): this {
    this.varint(field * 8);
    if (value >= 0) this.varint(value);
    else this.push(negativeVarint(value));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtobufWriter): this {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.parts.push(...value.parts);
    this.length += value.length;
    return this;
  }

  /** Packed repeated integers. */
  integers(field: number, values: readonly number[]): this {
    const packed = new ProtobufWriter();
    for (const value of values) {
      if (value >= 0) packed.varint(value);
      else packed.push(negativeVarint(value));
    }
    return this.message(field, packed);
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  private varint(value: number): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
    this.push(Uint8Array.from(bytes));
  }

  private push(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.length;
  }
}

/** Negative integers are the ten-byte varint of their two's complement in 64 bits. */
function negativeVarint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  return Uint8Array.from({ length: 10 }, (_, i) => {
    const byte = Number(rest & 127n);
    rest >>= 7n;
    return i < 9 ? byte | 128 : byte;
  });
}
