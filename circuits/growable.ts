/** A typed array that grows: amortized constant appends, eight or four bytes an entry, no boxed numbers. */
export class GrowableInt32 {
  data: Int32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Int32Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  reserve(extra: number): void {
    if (this.length + extra <= this.data.length) return;
    // Half again, not double: the largest programs keep their peak memory down.
    const larger = new Int32Array(Math.max(this.length + extra, Math.ceil(this.data.length * 1.5)));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }
}

export class GrowableFloat64 {
  data: Float64Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Float64Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) {
      const larger = new Float64Array(Math.ceil(this.data.length * 1.5));
      larger.set(this.data);
      this.data = larger;
    }
    this.data[this.length++] = value;
  }
}
