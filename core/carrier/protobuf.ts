/** Writer of the protobuf wire format, as much of it as an ONNX file needs. Fields in the order given: same calls, same bytes. */
export class ProtobufWriter {
  private buffer = new Uint8Array(64);
  private length = 0;

  /** Field of an integer: non-negative below 2^53, or a negative int64. */
  integer(field: number, value: number): this {
    this.varint(field * 8);
    this.varint(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.buffer.subarray(0, value.length));
  }

  /** Packed repeated integers. */
  integers(field: number, values: readonly number[]): this {
    const packed = new ProtobufWriter();
    for (const value of values) packed.varint(value);
    return this.message(field, packed);
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  /** Seven bits a byte, low ones first; a negative integer is its two's complement in 64 bits, ten bytes. */
  private varint(value: number): void {
    this.reserve(10);
    let rest = value;
    if (value < 0) {
      const wide = BigInt.asUintN(64, BigInt(value));
      for (let i = 0n; i < 9n; i++) this.buffer[this.length++] = Number((wide >> (7n * i)) & 127n) + 128;
      rest = Number(wide >> 63n);
    }
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) + 128;
    this.buffer[this.length++] = rest;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.length + bytes));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}
