import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../core/cases.ts';
import { execute } from '../../core/execute.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { lowerGraph } from '../../core/onnx/lower/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { type ElementType, elementCount, type Tensor, tensor } from '../../core/onnx/tensor.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../../core/values.ts';
import type { ExpandedModel } from '../support/expanded-model.ts';
import { EXPANDED_MODELS } from '../support/expanded-models.ts';
import { onnxModel } from '../support/onnx.ts';
import { Random } from '../support/random.ts';

const TYPES: Readonly<Record<number, ElementType>> = { 1: 'float32', 2: 'uint8', 3: 'int8', 6: 'int32', 7: 'int64', 9: 'bool' };

function inputOf(dims: readonly number[], type: ElementType, [low, high]: readonly [number, number], r: Random): Tensor {
  const values = Array.from({ length: elementCount(dims) }, () =>
    type === 'float32' ? low + ((high - low) * r.bits()) / 2 ** 32 : r.integer(low, high),
  );
  return tensor(type, dims, values);
}

function feedsOf({ model, ranges = {} }: ExpandedModel, seed: number): Map<string, Tensor> {
  const r = new Random(seed);
  return new Map(
    Object.entries(model.inputs).map(([name, dims]) => {
      const type = TYPES[model.types?.[name] ?? 1]!;
      return [name, inputOf(dims as number[], type, ranges[name] ?? (type === 'bool' ? [0, 1] : [-1, 1]), r)];
    }),
  );
}

function forOnnxruntime({ type, dims, data }: Tensor): OrtTensor {
  switch (type) {
    case 'int64':
      return new OrtTensor('int64', BigInt64Array.from(data, BigInt), dims);
    case 'int32':
      return new OrtTensor('int32', Int32Array.from(data), dims);
    case 'uint8':
      return new OrtTensor('uint8', Uint8Array.from(data), dims);
    case 'int8':
      return new OrtTensor('int8', Int8Array.from(data), dims);
    case 'bool':
      return new OrtTensor('bool', Uint8Array.from(data), dims);
    default:
      return new OrtTensor('float32', Float32Array.from(data), dims);
  }
}

async function onnxruntime(bytes: Uint8Array, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, number[]>> {
  const session = await InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled' });
  try {
    const results = await session.run(Object.fromEntries([...feeds].map(([name, value]) => [name, forOnnxruntime(value)])));
    return new Map(Object.entries(results).map(([name, value]) => [name, Array.from(value.data as Float32Array, Number)]));
  } finally {
    await session.release();
  }
}

/** Root-mean-square error over the range of the expected values. */
function error(got: ArrayLike<number>, expected: readonly number[]): number {
  expect(got.length).toBe(expected.length);
  const range = Math.max(...expected) - Math.min(...expected) || Math.abs(expected[0]!) || 1;
  return Math.sqrt(expected.reduce((sum, value, i) => sum + (value - got[i]!) ** 2, 0) / expected.length) / range;
}

function compiled(bytes: Uint8Array, all: readonly ReadonlyMap<string, Tensor>[]): Map<string, ArrayLike<number>>[] {
  const cases = all.map(
    (feeds): Case => ({ inputs: [...feeds].map(([name, { type, dims, data }]) => ({ name, type, dims, data })), outputs: [] }),
  );
  const { program } = compileModel({ onnx: bytes, calibration: cases });
  return cases.map((one) => {
    const tensors = execute(program, prepareInput(program, one.inputs));
    const outputs = readOutput(program, tensors.slice(tensors.length - program.interface.outputs.length));
    return new Map(outputs.map((output) => [output.name, output.values]));
  });
}

describe('operators written in others, against onnxruntime', () => {
  it.each(Object.entries(EXPANDED_MODELS))('%s', async (_, example) => {
    const bytes = onnxModel(example.model);
    const graph = parseModel(bytes);
    const feeds = [1, 2, 3, 4].map((seed) => feedsOf(example, seed));
    const { nodes } = lowerGraph(graph, feeds[0]!);
    if (example.normalizes !== undefined) expect(nodes.filter(({ kind }) => kind === 'normalize').length).toBe(example.normalizes);
    const programs = compiled(bytes, feeds);
    for (const [i, one] of feeds.entries()) {
      const expected = await onnxruntime(bytes, one);
      const reference = evaluateGraph(graph, one);
      expect([...expected.keys()].sort()).toEqual([...example.model.outputs].sort());
      for (const [name, values] of expected) {
        expect(error(reference.get(name)!.data, values), `float ${name}`).toBeLessThan(example.float ?? 1e-4);
        const tolerance = example.exact?.includes(name) ? 0 : (example.tolerance ?? 0.02);
        expect(error(programs[i]!.get(name)!, values), `integer ${name}`).toBeLessThanOrEqual(tolerance);
      }
    }
  });
});
