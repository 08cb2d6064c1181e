/**
 * `out[m, n] = Σ_k a[m, k]·b[n, k]`, both operands with the contracted axis last; four rows of B at a time so that
 * each value of A is loaded once for four products.
 */
export function productTransposed(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  out: { [i: number]: number },
  m: number,
  n: number,
  k: number,
  aFrom = 0,
  bFrom = 0,
  outFrom = 0,
  outStride = n,
): void {
  const wide = n - (n % 4);
  for (let i = 0; i < m; i++) {
    const row = aFrom + i * k;
    const to = outFrom + i * outStride;
    for (let j = 0; j < wide; j += 4) {
      const b0 = bFrom + j * k;
      const b1 = b0 + k;
      const b2 = b1 + k;
      const b3 = b2 + k;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let p = 0; p < k; p++) {
        const x = a[row + p]!;
        s0 += x * b[b0 + p]!;
        s1 += x * b[b1 + p]!;
        s2 += x * b[b2 + p]!;
        s3 += x * b[b3 + p]!;
      }
      out[to + j] = s0;
      out[to + j + 1] = s1;
      out[to + j + 2] = s2;
      out[to + j + 3] = s3;
    }
    for (let j = wide; j < n; j++) {
      const from = bFrom + j * k;
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[row + p]! * b[from + p]!;
      out[to + j] = sum;
    }
  }
}
