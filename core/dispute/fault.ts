import type { Hash } from '../brand.ts';
import { AssayError } from '../errors.ts';
import { toHash } from '../keccak.ts';
import { ELEMENT_BYTES, fromBytes } from '../tensor.ts';
import type { Trace } from '../trace.ts';
import { CHUNK_BYTES } from '../tree.ts';
import { type Fault, openRecord, openRoots } from './openings.ts';
import type { ProgramTrees } from './program-trees.ts';
import { stepEvidence } from './step-evidence.ts';

/** The leaf of the posted tensor in which it first differs from the own one. */
export interface DifferingLeaf {
  readonly index: number;
  readonly leaf: Uint8Array;
  /** Up to the tensor's top. */
  readonly siblings: readonly Uint8Array[];
}

/**
 * Everything that shows the first wrong element of a posted tensor, all of whose sources are as posted.
 * @param own a right run on the claim's input
 * @param posted the posted root list, first wrong at `position`
 * @throws AssayError FAULT_NONE when the leaf holds nothing wrong
 */
export function buildFault(trees: ProgramTrees, own: Trace, posted: readonly Hash[], position: number, found: DifferingLeaf): Fault {
  const instruction = trees.program.instructions[position]!;
  const perLeaf = CHUNK_BYTES / ELEMENT_BYTES[instruction.type];
  const claimed = fromBytes(instruction.type, found.leaf);
  const right = own.tensors[position]!.subarray(found.index * perLeaf, found.index * perLeaf + claimed.length);
  const offset = right.findIndex((value, i) => value !== claimed[i]);
  if (offset < 0) {
    throw new AssayError('The posted leaf is right', { code: 'FAULT_NONE', facts: { position, leaf: found.index } });
  }
  const element = found.index * perLeaf + offset;
  const parameterTree = instruction.parameters.length === 0 ? undefined : trees.parameterTree(position);
  return {
    position,
    element,
    ...openRecord(trees, position),
    ...openRoots(posted, [...instruction.sources, position]),
    leaf: found.leaf,
    leafSiblings: found.siblings.map(toHash),
    evidence: stepEvidence(trees.program, position, element, own, parameterTree),
  };
}
