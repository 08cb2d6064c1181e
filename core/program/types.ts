import type { ElementType } from '../tensor.ts';

/**
 * Attribute names of every instruction kind, in the order in which a record stores them (docs/program-format.md).
 * The position of a kind in this table is its code. FROZEN at version 1: append, never reorder.
 */
export const ATTRIBUTES = {
  /** A network input; has no sources. */
  input: [],
  /** Dense and convolution layers. */
  linear: [
    'batch',
    'height',
    'width',
    'channels',
    'outHeight',
    'outWidth',
    'outChannels',
    'kernelHeight',
    'kernelWidth',
    'strideHeight',
    'strideWidth',
    'dilationHeight',
    'dilationWidth',
    'padTop',
    'padLeft',
    'groups',
    'zeroPoint',
    'weightBytes',
    'low',
    'high',
  ],
  /** Product of two activations, both with the contracted axis last. */
  matmul: ['batch', 'rows', 'inner', 'columns', 'zeroPointA', 'zeroPointB', 'shift', 'bias', 'low', 'high', 'shareB'],
  /** Per-channel affine map of one tensor, or weighted sum of two. */
  rescale: ['channels', 'channelInner', 'shift', 'zeroPointA', 'zeroPointB', 'innerB', 'low', 'high'],
  /** Element product of two tensors. */
  multiply: ['multiplier', 'shift', 'zeroPointA', 'zeroPointB', 'innerB', 'bias', 'low', 'high'],
  /** Lookup in constant tables: unary functions, embeddings, leaf values. */
  table: ['offset', 'entries', 'width', 'channels', 'channelInner'],
  /** Window maximum or minimum. */
  max: [
    'batch',
    'height',
    'width',
    'channels',
    'outHeight',
    'outWidth',
    'kernelHeight',
    'kernelWidth',
    'strideHeight',
    'strideWidth',
    'dilationHeight',
    'dilationWidth',
    'padTop',
    'padLeft',
    'minimum',
  ],
  /** Window sum: average pools, Reduce*. */
  sum: [
    'batch',
    'height',
    'width',
    'channels',
    'outHeight',
    'outWidth',
    'kernelHeight',
    'kernelWidth',
    'strideHeight',
    'strideWidth',
    'dilationHeight',
    'dilationWidth',
    'padTop',
    'padLeft',
    'zeroPoint',
    'multiplier',
    'shift',
    'bias',
    'low',
    'high',
  ],
  /** Explicit index map over sources and constants: every data movement. */
  map: [],
  /** Data-dependent lookup. */
  gather: ['outer', 'axis', 'width', 'count', 'perOuter', 'offset'],
  /** Element choice by a condition tensor. */
  select: ['threshold'],
  /** Index of the largest or smallest element, the first on ties. */
  arg: ['outer', 'axis', 'inner', 'minimum'],
  /** Rounded quotient of two tensors. */
  divide: ['multiplier', 'zeroPoint', 'innerB', 'offset', 'low', 'high'],
  /** Integer square root. */
  isqrt: ['shift'],
  /** Decision trees: the node reached in each tree. */
  tree: ['rows', 'features', 'trees', 'nodes', 'depth'],
} as const;

export type Kind = keyof typeof ATTRIBUTES;
export const KINDS = Object.keys(ATTRIBUTES) as readonly Kind[];

export type Attributes<K extends Kind> = Readonly<Record<(typeof ATTRIBUTES)[K][number], number>>;

/** One instruction: writes exactly the tensor of its own position, reads tensors of lower positions. */
export interface Instruction<K extends Kind = Kind> {
  readonly kind: K;
  /** Type of the tensor it writes. */
  readonly type: ElementType;
  /** Elements of the tensor it writes. */
  readonly length: number;
  /** Positions of the tensors it reads, each lower than its own. */
  readonly sources: readonly number[];
  readonly attributes: Attributes<K>;
  /** Constant bytes: weights, tables, maps, trees; little-endian; layout per kind. */
  readonly parameters: Uint8Array;
}

/** Union over the kinds, for narrowing on `kind`. */
export type AnyInstruction = { [K in Kind]: Instruction<K> }[Kind];

/** How one input or output tensor is read by people: value = (integer − zeroPoint) · scale. */
export interface TensorInterface {
  readonly name: string;
  /** Shape in the model's own (ONNX) order; elements in row-major order. */
  readonly dims: readonly number[];
  readonly type: ElementType;
  /** One scale, or one per position of `axis`. */
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  /** Axis of the scales; 0 and ignored with one scale. */
  readonly axis: number;
}

export interface ProgramInterface {
  /** Human name; part of the identity. */
  readonly name: string;
  readonly inputs: readonly TensorInterface[];
  readonly outputs: readonly TensorInterface[];
}

/** An integer program: the first instructions are its inputs, the last its outputs. */
export interface Program {
  readonly instructions: readonly AnyInstruction[];
  readonly interface: ProgramInterface;
}

export const LIMITS = {
  instructions: 512,
  sources: 8,
  inputs: 6,
  outputs: 6,
  /** Elements of one tensor. */
  length: 1 << 26,
  /** Bytes opened by one step: leaves, parameters, siblings. */
  stepBytes: 96 * 1024,
  /** Bytes of a whole program file. */
  programBytes: 512 * 1024 * 1024,
} as const;
