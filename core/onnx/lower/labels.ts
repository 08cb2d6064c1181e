import { type Graph, type GraphNode, stringsAttribute } from '../graph.ts';

/** Operators that hand labels on. */
const PASSING = new Set(['Cast', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze']);

function labelsOf(graph: Graph, name: string): readonly string[] | undefined {
  const known = graph.strings?.get(name);
  if (known !== undefined) return known;
  const producer: GraphNode | undefined = graph.nodes.find(({ outputs }) => outputs.includes(name));
  if (producer === undefined) return undefined;
  if (producer.domain === 'ai.onnx.ml' && producer.outputs[0] === name) {
    const own = stringsAttribute(producer, 'classlabels_strings');
    if (own !== undefined) return own;
  }
  const passes = PASSING.has(producer.operator) || producer.operator === 'ArrayFeatureExtractor';
  return passes ? labelsOf(graph, producer.inputs[0] ?? '') : undefined;
}

/** Programs answer numbers: what the positions of labels that are strings stand for. */
export function labelNotes(graph: Graph): string[] {
  return graph.outputs.flatMap(({ name }) => {
    const labels = labelsOf(graph, name);
    return labels?.length ? [`output '${name}' is the position in the label list ${labels.join(', ')}`] : [];
  });
}
