import type { WindowAttributes } from '../../ops/window.ts';

/**
 * The float network between ONNX and the integer program. Tensors are flat, images channels last; every node writes the tensor of
 * its own position from lower ones. Node kinds correspond to instructions or short fixed sequences of them; ONNX's breadth ends here.
 */
interface Common {
  /** Name of the ONNX node it came from, for messages and the report. */
  readonly label: string;
  readonly length: number;
  readonly sources: readonly number[];
  /** The 8-bit quantization that the file itself gives this tensor. */
  readonly held?: Held;
}

/** real = (u8 − zero)·scale */
export interface Held {
  readonly scale: number;
  readonly zero: number;
}

/** Bounds that the exact result is clamped to (Relu, Relu6, Clip); infinite where there are none. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export const UNBOUNDED: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };

export interface InputNode extends Common {
  readonly kind: 'input';
  readonly name: string;
  readonly dims: readonly number[];
  /** Integer and boolean inputs enter unquantized. */
  readonly integer: boolean;
  /** Inputs of the model that lie in it one after the other; its own where there is one. */
  readonly parts: readonly string[];
}

/** `Σ x·w + bias` over a window, padding contributing zero. */
export interface LinearNode extends Common {
  readonly kind: 'linear';
  readonly window: WindowAttributes;
  readonly outChannels: number;
  readonly groups: number;
  /** [outChannels][kernel y][kernel x][channel of the group] */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  readonly bounds: Bounds;
}

/** `scale·Σ_k A[b,i,k]·B[b,j,k]`, both with the contracted axis last. */
export interface MatmulNode extends Common {
  readonly kind: 'matmul';
  readonly batch: number;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly shareB: boolean;
  readonly scale: number;
  readonly bounds: Bounds;
}

/** `a[c]·A[e] + b[c]·B[⌊e/innerB⌋ mod |B|] + bias[c]`, c = ⌊e/channelInner⌋ mod channels; one or two sources. */
export interface RescaleNode extends Common {
  readonly kind: 'rescale';
  readonly channelInner: number;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly bias: Float64Array;
  readonly innerB: number;
  readonly bounds: Bounds;
}

/** `scale·A[e]·B[⌊e/innerB⌋ mod |B|]` */
export interface MultiplyNode extends Common {
  readonly kind: 'multiply';
  readonly innerB: number;
  readonly scale: number;
  readonly bounds: Bounds;
}

/** `A[e] / B[⌊e/innerB⌋ mod |B|]` */
export interface DivideNode extends Common {
  readonly kind: 'divide';
  readonly innerB: number;
}

/** A scalar function per channel, c = ⌊e/channelInner⌋ mod functions. */
export interface UnaryNode extends Common {
  readonly kind: 'unary';
  readonly name: string;
  readonly functions: readonly ((x: number) => number)[];
  readonly channelInner: number;
}

export interface MaxNode extends Common {
  readonly kind: 'max';
  readonly window: WindowAttributes;
  readonly minimum: boolean;
}

/** `scale·Σ` over a window, per channel. */
export interface SumNode extends Common {
  readonly kind: 'sum';
  readonly window: WindowAttributes;
  readonly scale: number;
  readonly bounds: Bounds;
}

/** `(sources joined ‖ constants)[index[e]]` */
export interface MapNode extends Common {
  readonly kind: 'map';
  readonly index: Int32Array;
  readonly constants: readonly number[];
}

/** Rows of a constant table chosen by an integer tensor: `table[clamp(x − offset)][i]`. */
export interface LookupNode extends Common {
  readonly kind: 'lookup';
  readonly table: Float64Array;
  readonly entries: number;
  readonly width: number;
  readonly offset: number;
  /** Tables: one, or one per channel c = j mod channels. */
  readonly channels: number;
  /** Whether the values are integers that must stay exact. */
  readonly integer: boolean;
}

/** `data[o, index[j], i]`; sources are data and index. */
export interface GatherNode extends Common {
  readonly kind: 'gather';
  readonly outer: number;
  readonly axis: number;
  readonly width: number;
  readonly count: number;
  readonly perOuter: boolean;
}

/** `condition > 0 ? A : B` */
export interface SelectNode extends Common {
  readonly kind: 'select';
}

/** `A·sign > B·sign` (strict) as 0 or 1: sources A and B, or A against constants per channel. */
export interface CompareNode extends Common {
  readonly kind: 'compare';
  readonly relation: 'greater' | 'greaterOrEqual' | 'equal';
  readonly innerB: number;
  readonly constants: Float64Array;
  readonly channelInner: number;
}

export interface ArgNode extends Common {
  readonly kind: 'arg';
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
  readonly minimum: boolean;
}

/** Over rows of `width` values. */
export interface SoftmaxNode extends Common {
  readonly kind: 'softmax';
  readonly width: number;
  readonly logarithm: boolean;
}

/** `(x − mean) / √(variance + epsilon)` over rows of `width` values; without centering the mean stays. */
export interface NormalizeNode extends Common {
  readonly kind: 'normalize';
  readonly width: number;
  readonly epsilon: number;
  readonly center: boolean;
}

export interface TreeBranch {
  readonly feature: number;
  readonly threshold: number;
  /** `x < threshold` goes left instead of `x ≤ threshold`. */
  readonly strict: boolean;
  readonly left: number;
  readonly right: number;
  readonly leaf: boolean;
}

/** Index of the leaf reached in every tree. Output [rows, trees]. */
export interface TreeNetNode extends Common {
  readonly kind: 'tree';
  readonly rows: number;
  readonly features: number;
  readonly trees: readonly (readonly TreeBranch[])[];
  readonly depth: number;
}

export type NetNode =
  | InputNode
  | LinearNode
  | MatmulNode
  | RescaleNode
  | MultiplyNode
  | DivideNode
  | UnaryNode
  | MaxNode
  | SumNode
  | MapNode
  | LookupNode
  | GatherNode
  | SelectNode
  | CompareNode
  | ArgNode
  | SoftmaxNode
  | NormalizeNode
  | TreeNetNode;

export interface NetOutput {
  readonly name: string;
  readonly dims: readonly number[];
  readonly node: number;
  /** Whether the model declares an integer or boolean output. */
  readonly integer: boolean;
}

export interface Net {
  readonly nodes: readonly NetNode[];
  readonly outputs: readonly NetOutput[];
  /** What the importer decided that a user should know (a label table, a dropped output). */
  readonly notes: readonly string[];
}

/** Window of a layer that looks at one pixel at a time: `rows` pixels of `channels` values. */
export function pointwise(rows: number, channels: number): WindowAttributes {
  return {
    batch: 1,
    height: rows,
    width: 1,
    channels,
    outHeight: rows,
    outWidth: 1,
    kernelHeight: 1,
    kernelWidth: 1,
    strideHeight: 1,
    strideWidth: 1,
    dilationHeight: 1,
    dilationWidth: 1,
    padTop: 0,
    padLeft: 0,
  };
}

/** Window that folds `width` consecutive pixels of `channels` values into one, `batch` times. */
export function folding(batch: number, width: number, channels: number): WindowAttributes {
  return { ...pointwise(width, channels), batch, outHeight: 1, kernelHeight: width };
}
