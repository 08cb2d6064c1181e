import { AssayError } from '../../core/errors.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { lowerGraph } from '../../core/onnx/lower/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { elementCount, tensor } from '../../core/onnx/tensor.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { EXPANDED_MODELS } from './expanded-models.ts';
import { FIXTURE_MODELS, fixtureModel } from './fixtures.ts';
import { mutateBytes } from './mutate.ts';
import { mutateModel } from './mutate-model.ts';
import { onnxModel } from './onnx.ts';
import { Random } from './random.ts';

const MAX_INPUT = 1 << 16;
/** One file in so many is compiled to the end. */
const COMPILE_EVERY = 16;

export interface FuzzedModels {
  readonly accepted: number;
  readonly refused: number;
  readonly compiled: number;
  /** The slowest file, and its milliseconds. */
  readonly slowest: { readonly index: number; readonly milliseconds: number };
}

/** Imports damaged bytes as far as they go; only a clear refusal may come out. */
function importDamaged(bytes: Uint8Array, compiles: boolean): 'accepted' | 'refused' {
  try {
    const graph = parseModel(bytes);
    const inputs = graph.inputs.map(({ name, type = 'float32', dims: written }) => {
      const dims = (written ?? []).map((dim) => dim ?? 1);
      const count = Math.min(MAX_INPUT, elementCount(dims));
      return { name, ...tensor(type, dims, new Array<number>(count).fill(type === 'float32' ? 0.5 : 1)) };
    });
    if (inputs.some((value) => value.data.length !== elementCount(value.dims))) return 'refused';
    const feeds = new Map(inputs.map((value) => [value.name, value]));
    evaluateGraph(graph, feeds);
    if (compiles) compileModel({ onnx: bytes, calibration: [{ inputs, outputs: [] }] });
    else lowerGraph(graph, feeds);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    return 'refused';
  }
}

/** A damaged file: bytes of a small real model or of one around a wide operator, or such a model with its meaning damaged. */
function damagedFiles(r: Random): () => Uint8Array {
  const real = FIXTURE_MODELS.map((name) => fixtureModel(name).onnx).filter((onnx) => onnx.length < 70_000);
  const models = Object.values(EXPANDED_MODELS).map(({ model }) => model);
  const files = [...real, ...models.map(onnxModel)];
  return () => (r.chance(0.5) ? mutateBytes(r, r.pick(files)) : onnxModel(mutateModel(r, r.pick(models))));
}

/**
 * Damages ONNX files and imports them.
 * @param before sees every file first: what is left of a hang
 * @throws Error naming the case in which anything but a refusal came out
 */
export function fuzzModels(seed: number, cases: number, before?: (index: number, bytes: Uint8Array) => void): FuzzedModels {
  const r = new Random(seed);
  const next = damagedFiles(r);
  let [accepted, refused, compiled] = [0, 0, 0];
  let slowest = { index: 0, milliseconds: 0 };
  for (let i = 0; i < cases; i++) {
    const bytes = next();
    const compiles = i % COMPILE_EVERY === 0;
    before?.(i, bytes);
    const start = performance.now();
    try {
      if (importDamaged(bytes, compiles) === 'accepted') accepted++;
      else refused++;
    } catch (error) {
      throw new Error(`seed ${seed}, case ${i}: ${Buffer.from(bytes.subarray(0, 4000)).toString('base64')}`, { cause: error });
    }
    if (compiles) compiled++;
    const milliseconds = performance.now() - start;
    if (milliseconds > slowest.milliseconds) slowest = { index: i, milliseconds };
  }
  return { accepted, refused, compiled, slowest };
}
