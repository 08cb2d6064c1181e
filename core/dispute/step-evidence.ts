import type { Program } from '../program/types.ts';
import { type TypedArray, toBytes } from '../tensor.ts';
import { type ByteOpening, openBytes, type Trace } from '../trace.ts';
import { buildTree, leavesOfBytes, type MerkleTree } from '../tree.ts';
import { joinBytes } from './answers.ts';
import { stepReads } from './step-reads.ts';

/**
 * One opening as the step verifier reads it: count u16 ‖ indices u24 each ‖ leaves ‖ siblings, big-endian and without padding
 * (docs/dispute.md, "Evidence of a step"). Nothing opened is a count of 0 alone.
 */
export function encodeOpening(opening: ByteOpening): Uint8Array {
  const head = new DataView(new ArrayBuffer(2 + 3 * opening.indices.length));
  head.setUint16(0, opening.indices.length);
  opening.indices.forEach((index, i) => {
    head.setUint8(2 + 3 * i, index >>> 16);
    head.setUint16(3 + 3 * i, index & 0xffff);
  });
  return joinBytes([new Uint8Array(head.buffer), ...opening.leaves, ...opening.siblings]);
}

const NOTHING: ByteOpening = { indices: [], leaves: [], siblings: [] };

function opening(bytes: Uint8Array, tree: () => MerkleTree, leaves: readonly number[]): ByteOpening {
  return leaves.length === 0 ? NOTHING : openBytes(bytes, tree(), leaves);
}

/** A step's evidence and what it proves. */
export interface StepEvidence {
  readonly evidence: Uint8Array;
  /** The element as computed from the same tensors. */
  readonly value: number;
}

/**
 * Openings of exactly the leaves that one step reads: of the parameters, where the instruction has any, then of each source.
 * @param own a run whose tensors below `position` are as posted
 * @param parameterTree tree of the instruction's parameters, where the caller keeps it; else it is built, when it is needed
 */
export function stepEvidenceOf(
  program: Program,
  position: number,
  element: number,
  own: Pick<Trace, 'tensors' | 'trees'>,
  parameterTree?: MerkleTree,
): StepEvidence {
  const instruction = program.instructions[position]!;
  const reads = stepReads(program, position, element, own.tensors);
  const { parameters } = instruction;
  const parts: Uint8Array[] = [];
  if (parameters.length > 0) {
    parts.push(encodeOpening(opening(parameters, () => parameterTree ?? buildTree(leavesOfBytes(parameters)), reads.parameters)));
  }
  instruction.sources.forEach((source, n) => {
    const tensor: TypedArray = own.tensors[source]!;
    parts.push(encodeOpening(opening(toBytes(tensor), () => own.trees[source]!, reads.sources[n]!)));
  });
  return { evidence: joinBytes(parts), value: reads.value };
}

/** As `stepEvidenceOf`, the evidence alone. */
export function stepEvidence(
  program: Program,
  position: number,
  element: number,
  own: Pick<Trace, 'tensors' | 'trees'>,
  parameterTree?: MerkleTree,
): Uint8Array {
  return stepEvidenceOf(program, position, element, own, parameterTree).evidence;
}
