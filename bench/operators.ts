import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Command } from 'commander';
import { z } from 'zod';
import type { Case } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import { execute } from '../core/execute.ts';
import { evaluateGraph } from '../core/onnx/evaluate/index.ts';
import type { Graph } from '../core/onnx/graph.ts';
import { compiledOperators } from '../core/onnx/lower/index.ts';
import { parseModel } from '../core/onnx/parse.ts';
import { parseTensor } from '../core/onnx/parse-tensor.ts';
import { decodeTensorMessage } from '../core/onnx/schema.ts';
import type { Tensor } from '../core/onnx/tensor.ts';
import { compileModel } from '../core/quantize/compile.ts';
import { prepareInput, readOutput } from '../core/values.ts';

/**
 * Runs the ONNX backend node tests that onnxruntime passes through the float reference and the compiler, and writes what
 * is supported.
 *     npx tsx bench/operators.ts --tests onnx-node.tar.gz --out docs/operators.md
 */
const indexSchema = z.object({ cases: z.array(z.object({ name: z.string(), ops: z.array(z.string()), ort: z.string() })) });

/** Files of a ustar archive by name. */
function untar(bytes: Uint8Array): Map<string, Uint8Array> {
  const text = new TextDecoder();
  const field = (at: number, length: number): string => text.decode(bytes.subarray(at, at + length)).replace(/\0.*$/s, '');
  const files = new Map<string, Uint8Array>();
  let longName: string | undefined;
  for (let at = 0; at + 512 <= bytes.length; ) {
    const size = Number.parseInt(field(at + 124, 12).trim() || '0', 8);
    const kind = String.fromCharCode(bytes[at + 156]!);
    const body = bytes.subarray(at + 512, at + 512 + size);
    const prefix = field(at + 345, 155);
    const name = longName ?? (prefix === '' ? '' : `${prefix}/`) + field(at, 100);
    // GNU 'L' and pax 'x' records carry the name of the next file where it is long.
    if (kind === 'L') longName = text.decode(body).replace(/\0.*$/s, '');
    else if (kind === 'x') longName = /\d+ path=([^\n]*)\n/.exec(text.decode(body))?.[1];
    else {
      if (kind === '0' || kind === '\0') files.set(name.replace(/^\.\//, ''), body);
      longName = undefined;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

interface Outcome {
  readonly name: string;
  readonly operator: string;
  readonly float: 'matches' | 'differs' | 'refused';
  readonly integer: 'follows' | 'differs' | 'refused' | '–';
  readonly why: string;
}

interface NodeTest {
  readonly onnx: Uint8Array;
  readonly graph: Graph;
  readonly feeds: Map<string, Tensor>;
  readonly expected: readonly Tensor[];
}

function load(files: ReadonlyMap<string, Uint8Array>, name: string): NodeTest {
  const folder = [...files.keys()].find((file) => file.endsWith(`${name}/model.onnx`))!.slice(0, -'model.onnx'.length);
  const onnx = files.get(`${folder}model.onnx`)!;
  const graph = parseModel(onnx);
  const read = (file: string): Tensor => parseTensor(decodeTensorMessage(files.get(`${folder}test_data_set_0/${file}`)!), file, new Map());
  return {
    onnx,
    graph,
    feeds: new Map(graph.inputs.map((input, i) => [input.name, read(`input_${i}.pb`)])),
    expected: graph.outputs.map((_, i) => read(`output_${i}.pb`)),
  };
}

/** Root-mean-square error over the range of the expected values; values that hardly differ count by a thousandth of their size. */
function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let square = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let e = 0; e < got.length; e++) {
    square += (got[e]! - expected[e]!) ** 2;
    low = Math.min(low, expected[e]!);
    high = Math.max(high, expected[e]!);
  }
  return got.length === 0
    ? 0
    : Math.sqrt(square / got.length) / (high === low ? Math.abs(high) || 1 : Math.max(high - low, Math.abs(high) / 1000));
}

function integerError({ onnx, feeds, expected }: NodeTest): number {
  const one: Case = { inputs: [...feeds].map(([name, { type, dims, data }]) => ({ name, type, dims, data })), outputs: [] };
  const { program } = compileModel({ onnx, calibration: [one] });
  const tensors = execute(program, prepareInput(program, one.inputs));
  const outputs = readOutput(program, tensors.slice(tensors.length - program.interface.outputs.length));
  return Math.max(...outputs.map((output, i) => relativeError(output.values, expected[i]!.data)));
}

function attempt<T>(run: () => T): T | AssayError {
  try {
    return run();
  } catch (error) {
    if (error instanceof AssayError) return error;
    throw error;
  }
}

function outcome(files: ReadonlyMap<string, Uint8Array>, name: string, operators: readonly string[]): Outcome {
  const base = { name, operator: operators.length === 1 ? operators[0]! : 'several' };
  const test = attempt(() => load(files, name));
  if (test instanceof AssayError) return { ...base, float: 'refused', integer: '–', why: test.message };
  const reference = attempt(() => [...evaluateGraph(test.graph, test.feeds).values()]);
  if (reference instanceof AssayError) return { ...base, float: 'refused', integer: '–', why: reference.message };
  const worst = Math.max(...reference.map((value, i) => relativeError(value.data, test.expected[i]!.data)));
  if (!(worst < 1e-3)) return { ...base, float: 'differs', integer: '–', why: '' };
  const error = attempt(() => integerError(test));
  if (error instanceof AssayError) return { ...base, float: 'matches', integer: 'refused', why: error.message };
  return {
    ...base,
    float: 'matches',
    integer: error <= 0.02 ? 'follows' : 'differs',
    why: error <= 0.02 ? '' : `error ${(100 * error).toFixed(1)} % of the range`,
  };
}

function page(outcomes: readonly Outcome[]): string {
  const count = (test: (o: Outcome) => boolean): number => outcomes.filter(test).length;
  const names = [...new Set(outcomes.map((o) => o.operator))].sort();
  const rows = names.map((operator) => {
    const own = outcomes.filter((o) => o.operator === operator);
    const share = (test: (o: Outcome) => boolean): string => `${own.filter(test).length} of ${own.length}`;
    return `| ${operator} | ${share((o) => o.float === 'matches')} | ${share((o) => o.integer === 'follows')} |`;
  });
  const operators = compiledOperators();
  return `# Operators

Written by \`npx tsx bench/operators.ts\`. Anything that depends on constants alone is folded, whatever the operator; the lists below are what may depend
on the model's inputs. Everything else is refused with the node, the operator and the reason.

**ai.onnx** (operator sets 6 to 25): ${operators.main.join(', ')}.

**ai.onnx.ml**: ${operators.learning.join(', ')}.

**com.microsoft**, besides those of the same names above: ${operators.contributed.join(', ')}.

Attention, TopK, interpolation, windows over three axes, Einsum, control flow and most quantized and fused operators are written in plainer ones first
(\`core/onnx/expand\`), at the shapes of the first case.

Limits worth knowing: shapes are fixed when compiling, and so is a shape, bound or weight that the model takes as an *input*: it is frozen at the first case's value, which the
report notes. Recurrent layers and loops are unrolled over their fixed number of steps, at most 1,024; a loop that stops by what it computes is refused; of an If whose condition varies
both branches are computed. TopK compares every pair of an axis, at most 2^22 pairs. Divisors must be positive. Interpolation multiplies by one matrix for every axis. No peepholes in LSTM. Of an SVMClassifier with more than two classes labels and decision values, no probabilities. Strings only as labels of classes, answered by their position.
A scale chosen at run time (DynamicQuantizeLinear) is ignored: the product that follows works on the real values. Already quantized models keep the ranges of their own
scales; their intermediate rounding is replaced by the program's own. Inputs and outputs that hold NaN, or no elements, are refused.

## ONNX backend node tests
Of the ${outcomes.length} tests that onnxruntime passes, the float reference matches ${count((o) => o.float === 'matches')}, and ${count((o) => o.integer === 'follows')} compile to integer programs that follow the expected values
within 2 % of their range (${count((o) => o.integer === 'differs')} compile and differ, ${count((o) => o.integer === 'refused' || o.float === 'refused')} are refused).

| operator | float reference | integer program |
|---|---|---|
${rows.join('\n')}

Compiled, but off by more:

| test | |
|---|---|
${outcomes
  .filter((o) => o.integer === 'differs')
  .map((o) => `| ${o.name} | ${o.why} |`)
  .join('\n')}

Refused:

| test | |
|---|---|
${outcomes
  .filter((o) => o.integer === 'refused' || o.float === 'refused')
  .map((o) => `| ${o.name} | ${o.why.replaceAll('|', '\\|')} |`)
  .join('\n')}
`;
}

const options = new Command()
  .requiredOption('--tests <file>', 'onnx-node.tar.gz')
  .option('--out <file>', 'Markdown file to write')
  .option('--list', 'print every test that is refused or differs')
  .parse()
  .opts<{ tests: string; out?: string; list?: true }>();
const files = untar(gunzipSync(readFileSync(options.tests)));
const index = indexSchema.parse(JSON.parse(new TextDecoder().decode([...files].find(([name]) => name.endsWith('index.json'))![1])));
const outcomes = index.cases.filter(({ ort }) => ort === 'pass').map(({ name, ops }) => outcome(files, name, ops));
const text = page(outcomes);
if (options.list) for (const { name, float, integer, why } of outcomes) if (integer !== 'follows') console.log(name, float, integer, why);
if (options.out === undefined) console.log(text);
else writeFileSync(options.out, text);
console.log(
  `${outcomes.filter((o) => o.float === 'matches').length} float, ${outcomes.filter((o) => o.integer === 'follows').length} integer of ${outcomes.length}`,
);
