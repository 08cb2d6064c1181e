import { encodeRecords } from '../program/codec.ts';
import type { Program } from '../program/types.ts';
import { buildTree, leafHash, leavesOfBytes, type MerkleTree } from '../tree.ts';

/** Records and trees of a program: made once, used for all its claims. */
export interface ProgramTrees {
  readonly program: Program;
  /** 204 bytes each. */
  readonly records: readonly Uint8Array[];
  readonly recordTree: MerkleTree;
  /** Tree of an instruction's parameters; built when first asked for, then kept. The instruction has some. */
  parameterTree(position: number): MerkleTree;
}

export function programTrees(program: Program): ProgramTrees {
  const records = encodeRecords(program);
  const known = new Map<number, MerkleTree>();
  return {
    program,
    records,
    recordTree: buildTree(records.map(leafHash)),
    parameterTree(position) {
      const tree = known.get(position) ?? buildTree(leavesOfBytes(program.instructions[position]!.parameters));
      known.set(position, tree);
      return tree;
    },
  };
}
