import type { Feeds } from '../evaluate/index.ts';
import type { Graph, GraphNode } from '../graph.ts';
import { isFloat, type Tensor } from '../tensor.ts';

/** Inputs of operators that an integer program needs to know in advance: shapes, axes, bounds, weights, scales. */
const PARAMETERS: Readonly<Record<string, readonly number[]>> = {
  ArrayFeatureExtractor: [1],
  Attention: [6],
  BatchNormalization: [1, 2, 3, 4],
  Clip: [1, 2],
  ConstantOfShape: [0],
  Conv: [1, 2],
  ConvInteger: [1, 2, 3],
  ConvTranspose: [1, 2],
  CumSum: [1],
  DequantizeLinear: [1, 2],
  Expand: [1],
  GRU: [1, 2, 3, 4],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LSTM: [1, 2, 3, 4],
  LayerNormalization: [1, 2],
  MatMulInteger: [2, 3],
  OneHot: [1, 2],
  PRelu: [1],
  Pad: [1, 2, 3],
  QLinearConv: [1, 2, 3, 4, 5, 6, 7, 8],
  QLinearMatMul: [1, 2, 4, 5, 6, 7],
  QuantizeLinear: [1, 2],
  RMSNormalization: [1],
  RNN: [1, 2, 3, 4],
  Range: [0, 1, 2],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  Reshape: [1],
  Resize: [1, 2, 3],
  ScatterND: [1],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Trilu: [1],
  Unsqueeze: [1],
  Upsample: [1],
};

function usesAsData(node: GraphNode, name: string): boolean {
  const parameters = PARAMETERS[node.operator] ?? [];
  return node.inputs.some((input, position) => input === name && !parameters.includes(position));
}

/**
 * Some models take shapes, bounds or weights as inputs. A program is one fixed computation, so such an input is frozen at
 * the example's value; the report says so. An input that is also used as data stays an input.
 */
export function freezeParameters(graph: Graph, feeds: Feeds): { graph: Graph; notes: string[] } {
  const frozen = graph.inputs.filter((input) => {
    const users = graph.nodes.filter((node) => node.inputs.includes(input.name));
    const answered = graph.outputs.some((output) => output.name === input.name);
    return !answered && users.length > 0 && users.every((node) => !usesAsData(node, input.name));
  });
  if (frozen.length === 0 || frozen.length === graph.inputs.length) return { graph, notes: [] };
  const constants = new Map<string, Tensor>(graph.constants);
  const notes = frozen.map(({ name }) => {
    const value = feeds.get(name)!;
    constants.set(name, value);
    return `input '${name}' is frozen at the first case's ${isFloat(value.type) ? 'values' : `value (${Array.from(value.data).slice(0, 8).join(', ')})`}: it is a parameter, not data`;
  });
  return { graph: { ...graph, constants, inputs: graph.inputs.filter((input) => !frozen.includes(input)) }, notes };
}
