/** Products of all pairs of columns, summed over rows: the curvature of the layer's squared error in its weights. */
export function gram(rows: ArrayLike<number>, count: number, width: number): Float64Array {
  const h = new Float64Array(width * width);
  for (let r = 0; r < count; r++) {
    const base = r * width;
    for (let i = 0; i < width; i++) {
      const x = rows[base + i]!;
      if (x === 0) continue;
      const to = i * width;
      for (let j = 0; j <= i; j++) h[to + j]! += x * rows[base + j]!;
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) h[j * width + i] = h[i * width + j]!;
  return h;
}

/** Lower Cholesky factor in place; false when the matrix is not positive definite. */
function cholesky(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      if (i === j) {
        if (sum <= 0) return false;
        a[j * n + j] = Math.sqrt(sum);
      } else a[i * n + j] = sum / a[j * n + j]!;
    }
    for (let k = j + 1; k < n; k++) a[j * n + k] = 0;
  }
  return true;
}

/** Inverse of L·Lᵀ from its lower factor. */
function invert(l: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  // Rows of L⁻¹ first, then L⁻ᵀ·L⁻¹.
  for (let c = 0; c < n; c++) {
    inverse[c * n + c] = 1 / l[c * n + c]!;
    for (let i = c + 1; i < n; i++) {
      let sum = 0;
      for (let k = c; k < i; k++) sum += l[i * n + k]! * inverse[k * n + c]!;
      inverse[i * n + c] = -sum / l[i * n + i]!;
    }
  }
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < n; k++) sum += inverse[k * n + i]! * inverse[k * n + j]!;
      result[i * n + j] = sum;
      result[j * n + i] = sum;
    }
  return result;
}

/** Upper factor U with Uᵀ·U = (H + damping)⁻¹; undefined when the damped H is not positive definite. */
export function errorFactor(h: Float64Array, n: number, damping: number): Float64Array | undefined {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += h[i * n + i]!;
  const ridge = (trace / n) * damping + 1e-9;
  const damped = Float64Array.from(h);
  for (let i = 0; i < n; i++) damped[i * n + i]! += ridge;
  if (!cholesky(damped, n)) return undefined;
  const inverse = invert(damped, n);
  if (!cholesky(inverse, n)) return undefined;
  const upper = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) upper[i * n + j] = inverse[j * n + i]!;
  return upper;
}

/**
 * Rounds one row of weights (in integer units) one after the other, each error spread over the weights still open so that
 * the layer's output moves least (GPTQ, Frantar et al. 2022).
 * @param factor from `errorFactor`, or undefined for plain rounding
 */
export function roundRow(weights: Float64Array, limit: number, factor: Float64Array | undefined): Float64Array {
  const n = weights.length;
  const open = Float64Array.from(weights);
  const rounded = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    const q = Math.min(limit, Math.max(-limit, Math.round(open[j]!)));
    rounded[j] = q;
    if (factor === undefined) continue;
    const row = j * n;
    const error = (open[j]! - q) / factor[row + j]!;
    if (error !== 0) for (let k = j + 1; k < n; k++) open[k]! -= error * factor[row + k]!;
  }
  return rounded;
}
