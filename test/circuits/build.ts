import type { Instruction, Kind, Program } from '../../core/program/types.ts';
import { inputCount, validateProgram } from '../../core/program/validate.ts';
import { allocate, type ElementType, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../../core/tensor.ts';

/** Deterministic numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type AnyPart = { readonly [K in Kind]: Instruction<K> }[Kind];

/** A program from its instructions: the interface is made up, the whole is validated. */
export function program(name: string, instructions: readonly AnyPart[], outputs = 1): Program {
  const describe = (part: AnyPart, i: number) => ({
    name: `t${i}`,
    dims: [part.length],
    type: part.type,
    scales: [1],
    zeroPoints: [0],
    axis: 0,
  });
  const inputs = instructions.filter(({ kind }) => kind === 'input');
  const built: Program = {
    instructions,
    interface: {
      name,
      inputs: inputs.map(describe),
      outputs: instructions.slice(-outputs).map((part, i) => describe(part, instructions.length - outputs + i)),
    },
  };
  validateProgram(built);
  return built;
}

export function part<K extends Kind>(
  kind: K,
  type: ElementType,
  length: number,
  sources: readonly number[],
  attributes: Instruction<K>['attributes'],
  parameters: Uint8Array = new Uint8Array(0),
): AnyPart {
  return { kind, type, length, sources, attributes, parameters } as unknown as AnyPart;
}

export function input(type: ElementType, length: number): AnyPart {
  return part('input', type, length, [], {});
}

export interface Layer {
  readonly weights: readonly (readonly number[])[];
  readonly bias: readonly number[];
  readonly shift: readonly number[];
}

/** Rows of a linear instruction with one-byte weights. */
export function linearParameters({ weights, bias, shift }: Layer): Uint8Array {
  const width = weights[0]!.length + 5;
  const bytes = new Uint8Array(width * weights.length);
  const view = new DataView(bytes.buffer);
  weights.forEach((row, o) => {
    row.forEach((w, i) => {
      view.setInt8(o * width + i, w);
    });
    view.setInt32(o * width + row.length, bias[o]!, true);
    view.setUint8(o * width + row.length + 4, shift[o]!);
  });
  return bytes;
}

const UNIT = { strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0 };

export function dense(type: ElementType, source: number, layer: Layer, clamp: readonly [number, number], zeroPoint = 0): AnyPart {
  const outChannels = layer.weights.length;
  const channels = layer.weights[0]!.length;
  const attributes = {
    ...UNIT,
    ...{ batch: 1, height: 1, width: 1, channels, outHeight: 1, outWidth: 1, outChannels, kernelHeight: 1, kernelWidth: 1 },
    ...{ groups: 1, zeroPoint, weightBytes: 1, low: clamp[0], high: clamp[1] },
  };
  return part('linear', type, outChannels, [source], attributes, linearParameters(layer));
}

export interface ConvolutionShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly kernel: number;
  readonly pad: number;
  readonly stride?: number;
  readonly groups?: number;
}

export function outSize(size: number, shape: ConvolutionShape): number {
  return Math.floor((size + 2 * shape.pad - shape.kernel) / (shape.stride ?? 1)) + 1;
}

export function convolution(
  type: ElementType,
  source: number,
  shape: ConvolutionShape,
  layer: Layer,
  clamp: readonly [number, number],
): AnyPart {
  const outHeight = outSize(shape.height, shape);
  const outWidth = outSize(shape.width, shape);
  const outChannels = layer.weights.length;
  const attributes = {
    ...UNIT,
    ...{ batch: 1, height: shape.height, width: shape.width, channels: shape.channels, outHeight, outWidth, outChannels },
    ...{ kernelHeight: shape.kernel, kernelWidth: shape.kernel, strideHeight: shape.stride ?? 1, strideWidth: shape.stride ?? 1 },
    ...{ padTop: shape.pad, padLeft: shape.pad, groups: shape.groups ?? 1, zeroPoint: 0, weightBytes: 1, low: clamp[0], high: clamp[1] },
  };
  return part('linear', type, outHeight * outWidth * outChannels, [source], attributes, linearParameters(layer));
}

export function pool(kind: 'max' | 'sum', source: number, height: number, width: number, channels: number): AnyPart {
  const [outHeight, outWidth] = [height >> 1, width >> 1];
  const window = {
    ...UNIT,
    ...{ batch: 1, height, width, channels, outHeight, outWidth, kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2 },
  };
  const length = outHeight * outWidth * channels;
  if (kind === 'max') return part('max', 'u8', length, [source], { ...window, minimum: 0 });
  return part('sum', 'u8', length, [source], { ...window, zeroPoint: 0, multiplier: 1, shift: 2, bias: 0, low: 0, high: 255 });
}

/** Random values of the inputs' types. */
export function randomInputs(of: Program, next: () => number): TypedArray[] {
  return of.instructions.slice(0, inputCount(of)).map(({ type, length }) => {
    const span = TYPE_MAXIMUM[type] - TYPE_MINIMUM[type] + 1;
    const values = allocate(type, length);
    for (let i = 0; i < length; i++) values[i] = TYPE_MINIMUM[type] + Math.floor(next() * span);
    return values;
  });
}

/** Weights as a quantizer leaves them: normal, the largest of each row near 64. */
export function quantizedLayer(outputs: number, inputs: number, next: () => number, requantized = true): Layer {
  const normal = (): number => Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
  const weights = Array.from({ length: outputs }, () => {
    const row = Array.from({ length: inputs }, normal);
    const most = Math.max(...row.map(Math.abs));
    return row.map((w) => Math.round((w / most) * 64));
  });
  // The shift that brings three deviations of the accumulator to 255: what calibration picks.
  const shift = weights.map((row) => {
    const deviation = Math.sqrt(row.reduce((sum, w) => sum + w * w, 0)) * 110;
    return requantized ? Math.max(1, Math.min(14, Math.round(Math.log2((3 * deviation) / 255)))) : 0;
  });
  return { weights, bias: weights.map(() => Math.round(normal() * 500)), shift };
}

const RELU = [0, 255] as const;
const WIDE = [-2147483648, 2147483647] as const;

/** The shapes of ../shared/ladder/make.mjs with random weights: hidden layers u8, last layer i32. */
export function ladderDense(name: string, sizes: readonly number[], seed: number): Program {
  const next = random(seed);
  const parts: AnyPart[] = [input('u8', sizes[0]!)];
  for (let i = 1; i < sizes.length; i++) {
    const last = i === sizes.length - 1;
    parts.push(dense(last ? 'i32' : 'u8', i - 1, quantizedLayer(sizes[i]!, sizes[i - 1]!, next, !last), last ? WIDE : RELU));
  }
  return program(name, parts);
}

export function ladderLenet(kind: 'max' | 'sum', seed: number): Program {
  const next = random(seed);
  const first = { height: 28, width: 28, channels: 1, kernel: 5, pad: 2 };
  const second = { height: 14, width: 14, channels: 6, kernel: 5, pad: 0 };
  return program(kind === 'max' ? 'lenet5-maxpool' : 'lenet5-avgpool', [
    input('u8', 784),
    convolution('u8', 0, first, quantizedLayer(6, 25, next), RELU),
    pool(kind, 1, 28, 28, 6),
    convolution('u8', 2, second, quantizedLayer(16, 150, next), RELU),
    pool(kind, 3, 10, 10, 16),
    dense('u8', 4, quantizedLayer(120, 400, next), RELU),
    dense('u8', 5, quantizedLayer(84, 120, next), RELU),
    dense('i32', 6, quantizedLayer(10, 84, next, false), WIDE),
  ]);
}

export const LADDER: Readonly<Record<string, () => Program>> = {
  'logreg-30': () => ladderDense('logreg-30', [30, 1], 1),
  'mlp-784-128-10': () => ladderDense('mlp-784-128-10', [784, 128, 10], 2),
  'lenet5-avgpool': () => ladderLenet('sum', 3),
  'lenet5-maxpool': () => ladderLenet('max', 3),
  'mlp-2m-6k': () => ladderDense('mlp-2m-6k', [784, 2000, 60, 4000, 10], 5),
  'dense-4m': () => ladderDense('dense-4m', [1024, 1024, 1024, 1024, 1024, 10], 6),
};
