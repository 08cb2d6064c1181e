import { GraphBuilder } from '../../core/carrier/graph.ts';

/** Little-endian float32 values that repeat no simple pattern, between −1 and 1. */
function weights(count: number, seed: number): Uint8Array {
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * (seed + 1.7) * 12.9898));
  return new Uint8Array(values.buffer);
}

/** Two dense layers, 4 → 6 → 3, with a Relu between: the smallest model worth a proof. */
export function denseModel(): Uint8Array {
  const g = new GraphBuilder();
  const x = g.input('features', 'f32', [1, 4]);
  const hidden = g.node('MatMul', [x, g.raw('f32', [4, 6], weights(24, 1))], { type: 'f32', dims: [1, 6] });
  const shifted = g.node('Add', [hidden, g.raw('f32', [6], weights(6, 2))], { type: 'f32', dims: [1, 6] });
  const active = g.node('Relu', [shifted], { type: 'f32', dims: [1, 6] });
  g.output('scores', g.node('MatMul', [active, g.raw('f32', [6, 3], weights(18, 3))], { type: 'f32', dims: [1, 3] }));
  return g.finish();
}

/** The same start, then an operator that nobody knows. */
export function unknownOperatorModel(): Uint8Array {
  const g = new GraphBuilder();
  const x = g.input('features', 'f32', [1, 4]);
  g.output('scores', g.node('Frobnicate', [x], { type: 'f32', dims: [1, 4] }));
  return g.finish();
}

/** Rows for these models, in the form of --calibration and --input. */
export function rows(count: number): string {
  const cases = Array.from({ length: count }, (_, row) => ({
    inputs: [{ name: 'features', type: 'float32', dims: [1, 4], data: [0, 1, 2, 3].map((i) => Math.sin(7 * row + i * 1.3)) }],
  }));
  return JSON.stringify({ cases });
}
