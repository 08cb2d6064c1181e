import { AssayError } from '../errors.ts';
import { execute } from '../execute.ts';
import { evaluateNet, type Values } from '../onnx/lower/evaluate.ts';
import type { InputNode, Net } from '../onnx/lower/net.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Program } from '../program/types.ts';
import { dequantizeTensor, quantizeTensor } from '../values.ts';
import { Margins } from './margins.ts';
import { separated } from './outputs.ts';
import { bestOf, OutputScore, type ScoreReport } from './report.ts';

/** A case that took no part in calibration. */
export interface Scored {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly label: number | undefined;
}

export function inputValues(net: Net, feeds: ReadonlyMap<string, Tensor>): Values[] {
  return net.nodes
    .filter((node): node is InputNode => node.kind === 'input')
    .map(({ parts, length }) => {
      if (parts.length === 1) return feeds.get(parts[0]!)!.data;
      const values = new Float64Array(length);
      let from = 0;
      for (const part of parts) {
        const { data } = feeds.get(part)!;
        values.set(data, from);
        from += data.length;
      }
      return values;
    });
}

/** One value is a label; several are votes. */
function answer(values: ArrayLike<number>): number {
  return values.length === 1 ? Math.round(values[0]!) : bestOf(values, 0, values.length);
}

/**
 * How far a program's answers are from the float network's.
 * @param runs the float network's values on the calibration cases, for how close its decisions are
 */
export function score(
  net: Net,
  program: Program,
  runs: readonly (readonly Values[])[],
  scored: readonly Scored[],
  from: ScoreReport['from'],
): ScoreReport {
  const totals = net.outputs.map((output) => new OutputScore(output.name, output.dims));
  const margins = net.outputs.map(({ node, dims }) => new Margins(dims.at(-1) ?? 1, net.nodes[node]!));
  for (const values of runs)
    net.outputs.forEach(({ node }, i) => {
      margins[i]!.row(values[node]!);
    });
  let labelled = 0;
  let floatRight = 0;
  let integerRight = 0;
  for (const { feeds, label } of scored) {
    const inputs = inputValues(net, feeds);
    const values = evaluateNet(net, inputs);
    const float = net.outputs.map(({ node }) => values[node]!);
    const tensors = execute(
      program,
      program.interface.inputs.map((tensor, i) => quantizeTensor(tensor, inputs[i]!)),
    );
    const answers = program.interface.outputs;
    const integer = separated(
      net,
      answers.map((tensor, i) => dequantizeTensor(tensor, tensors[tensors.length - answers.length + i]!)),
    );
    totals.forEach((total, i) => {
      total.add(float[i]!, integer[i]!);
      margins[i]!.row(float[i]!);
      margins[i]!.error(float[i]!, integer[i]!);
    });
    if (label === undefined) continue;
    labelled++;
    if (answer(float[0]!) === label) floatRight++;
    if (answer(integer[0]!) === label) integerRight++;
  }
  const accuracy = labelled > 0 ? { floatTop1: floatRight / labelled, integerTop1: integerRight / labelled } : {};
  const outputs = totals.map((total, i) => {
    const expected = margins[i]!.expectedAgreement();
    return { ...total.report(), ...(expected !== undefined && { expectedAgreement: expected }) };
  });
  return { cases: scored.length, from, outputs, ...accuracy };
}

/** Agreement below which more bits are tried: what is asked for, and room for rows that were not seen. */
const ENOUGH_AGREEMENT = 0.98;

/** The bits lost too much: 20 dB, agreement as seen or, where few rows tell, as expected, or a good part of 2 % of the outputs' range. */
export function tooCoarse(report: ScoreReport): boolean {
  return report.outputs.some(({ decibels, relativeError, agreement, rows, expectedAgreement }, position) => {
    if (agreement === undefined) return decibels < 20 || (relativeError > 0.0075 && decibels < 90);
    if (relativeError > 0.015) return true;
    // Later outputs are often boxes or states, where the largest value means nothing.
    if (position > 0) return false;
    return agreement < (rows >= 100 ? 0.97 : 0.9) || (expectedAgreement ?? 1) < ENOUGH_AGREEMENT;
  });
}

/** Error of a score in one number, to keep the better of two attempts. */
export function badness(report: ScoreReport): number {
  return report.outputs.reduce((sum, { relativeError, agreement, expectedAgreement }) => {
    const agreed = Math.min(agreement ?? 1, expectedAgreement ?? 1);
    return sum + relativeError + 0.1 * (1 - agreed);
  }, 0);
}

/** Percentage points lost: of top-1 where rows are labelled, else of agreement; of the range where an output is no vote. */
function dropOf({ floatTop1, integerTop1, outputs }: ScoreReport): number {
  if (floatTop1 !== undefined && integerTop1 !== undefined) return 100 * (floatTop1 - integerTop1);
  return 100 * Math.max(...outputs.map(({ agreement, relativeError }) => (agreement === undefined ? relativeError : 1 - agreement)));
}

/** @throws AssayError ACCURACY_LOST when more than `most` percentage points are lost */
export function checkDrop(result: ScoreReport, most: number | undefined): void {
  if (most === undefined) return;
  const drop = dropOf(result);
  if (drop <= most) return;
  throw new AssayError(`Quantization loses ${drop.toFixed(2)} points, more than the ${most} allowed`, {
    code: 'ACCURACY_LOST',
    facts: { drop: Number(drop.toFixed(4)), allowed: most, cases: result.cases },
    fix: 'give more calibration cases, or try --wide or --weights 8',
  });
}
