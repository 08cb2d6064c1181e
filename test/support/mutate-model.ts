import type { TestAttribute, TestModel, TestNode, TestTensor } from './onnx.ts';
import type { Random } from './random.ts';

const ODD = [0, 1, -1, 2, 3, -2, 7, 100, 65536, 2147483647, -2147483648];
const OPERATORS = [
  'Add',
  'Mul',
  'Div',
  'Conv',
  'MatMul',
  'Reshape',
  'Transpose',
  'Concat',
  'Slice',
  'Gather',
  'Softmax',
  'ReduceSum',
  'Where',
  'TopK',
];

function number(r: Random): number {
  return r.chance(0.2) ? r.integer(-50, 50) / 7 : r.pick(ODD);
}

function mutateAttribute(r: Random, value: TestAttribute): TestAttribute {
  if (typeof value === 'number') return number(r);
  if (typeof value === 'string') return r.pick(['', 'linear', 'NONE', 'ab,bc->ac', 'x']);
  if (!Array.isArray(value)) return value;
  const list = value as readonly number[];
  const style = r.integer(0, 2);
  if (style === 0) return list.slice(1);
  if (style === 1) return [...list, r.pick(ODD)];
  return list.map((item) => (r.chance(0.5) ? r.pick(ODD) : item));
}

function mutateNode(r: Random, node: TestNode, names: readonly string[]): TestNode {
  const style = r.integer(0, 5);
  const attributes = Object.entries(node.attributes ?? {});
  if (style === 0) return { ...node, inputs: node.inputs.map((name) => (r.chance(0.4) ? r.pick(names) : name)) };
  if (style === 1) return { ...node, inputs: r.chance(0.5) ? node.inputs.slice(0, -1) : [...node.inputs, r.pick(names)] };
  if (style === 2) return { ...node, operator: r.pick(OPERATORS), domain: '' };
  if (style === 3)
    return { ...node, attributes: { ...node.attributes, [r.pick(['axis', 'group', 'keepdims', 'k', 'axes'])]: r.pick(ODD) } };
  return {
    ...node,
    attributes: Object.fromEntries(attributes.map(([name, value]) => [name, r.chance(0.6) ? mutateAttribute(r, value) : value])),
  };
}

function mutateTensor(r: Random, tensor: TestTensor): TestTensor {
  const style = r.integer(0, 3);
  if (style === 0) return { ...tensor, values: tensor.values.map((value) => (r.chance(0.5) ? number(r) : value)) };
  if (style === 1) return { ...tensor, dims: [...tensor.dims].reverse() };
  if (style === 2) return { ...tensor, dims: [1, ...tensor.dims] };
  return { ...tensor, dims: [tensor.values.length] };
}

/** Damages the meaning of a model and leaves a file that can be read: shapes, attributes, values and edges. */
export function mutateModel(r: Random, model: TestModel): TestModel {
  const names = [
    ...Object.keys(model.inputs),
    ...(model.constants ?? []).map(({ name }) => name),
    ...model.nodes.flatMap(({ outputs }) => outputs),
  ];
  let [nodes, constants, inputs] = [model.nodes, model.constants ?? [], model.inputs];
  for (let edits = r.integer(1, 3); edits > 0; edits--) {
    const style = r.integer(0, 3);
    if (style <= 1) {
      const at = r.integer(0, nodes.length - 1);
      nodes = nodes.map((node, i) => (i === at ? mutateNode(r, node, names) : node));
    } else if (style === 2 && constants.length > 0) {
      const at = r.integer(0, constants.length - 1);
      constants = constants.map((tensor, i) => (i === at ? mutateTensor(r, tensor) : tensor));
    } else {
      const change = (dims: readonly (number | string)[]) => dims.map((dim) => (r.chance(0.4) ? r.pick([1, 2, 3, 5, 8]) : dim));
      inputs = Object.fromEntries(Object.entries(inputs).map(([name, dims]) => [name, r.chance(0.2) ? dims.slice(1) : change(dims)]));
    }
  }
  return { ...model, nodes, constants, inputs };
}
