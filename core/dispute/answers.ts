import type { Hash } from '../brand.ts';
import { fromHex } from '../keccak.ts';
import { inputCount } from '../program/validate.ts';
import { toBytes } from '../tensor.ts';
import type { Trace } from '../trace.ts';
import { CHUNK_BYTES, childrenOf, chunkCount, openNodes } from '../tree.ts';
import type { ProgramTrees } from './program-trees.ts';
import { childCount, type Unit } from './units.ts';

/** One byte string out of parts. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function chunk(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(CHUNK_BYTES * index, CHUNK_BYTES * (index + 1));
}

function recordAnswer(trees: ProgramTrees, position: number): Uint8Array[] {
  return [trees.records[position]!, ...openNodes(trees.recordTree, [position])];
}

/**
 * The packed bytes with which a prover answers a demand of anything but the root list (docs/dispute.md, "Answers"). Undefined for the
 * root list, whose answer is `trace.roots`, and for units that do not exist in this program, which the board lets nobody demand.
 */
export function answerData(trees: ProgramTrees, trace: Trace, unit: Unit): Uint8Array | undefined {
  const { program } = trees;
  switch (unit.kind) {
    case 'tensorRoots':
      return undefined;
    case 'inputLeaf': {
      const tree = trace.trees[unit.position];
      if (tree === undefined || unit.position >= inputCount(program) || unit.index >= tree.leafCount) return undefined;
      const roots: readonly Hash[] = trace.roots.slice(0, inputCount(program));
      const leaf = chunk(toBytes(trace.tensors[unit.position]!), unit.index);
      return joinBytes([...roots.map(fromHex), leaf, ...openNodes(tree, [unit.index])]);
    }
    case 'instructionRecord':
      return trees.records[unit.position] === undefined ? undefined : joinBytes(recordAnswer(trees, unit.position));
    case 'parameterLeaf': {
      const parameters = program.instructions[unit.position]?.parameters;
      if (parameters === undefined) return undefined;
      const record = recordAnswer(trees, unit.position);
      // No such leaf: the record alone shows it.
      if (parameters.length === 0 || unit.index >= chunkCount(parameters.length)) return joinBytes(record);
      return joinBytes([...record, chunk(parameters, unit.index), ...openNodes(trees.parameterTree(unit.position), [unit.index])]);
    }
    case 'nodeChildren': {
      const tree = trace.trees[unit.position];
      if (tree === undefined || unit.height < 1 || unit.height > tree.depth) return undefined;
      const count = childCount(tree.leafCount, unit.height, unit.index);
      return count < 1 ? undefined : joinBytes(childrenOf(tree, unit.height, unit.index).slice(0, count));
    }
    case 'tensorLeaf': {
      const tree = trace.trees[unit.position];
      if (tree === undefined || unit.index >= tree.leafCount) return undefined;
      return chunk(toBytes(trace.tensors[unit.position]!), unit.index);
    }
  }
}
