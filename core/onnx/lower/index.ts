import { AssayError } from '../../errors.ts';
import { evaluateGraph, evaluateNode, type Feeds, isKnown } from '../evaluate/index.ts';
import { MOVEMENT } from '../evaluate/movement.ts';
import { scalarOperators } from '../evaluate/unary.ts';
import { expandGraph } from '../expand/graph.ts';
import { expandedOperators } from '../expand/index.ts';
import { type Graph, type GraphNode, stringAttribute } from '../graph.ts';
import { refuse, refuseNode } from '../refuse.ts';
import { elementCount, int64, isFloat, type Tensor, tensor } from '../tensor.ts';
import { ARITHMETIC, lowerScalar } from './arithmetic.ts';
import { Lowering } from './context.ts';
import { affine } from './elementwise.ts';
import { freezeParameters } from './frozen.ts';
import { lowerInputs } from './inputs.ts';
import { labelNotes } from './labels.ts';
import { LEARNING_LOWERINGS } from './learning.ts';
import { lowerConv, lowerConvTranspose, lowerCumSum, lowerGemm, lowerMatMul } from './linear.ts';
import { lowerGather, lowerGatherElements, lowerMovement, lowerOneHot } from './movement.ts';
import type { Net, NetOutput } from './net.ts';
import { NORMALIZATIONS } from './normalization.ts';
import { recognize } from './patterns.ts';
import { QUANTIZED_LOWERINGS } from './quantized.ts';
import { lowerRecurrent } from './recurrent.ts';
import { REDUCTIONS } from './reduction.ts';
import { simplify } from './simplify.ts';
import { isConstant, type View } from './view.ts';

type Lower = (context: Lowering, node: GraphNode) => void;

const LOWERINGS: Readonly<Record<string, Lower>> = {
  ...Object.fromEntries(Object.keys(MOVEMENT).map((operator) => [operator, lowerMovement])),
  ...ARITHMETIC,
  ...REDUCTIONS,
  ...NORMALIZATIONS,
  ...QUANTIZED_LOWERINGS,
  Gather: lowerGather,
  GatherElements: lowerGatherElements,
  OneHot: lowerOneHot,
  ScatterND: (context, node) => {
    if (stringAttribute(node, 'reduction', 'none') !== 'none') refuseNode(node, 'only reduction none is supported');
    lowerMovement(context, node);
  },
  CumSum: lowerCumSum,
  Dropout: (context, node) => context.set(node, 0, context.input(node, 0)),
  Conv: (context, node) => lowerConv(context, node),
  ConvTranspose: lowerConvTranspose,
  Gemm: lowerGemm,
  MatMul: lowerMatMul,
  LSTM: lowerRecurrent,
  GRU: lowerRecurrent,
  RNN: lowerRecurrent,
};

/** Operators that may depend on the model's inputs, by domain: what docs/operators.md lists. */
export function compiledOperators(): { readonly main: string[]; readonly learning: string[]; readonly contributed: string[] } {
  return {
    main: [...new Set([...Object.keys(LOWERINGS), ...scalarOperators(), ...expandedOperators(''), 'Shape', 'Size'])].sort(),
    contributed: expandedOperators('com.microsoft').sort(),
    learning: [...new Set([...Object.keys(LEARNING_LOWERINGS), ...expandedOperators('ai.onnx.ml')])].sort(),
  };
}

/** Shape of a varying tensor without its values: what Shape and Size ask for. */
function lowerShape(context: Lowering, node: GraphNode): boolean {
  if (node.operator !== 'Shape' && node.operator !== 'Size') return false;
  const dims = context.view(node, 0).dims;
  const results = evaluateNode(node, [tensor('float32', dims, new Float32Array(elementCount(dims)))]);
  context.set(node, 0, { constant: results[0] ?? int64([]) });
  return true;
}

function lowerNode(context: Lowering, node: GraphNode): void {
  context.enter(node);
  if (!isKnown(node)) refuseNode(node, 'this operator is not supported', {}, 'docs/operators.md lists what can be compiled');
  const inputs = node.inputs.map((name) => (name === '' ? undefined : context.values.get(name)));
  if (inputs.every((value) => value === undefined || isConstant(value))) {
    const results = evaluateNode(
      node,
      inputs.map((value) => (value === undefined ? undefined : (value as { constant: Tensor }).constant)),
    );
    node.outputs.forEach((_, i) => {
      const result = results[i];
      if (result !== undefined) context.set(node, i, { constant: result });
    });
    return;
  }
  if (lowerShape(context, node)) return;
  const lower = node.domain === 'ai.onnx.ml' ? LEARNING_LOWERINGS[node.operator] : LOWERINGS[node.operator];
  try {
    if (lower !== undefined) lower(context, node);
    else if (!lowerScalar(context, node))
      refuseNode(node, 'this operator cannot depend on the model inputs', {}, 'docs/operators.md lists what can be compiled');
  } catch (error) {
    if (error instanceof AssayError) throw error;
    // Attributes and shapes that make no sense together surface wherever they are first used.
    refuseNode(node, `its inputs and attributes do not fit: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The quantization of a tensor that the file holds quantized, through operators that only move values. */
function quantizationBehind(context: Lowering, graph: Graph, name: string): { scale: number; zero: number } | undefined {
  const known = context.quantizedBy.get(name);
  if (known !== undefined) return known;
  const producer = graph.nodes.find((node) => node.outputs.includes(name));
  return producer === undefined ? undefined : quantizationBehind(context, graph, producer.inputs[0] ?? '');
}

/** An output that is the same for every input: instructions read something, so a flag is multiplied by zero. */
function constantOutput(context: Lowering, name: string, { type, dims, data }: Tensor): NetOutput {
  if (data.length === 0) refuse(`the output '${name}' has no elements`, { output: name }, 'remove it from the model');
  context.notes.push(`output '${name}' is the same for every input`);
  const flag: View = { dims, sources: [0], index: new Int32Array(data.length), constants: [] };
  const flags = context.add({
    kind: 'compare',
    length: data.length,
    sources: [context.materialize(flag)],
    relation: 'greater',
    innerB: 1,
    constants: Float64Array.of(0),
    channelInner: 1,
  });
  const held = affine(context, { dims, sources: [flags], index: undefined, constants: [] }, 0, { type, dims, data });
  return { name, dims, node: context.materialize(context.asView(held)), integer: !isFloat(type) };
}

function lowerOutput(context: Lowering, graph: Graph, name: string): NetOutput {
  try {
    return answer(context, graph, name);
  } catch (error) {
    if (error instanceof AssayError) throw error;
    refuse(`the output '${name}' has a shape that does not fit: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function answer(context: Lowering, graph: Graph, name: string): NetOutput {
  const value = context.values.get(name);
  if (value === undefined) refuse(`the output '${name}' is computed by no node`, { output: name });
  if (isConstant(value)) return constantOutput(context, name, value.constant);
  const integer = context.integerValued.has(name);
  const held = integer && !context.rawIntegers.has(name) ? quantizationBehind(context, graph, name) : undefined;
  // The file's own integers are wanted, not the reals they stand for.
  const view = held === undefined ? value.view : context.asView(affine(context, value.view, 1 / held.scale, held.zero));
  return { name, dims: view.dims, node: context.materialize(view), integer };
}

/**
 * Turns a graph into the float network at fixed shapes.
 * @param feeds one example input: its shapes fix every dynamic dimension
 * @throws AssayError MODEL_REFUSED naming the node, the operator and the reason
 */
export function lowerGraph(source: Graph, feeds: Feeds): Net {
  const { graph: fixed, notes } = freezeParameters(source, feeds);
  const plain = expandGraph(fixed, feeds);
  const context = new Lowering();
  context.notes.push(...notes, ...labelNotes(source));
  const types = new Map<string, Tensor>();
  const answers = evaluateGraph(plain, feeds, (name, value) => types.set(name, { ...value, data: value.data.subarray(0, 0) }));
  for (const [name, { data }] of answers)
    if (data.some(Number.isNaN))
      refuse(
        `the output '${name}' of the float model is not a number`,
        { output: name },
        'give calibration cases, or a --range, that the model is made for',
      );
  const graph = recognize(plain, (name) => (types.get(name) ?? feeds.get(name) ?? plain.constants.get(name))?.dims);
  for (const [name, { type }] of [...graph.constants, ...feeds, ...types]) context.types.set(name, type);
  for (const [name, value] of types) if (!isFloat(value.type)) context.integerValued.add(name);
  for (const node of graph.nodes) for (const name of node.inputs) context.needed.add(name);
  for (const output of graph.outputs) {
    context.needed.add(output.name);
    context.answers.add(output.name);
  }
  for (const [name, constant] of graph.constants) context.values.set(name, { constant });
  lowerInputs(context, graph, feeds);
  for (const node of graph.nodes) {
    lowerNode(context, node);
    const quantizes =
      QUANTIZED_LOWERINGS[node.operator] !== undefined && node.operator !== 'MatMulInteger' && node.operator !== 'ConvInteger';
    const moves = node.inputs.length === 0 || !context.integerValued.has(node.inputs[0]!) || context.rawIntegers.has(node.inputs[0]!);
    if (!quantizes && moves) for (const output of node.outputs) if (context.integerValued.has(output)) context.rawIntegers.add(output);
  }
  const outputs = graph.outputs.map((output) => lowerOutput(context, graph, output.name));
  return simplify({ nodes: context.nodes, outputs, notes: context.notes });
}
