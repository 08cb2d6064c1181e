import type { Instruction } from '../program/types.ts';
import { TYPE_MAXIMUM } from '../tensor.ts';
import { readInteger } from './linear.ts';
import { type Operation, refuse, requireInteger, requireLength, requireParameters, requireSources, type StepAccess } from './operation.ts';

/** Bytes of one node: feature u16, left u16, right u16, zero u16, threshold i32; little-endian. */
export const TREE_NODE_BYTES = 12;

export interface TreeNode {
  readonly feature: number;
  readonly left: number;
  readonly right: number;
  readonly threshold: number;
}

export function encodeTreeNodes(nodes: readonly TreeNode[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(nodes.length * TREE_NODE_BYTES));
  nodes.forEach((node, i) => {
    view.setUint16(i * TREE_NODE_BYTES, node.feature, true);
    view.setUint16(i * TREE_NODE_BYTES + 2, node.left, true);
    view.setUint16(i * TREE_NODE_BYTES + 4, node.right, true);
    view.setInt32(i * TREE_NODE_BYTES + 8, node.threshold, true);
  });
  return new Uint8Array(view.buffer);
}

export function treeNode(access: Pick<StepAccess, 'parameter'>, index: number): TreeNode {
  const base = index * TREE_NODE_BYTES;
  const u16 = (offset: number): number => access.parameter(base + offset) | (access.parameter(base + offset + 1) << 8);
  return { feature: u16(0), left: u16(2), right: u16(4), threshold: readInteger(access, base + 8, 4) };
}

function descend(instruction: Instruction<'tree'>, element: number, access: StepAccess): number {
  const a = instruction.attributes;
  const row = Math.floor(element / a.trees);
  const tree = element % a.trees;
  let at = 0;
  for (let step = 0; step < a.depth; step++) {
    const node = treeNode(access, tree * a.nodes + at);
    const value = access.source(0, row * a.features + Math.min(node.feature, a.features - 1));
    at = Math.min(value <= node.threshold ? node.left : node.right, a.nodes - 1);
  }
  return at;
}

/**
 * `y[row, tree]` = the node reached from node 0 after exactly `depth` steps of `x[row, feature] ≤ threshold ? left : right`;
 * a leaf points at itself. Features [rows, features] of any type; parameters trees × nodes × 12 bytes; indices out of range take
 * the nearest. Cost of a step: `depth` nodes. ONNX: TreeEnsembleClassifier/Regressor (leaf values follow by `table` and `sum`).
 */
export const tree: Operation<'tree'> = {
  validate(instruction, sources) {
    const a = instruction.attributes;
    requireSources('tree', sources, 1);
    for (const name of ['rows', 'trees'] as const) requireInteger('tree', name, a[name], 1, 1 << 20);
    requireInteger('tree', 'features', a.features, 1, 65536);
    requireInteger('tree', 'nodes', a.nodes, 1, Math.min(65536, TYPE_MAXIMUM[instruction.type] + 1));
    requireInteger('tree', 'depth', a.depth, 0, 64);
    if (sources[0]!.length !== a.rows * a.features) refuse('tree', 'wrong length of the features', { length: sources[0]!.length });
    requireLength('tree', instruction.length, a.rows * a.trees);
    requireParameters('tree', instruction.parameters, a.trees * a.nodes * TREE_NODE_BYTES);
    for (let index = 0; index < a.trees * a.nodes; index++) {
      const node = treeNode({ parameter: (offset) => instruction.parameters[offset]! }, index);
      if (node.feature >= a.features || node.left >= a.nodes || node.right >= a.nodes)
        refuse('tree', 'a node points outside', { node: index });
    }
  },

  execute(instruction, sources, out) {
    const x = sources[0]!;
    const { parameters } = instruction;
    const access: StepAccess = { source: (_, index) => x[index]!, parameter: (offset) => parameters[offset]! };
    for (let e = 0; e < out.length; e++) out[e] = descend(instruction, e, access);
  },

  step(instruction, _sources, element, access) {
    return descend(instruction, element, access);
  },
};
