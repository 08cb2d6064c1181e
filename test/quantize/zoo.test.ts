import { describe, expect, it } from 'vitest';
import type { Case } from '../../core/cases.ts';
import { execute } from '../../core/execute.ts';
import { evaluateGraph } from '../../core/onnx/evaluate/index.ts';
import { parseModel } from '../../core/onnx/parse.ts';
import type { Program } from '../../core/program/types.ts';
import { validateProgram } from '../../core/program/validate.ts';
import { compileModel } from '../../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../../core/values.ts';
import { feedsFor } from '../support/fixtures.ts';
import { ZOO } from '../support/zoo.ts';

/** All outputs one after the other: what is joined in a program compares like what is not. */
function integerAnswers(program: Program, one: Case): number[] {
  const tensors = execute(program, prepareInput(program, one.inputs));
  return readOutput(program, tensors.slice(tensors.length - program.interface.outputs.length)).flatMap(({ values }) => Array.from(values));
}

function floatAnswers(onnx: Uint8Array, one: Case): number[] {
  const graph = parseModel(onnx);
  return [...evaluateGraph(graph, feedsFor(graph, one)).values()].flatMap(({ data }) => Array.from(data));
}

/** Root-mean-square error over the range of the float answers. */
function relativeError(float: readonly number[], integer: readonly number[]): number {
  expect(integer).toHaveLength(float.length);
  const square = float.reduce((sum, v, i) => sum + (v - integer[i]!) ** 2, 0) / float.length;
  return Math.sqrt(square) / (Math.max(...float) - Math.min(...float));
}

describe('networks of many kinds follow their float answers within 2 % of the range', () => {
  it.each(ZOO.map((make) => make()))(
    '$name',
    (model) => {
      const calibration = model.cases(40);
      const scored = model.cases(20);
      const { program, report } = compileModel({ onnx: model.onnx, calibration });
      validateProgram(program);
      const float = scored.flatMap((one) => floatAnswers(model.onnx, one));
      const answers = scored.map((one) => integerAnswers(program, one));
      const error = relativeError(float, answers.flat());
      expect(error).toBeLessThan(0.02);
      expect(report.score.outputs.every((output) => output.relativeError < 0.02)).toBe(true);
      // The measure tells rows apart: answers to other rows are further away.
      expect(relativeError(float, [...answers.slice(1), answers[0]!].flat())).toBeGreaterThan(3 * error);
    },
    60_000,
  );
});
