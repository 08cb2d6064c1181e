import { AssayError } from '../errors.ts';
import { linearRowBytes } from '../ops/linear.ts';
import type { TensorShape } from '../ops/operation.ts';
import type { WindowAttributes } from '../ops/window.ts';
import { ELEMENT_BYTES } from '../tensor.ts';
import { CHUNK_BYTES, chunkCount, treeDepth } from '../tree.ts';
import { type AnyInstruction, LIMITS, type Program } from './types.ts';
import { sourceShapes } from './validate.ts';

/**
 * What one step of an instruction costs a dispute, from its record alone: a closed form in whole numbers, so that a contract computes
 * the same. All figures are upper bounds over the elements of the tensor.
 */
export interface StepCost {
  /** Bytes opened: leaves of sources and parameters, and their siblings. */
  readonly bytes: number;
  /** Gas of the step by STEP_GAS. */
  readonly gas: number;
  /** Greatest tree depth (32-way levels) of the output and of the parameters. */
  readonly depth: number;
}

/**
 * Gas schedule of a step at prague rules: `base + max(floor·bytes, calldata·bytes + hash·(leaves + siblings) + operation·operations)`;
 * floor is EIP-7623's price of a nonzero byte. Gas snapshots of the step verifier hold measured steps below it.
 */
export const STEP_GAS = { base: 60_000, floor: 40, calldata: 16, hash: 700, product: 24, operation: 400 } as const;

/** Reads of one blob: `rows` separate places, in each `taps` runs of `run` bytes, `step` bytes apart; all aligned to `align`. */
interface Reads {
  readonly blobBytes: number;
  readonly align: number;
  readonly rows: number;
  readonly taps: number;
  readonly run: number;
  readonly step: number;
}

interface Opening {
  readonly leaves: number;
  readonly siblings: number;
}

/** Most leaves that `bytes` consecutive bytes touch, wherever they start at a multiple of `align`. */
function leavesTouched(bytes: number, align: number): number {
  return Math.floor((bytes - align + 2 * CHUNK_BYTES - 1) / CHUNK_BYTES);
}

function openingOf(reads: Reads): Opening {
  const chunks = chunkCount(reads.blobBytes);
  const levels = 5 * treeDepth(chunks);
  const perRun = leavesTouched(reads.run, reads.align);
  const span = leavesTouched((reads.taps - 1) * reads.step + reads.run, reads.align);
  const isDense = span <= reads.taps * perRun;
  const perRow = isDense ? span : reads.taps * perRun;
  const leaves = reads.rows * perRow;
  if (leaves >= chunks) return { leaves: chunks, siblings: levels };
  const ranges = reads.rows * (isDense ? 1 : reads.taps);
  return { leaves, siblings: ranges * Math.min(2, isDense ? span : perRun) * levels };
}

function single(shape: TensorShape): Reads {
  const bytes = ELEMENT_BYTES[shape.type];
  return { blobBytes: shape.length * bytes, align: bytes, rows: 1, taps: 1, run: bytes, step: 0 };
}

function run(shape: TensorShape, elements: number): Reads {
  return { ...single(shape), run: elements * ELEMENT_BYTES[shape.type] };
}

function strided(shape: TensorShape, count: number, step: number): Reads {
  return { ...single(shape), taps: count, step: step * ELEMENT_BYTES[shape.type] };
}

/** Reads of the taps inside the image, `elements` neighbouring channels each. */
function window(shape: TensorShape, w: WindowAttributes, elements: number): Reads {
  const bytes = ELEMENT_BYTES[shape.type];
  const step = w.dilationWidth * w.channels * bytes;
  return {
    ...single(shape),
    rows: Math.min(w.kernelHeight, w.height),
    taps: Math.min(w.kernelWidth, w.width),
    run: elements * bytes,
    step,
  };
}

function parameters(instruction: AnyInstruction, bytes: number, align: number, rows = 1): Reads {
  return { blobBytes: instruction.parameters.length, align, rows, taps: 1, run: bytes, step: 0 };
}

interface Work {
  readonly reads: readonly Reads[];
  /** Multiply-adds of bytes, which the chain computes packed; and other steps. */
  readonly products: number;
  readonly operations: number;
}

function workOf(instruction: AnyInstruction, sources: readonly TensorShape[]): Work {
  const one = { products: 0, operations: 1 };
  const [first, second] = [sources[0], sources[1]];
  const plain = sources.map(single);
  switch (instruction.kind) {
    case 'input':
      return { reads: [], products: 0, operations: 0 };
    case 'linear': {
      const a = instruction.attributes;
      const perGroup = a.channels / a.groups;
      const taps = a.kernelHeight * a.kernelWidth;
      const weights = parameters(instruction, linearRowBytes(a), 1);
      return { reads: [window(first!, a, perGroup), weights], products: taps * perGroup, operations: taps };
    }
    case 'matmul': {
      const { inner } = instruction.attributes;
      return { reads: [run(first!, inner), run(second!, inner)], products: inner, operations: 1 };
    }
    case 'max':
    case 'sum': {
      const a = instruction.attributes;
      return { reads: [window(first!, a, 1)], products: 0, operations: a.kernelHeight * a.kernelWidth };
    }
    case 'arg': {
      const a = instruction.attributes;
      return { reads: [strided(first!, a.axis, a.inner)], products: 0, operations: a.axis };
    }
    case 'tree': {
      const a = instruction.attributes;
      const bytes = ELEMENT_BYTES[first!.type];
      const features = { ...strided(first!, a.depth, 0), taps: Math.max(1, Math.min(a.depth, a.features)), step: bytes * a.features };
      return { reads: [features, parameters(instruction, 12, 4, Math.max(1, a.depth))], products: 0, operations: a.depth };
    }
    case 'rescale':
      return { reads: [...plain, parameters(instruction, 16, 16)], ...one };
    case 'table':
      return { reads: [...plain, parameters(instruction, ELEMENT_BYTES[instruction.type], ELEMENT_BYTES[instruction.type])], ...one };
    case 'map': {
      // One index, then one constant or one element of one source: the deepest of them.
      const places = sources.length === 0 ? [] : [single({ type: instruction.type, length: Math.max(...sources.map((s) => s.length)) })];
      return { reads: [parameters(instruction, 4, 4, 2), ...places], ...one };
    }
    case 'select':
      return { reads: plain.slice(0, 2), ...one };
    case 'multiply':
    case 'gather':
    case 'divide':
    case 'isqrt':
      return { reads: plain, ...one };
  }
}

/** Cost of the dearest step of an instruction. */
export function stepCost(instruction: AnyInstruction, sources: readonly TensorShape[]): StepCost {
  const work = workOf(instruction, sources);
  let [bytes, hashes] = [0, 0];
  for (const reads of work.reads) {
    if (reads.blobBytes === 0) continue;
    const { leaves, siblings } = openingOf(reads);
    bytes += Math.min(leaves * CHUNK_BYTES, reads.blobBytes) + 32 * siblings;
    hashes += leaves + siblings;
  }
  const execution =
    STEP_GAS.calldata * bytes + STEP_GAS.hash * hashes + STEP_GAS.product * work.products + STEP_GAS.operation * work.operations;
  const output = instruction.length * ELEMENT_BYTES[instruction.type];
  return {
    bytes,
    gas: STEP_GAS.base + Math.max(STEP_GAS.floor * bytes, execution),
    depth: Math.max(treeDepth(chunkCount(output)), treeDepth(chunkCount(instruction.parameters.length))),
  };
}

/** Multiply-adds and single reads of one run, about: the work of whoever runs a program again to check its answer. */
export function runOperations(program: Program): number {
  return program.instructions.reduce((total, instruction) => {
    const { products, operations } = workOf(instruction, sourceShapes(program, instruction));
    return total + instruction.length * (products + operations);
  }, 0);
}

/** The greatest cost of any step of a program, each figure by itself. */
export function worstStep(program: Program): StepCost {
  const worst = { bytes: 0, gas: 0, depth: 0 };
  for (const instruction of program.instructions) {
    const cost = stepCost(instruction, sourceShapes(program, instruction));
    worst.bytes = Math.max(worst.bytes, cost.bytes);
    worst.gas = Math.max(worst.gas, cost.gas);
    worst.depth = Math.max(worst.depth, cost.depth);
  }
  return worst;
}

/** Most gas of a step: a quarter of the transaction cap of EIP-7825; ModelRules.sol holds the same. */
export const STEP_GAS_LIMIT = 1 << 22;

/**
 * Checks that every step of a program can be shown wrong on chain; who serves or registers a program asks this besides its validity.
 * @throws AssayError STEP_TOO_LARGE naming the instruction
 */
export function requireDisputable(program: Program): void {
  program.instructions.forEach((instruction, position) => {
    const { bytes, gas } = stepCost(instruction, sourceShapes(program, instruction));
    if (bytes <= LIMITS.stepBytes && gas <= STEP_GAS_LIMIT) return;
    throw new AssayError('A step of the program is too large for a dispute', {
      code: 'STEP_TOO_LARGE',
      facts: { instruction: position, kind: instruction.kind, bytes, byteLimit: LIMITS.stepBytes, gas, gasLimit: STEP_GAS_LIMIT },
      fix: 'split the layer into smaller ones and compile again',
    });
  });
}
