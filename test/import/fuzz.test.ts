import { describe, expect, it } from 'vitest';
import { AssayError } from '../../core/errors.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { lowerGraph } from '../../core/onnx/lower/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import { elementCount, tensor } from '../../core/onnx/tensor.ts';
import { FIXTURE_MODELS, fixtureModel } from '../support/fixtures.ts';
import { mutateBytes } from '../support/mutate.ts';
import { Random } from '../support/random.ts';

const CASES = Number(process.env.ASSAY_FUZZ_CASES ?? 2000);
const MAX_INPUT = 1 << 16;

/** Imports damaged bytes as far as they go; only a clear refusal may come out. */
function importDamaged(bytes: Uint8Array): 'accepted' | 'refused' {
  try {
    const graph = parseModel(bytes);
    const feeds = new Map(
      graph.inputs.map((input) => {
        const dims = (input.dims ?? []).map((dim) => dim ?? 1);
        const count = Math.min(MAX_INPUT, elementCount(dims));
        return [input.name, tensor(input.type ?? 'float32', dims, new Array<number>(count).fill(0.5))] as const;
      }),
    );
    if ([...feeds.values()].some((value) => value.data.length !== elementCount(value.dims))) return 'refused';
    evaluateGraph(graph, feeds);
    lowerGraph(graph, feeds);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    expect(error.code).toBe('MODEL_REFUSED');
    return 'refused';
  }
}

describe('damaged ONNX files', () => {
  it(`${CASES} of them are imported or refused, never a crash`, () => {
    const r = new Random(20260);
    const small = FIXTURE_MODELS.map((name) => fixtureModel(name).onnx).filter((onnx) => onnx.length < 70_000);
    const outcome = { accepted: 0, refused: 0 };
    for (let i = 0; i < CASES; i++) outcome[importDamaged(mutateBytes(r, r.pick(small)))]++;
    expect(outcome.refused).toBeGreaterThan(CASES / 20);
    expect(outcome.accepted).toBeGreaterThan(0);
  }, 240_000);
});
