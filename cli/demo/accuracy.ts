import '../../runtime/no-telemetry.ts';
import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-node';
import type { Case } from '../../core/cases.ts';

/** Index of the largest value, the first on ties. */
export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** What the float model answers, by onnxruntime: the yardstick for the integer program. */
export async function floatPredictions(file: string, cases: readonly Case[]): Promise<number[]> {
  const session = await ort.InferenceSession.create(new Uint8Array(await readFile(file)), { logSeverityLevel: 3 });
  try {
    const predictions: number[] = [];
    for (const { inputs } of cases) {
      const feeds = Object.fromEntries(
        inputs.map(({ name, dims, data }) => [name, new ort.Tensor('float32', Float32Array.from(data), dims)]),
      );
      const results = await session.run(feeds);
      predictions.push(argMax(results[session.outputNames[0]!]!.data as Float32Array));
    }
    return predictions;
  } finally {
    await session.release();
  }
}

/** Share of predictions that equal the labels. */
export function accuracy(predictions: readonly number[], cases: readonly Case[]): number {
  return predictions.filter((prediction, i) => prediction === cases[i]!.label).length / predictions.length;
}

/** Share of predictions that two models have in common. */
export function agreement(a: readonly number[], b: readonly number[]): number {
  return a.filter((prediction, i) => prediction === b[i]).length / a.length;
}
