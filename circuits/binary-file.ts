import { closeSync, openSync, writeSync } from 'node:fs';

const BUFFER_BYTES = 4 << 20;

/** Sequential writer of iden3 binary files: magic, version, sections with a patched length. Buffers four megabytes. */
export class BinaryFile {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private readonly view = new DataView(this.buffer.buffer);
  private used = 0;
  private flushed = 0;
  private sectionAt = 0;

  constructor(path: string, magic: string, version: number, sections: number) {
    this.fd = openSync(path, 'w');
    for (const letter of magic) this.u8(letter.charCodeAt(0));
    this.u32(version);
    this.u32(sections);
  }

  /** Room for `bytes` at the returned offset of the returned view; call before writing through it. */
  claim(bytes: number): { view: DataView; at: number } {
    if (this.used + bytes > BUFFER_BYTES) this.flush();
    const at = this.used;
    this.used += bytes;
    return { view: this.view, at };
  }

  u8(value: number): void {
    const { view, at } = this.claim(1);
    view.setUint8(at, value);
  }

  u32(value: number): void {
    const { view, at } = this.claim(4);
    view.setUint32(at, value, true);
  }

  u64(value: number): void {
    const { view, at } = this.claim(8);
    view.setBigUint64(at, BigInt(value), true);
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > BUFFER_BYTES) {
      this.flush();
      this.writeOut(bytes);
      return;
    }
    const { at } = this.claim(bytes.length);
    this.buffer.set(bytes, at);
  }

  section(id: number): void {
    this.u32(id);
    this.flush();
    this.sectionAt = this.flushed;
    this.u64(0);
  }

  /** Patches the length of the section begun last. */
  endSection(): void {
    this.flush();
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(this.flushed - this.sectionAt - 8), true);
    writeSync(this.fd, new Uint8Array(length.buffer), 0, 8, this.sectionAt);
  }

  close(): void {
    this.flush();
    closeSync(this.fd);
  }

  private flush(): void {
    this.writeOut(this.buffer.subarray(0, this.used));
    this.used = 0;
  }

  private writeOut(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) at += writeSync(this.fd, bytes, at, bytes.length - at, this.flushed + at);
    this.flushed += bytes.length;
  }
}
