import type { Instruction } from '../program/types.ts';
import {
  ACCUMULATOR_LIMIT,
  clamp,
  half,
  magnitude,
  type Operation,
  refuse,
  requireClamp,
  requireInteger,
  requireLength,
  requireParameters,
  requireSources,
  shiftHalfUp,
} from './operation.ts';

/** Start of the row of B that meets output (batch, column). */
function rowOfB(a: Instruction<'matmul'>['attributes'], batch: number, column: number): number {
  return ((a.shareB === 1 ? 0 : batch) * a.columns + column) * a.inner;
}

/**
 * `y[b,i,j] = clamp(shiftHalfUp(Σ_k (A[b,i,k] − zeroPointA)(B[b,j,k] − zeroPointB) + bias, shift), low, high)`.
 * A is [batch, rows, inner]; B is [batch, columns, inner], or [columns, inner] with shareB = 1. Sources u8 or i16.
 * Cost of a step: `inner` multiply-adds. ONNX: MatMul of two activations (B transposed by the importer).
 */
export const matmul: Operation<'matmul'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('matmul', sources, 2);
    const [first, second] = [sources[0]!, sources[1]!];
    if (first.type === 'i32' || second.type === 'i32') refuse('matmul', 'the sources must be u8 or i16');
    for (const name of ['batch', 'rows', 'inner', 'columns'] as const) requireInteger('matmul', name, a[name], 1, 1 << 26);
    requireInteger('matmul', 'shareB', a.shareB, 0, 1);
    requireInteger('matmul', 'zeroPointA', a.zeroPointA, first.type === 'u8' ? 0 : -32768, first.type === 'u8' ? 255 : 32767);
    requireInteger('matmul', 'zeroPointB', a.zeroPointB, second.type === 'u8' ? 0 : -32768, second.type === 'u8' ? 255 : 32767);
    requireInteger('matmul', 'shift', a.shift, 0, 30);
    requireClamp('matmul', instruction.type, a.low, a.high);
    if (first.length !== a.batch * a.rows * a.inner) refuse('matmul', 'wrong length of A', { length: first.length });
    if (second.length !== (a.shareB === 1 ? 1 : a.batch) * a.columns * a.inner)
      refuse('matmul', 'wrong length of B', { length: second.length });
    requireLength('matmul', instruction.length, a.batch * a.rows * a.columns);
    requireParameters('matmul', instruction.parameters, 0);
    const products = a.inner * magnitude(first.type, a.zeroPointA) * magnitude(second.type, a.zeroPointB);
    const bound = products + Math.abs(a.bias) + half(a.shift);
    if (bound >= ACCUMULATOR_LIMIT) refuse('matmul', 'the accumulator could overflow 32 bits', { bound });
  },

  execute(instruction, sources, out) {
    const a = instruction.attributes;
    const [x, y] = [Int32Array.from(sources[0]!, (v) => v - a.zeroPointA), Int32Array.from(sources[1]!, (v) => v - a.zeroPointB)];
    const addend = a.bias + half(a.shift);
    let position = 0;
    for (let b = 0; b < a.batch; b++)
      for (let i = 0; i < a.rows; i++)
        for (let j = 0; j < a.columns; j++) {
          const p = (b * a.rows + i) * a.inner;
          const q = rowOfB(a, b, j);
          let acc = addend;
          for (let k = 0; k < a.inner; k++) acc = (acc + Math.imul(x[p + k]!, y[q + k]!)) | 0;
          out[position++] = clamp(acc >> a.shift, a.low, a.high);
        }
  },

  step(instruction, _sources, element, access) {
    const a = instruction.attributes;
    const row = Math.floor(element / a.columns);
    const p = row * a.inner;
    const q = rowOfB(a, Math.floor(row / a.rows), element % a.columns);
    let acc = a.bias;
    for (let k = 0; k < a.inner; k++) acc += (access.source(0, p + k) - a.zeroPointA) * (access.source(1, q + k) - a.zeroPointB);
    return clamp(shiftHalfUp(acc, a.shift), a.low, a.high);
  },
};
