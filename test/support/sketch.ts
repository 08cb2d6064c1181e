import type { Case } from '../../core/cases.ts';
import { randomSource } from '../../core/quantize/calibration.ts';
import { onnxModel, type TestAttribute, type TestNode, type TestTensor } from './onnx.ts';

/** A small network of a kind that people bring, with seeded weights and inputs. */
export interface ZooModel {
  readonly name: string;
  readonly onnx: Uint8Array;
  /** Rows as its inputs would be; the first ones calibrate, others score. */
  cases(count: number): Case[];
}

type Fill = (random: () => number) => number;

export const gaussian: Fill = (random) => {
  const u = Math.max(random(), 1e-12);
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * random());
};

export const uniform =
  (low: number, high: number): Fill =>
  (random) =>
    low + (high - low) * random();

/** Writes nodes one after the other, each reading the last unless told otherwise. */
export class Sketch {
  private readonly nodes: TestNode[] = [];
  private readonly constants: TestTensor[] = [];
  private readonly inputs: Record<string, readonly number[]> = {};
  private readonly fills: Record<string, Fill> = {};
  private readonly types: Record<string, number> = {};
  private readonly random: () => number;
  private last = '';

  constructor(seed: number) {
    this.random = randomSource(seed);
  }

  input(name: string, dims: readonly number[], fill: Fill = gaussian, type = 1): string {
    this.inputs[name] = dims;
    this.fills[name] = fill;
    if (type !== 1) this.types[name] = type;
    this.last = name;
    return name;
  }

  weights(dims: readonly number[], scale?: number, offset = 0): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const fan = dims.length > 1 ? dims.slice(1).reduce((a, b) => a * b, 1) : 16;
    const values = Array.from({ length: count }, () => offset + (scale ?? Math.sqrt(2 / fan)) * gaussian(this.random));
    return this.constant(dims, values);
  }

  positive(dims: readonly number[], low: number, high: number): string {
    return this.constant(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => low + (high - low) * this.random()),
    );
  }

  constant(dims: readonly number[], values: readonly number[], type?: number): string {
    const name = `c${this.constants.length}`;
    this.constants.push({ name, dims, values, ...(type !== undefined && { type }) });
    return name;
  }

  /** Appends a node on the last result and further inputs; '' leaves an optional one out. */
  next(operator: string, others: readonly string[] = [], attributes: Record<string, TestAttribute> = {}, outputs = 1): string {
    return this.node(operator, [this.last, ...others], attributes, outputs)[0]!;
  }

  node(operator: string, inputs: readonly string[], attributes: Record<string, TestAttribute> = {}, outputs = 1): string[] {
    const names = Array.from({ length: outputs }, (_, i) => `t${this.nodes.length}_${i}`);
    this.nodes.push({ operator, inputs, outputs: names, attributes, name: `${operator}${this.nodes.length}` });
    this.last = names[0]!;
    return names;
  }

  from(name: string): this {
    this.last = name;
    return this;
  }

  dense(inner: number, outer: number, scale?: number): string {
    return this.next('Gemm', [this.weights([outer, inner], scale), this.weights([outer], 0.1)], { transB: 1 });
  }

  project(inner: number, outer: number, scale?: number): string {
    return this.next('MatMul', [this.weights([inner, outer], scale ?? 1 / Math.sqrt(inner))]);
  }

  batchNorm(channels: number): string {
    return this.next('BatchNormalization', [
      this.positive([channels], 0.3, 2),
      this.weights([channels], 0.5),
      this.weights([channels], 0.3),
      this.positive([channels], 0.05, 3),
    ]);
  }

  build(name: string, outputs: readonly string[] = [this.last], opset = 17): ZooModel {
    const { nodes, constants, inputs, types, fills } = this;
    const random = this.random;
    // Rows differ in strength, as pictures do in brightness: networks that average would answer noise alike.
    const data = (input: string, dims: readonly number[]): Float32Array => {
      const gain = types[input] === 7 ? 1 : 0.2 + 0.8 * random();
      return Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => gain * fills[input]!(random));
    };
    return {
      name,
      onnx: onnxModel({ nodes, constants, inputs, outputs, opset, types }),
      cases: (count) =>
        Array.from({ length: count }, () => ({
          inputs: Object.entries(inputs).map(([input, dims]) => ({
            name: input,
            type: types[input] === 7 ? 'int64' : 'float32',
            dims,
            data: data(input, dims),
          })),
          outputs: [],
        })),
    };
  }
}
