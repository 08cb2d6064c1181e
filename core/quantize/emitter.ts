import { executeInstruction, validateInstruction } from '../ops/index.ts';
import type { AnyInstruction, Attributes, Kind } from '../program/types.ts';
import { allocate, type ElementType, type TypedArray } from '../tensor.ts';

/** How integers stand for reals: value = (integer − zero)·scale. */
export interface Quantization {
  readonly type: ElementType;
  readonly scale: number;
  readonly zero: number;
}

/** An integer tensor of the program under construction. */
export interface IntegerTensor {
  readonly position: number;
  readonly quantization: Quantization;
  /** Where channels (last axis) have quantizations of their own: theirs, all of the type of `quantization`. Only linear layers read such a tensor. */
  readonly channels?: readonly Quantization[];
}

/**
 * Appends instructions and runs each on every calibration case at once, so that the next layer is fitted to the very
 * integers it will see.
 */
export class Emitter {
  readonly instructions: AnyInstruction[] = [];
  /** labels[i]: the ONNX node that instruction i serves. */
  readonly labels: string[] = [];
  /** values[case][instruction] */
  readonly values: TypedArray[][];
  label = '';

  constructor(cases: number) {
    this.values = Array.from({ length: cases }, () => []);
  }

  input(type: ElementType, length: number, values: readonly TypedArray[]): number {
    this.push({ kind: 'input', type, length, sources: [], attributes: {}, parameters: new Uint8Array(0) });
    values.forEach((tensor, i) => {
      this.values[i]!.push(tensor);
    });
    return this.instructions.length - 1;
  }

  /** Validates, runs and appends one instruction; returns its position. */
  emit<K extends Kind>(
    kind: K,
    type: ElementType,
    length: number,
    sources: readonly number[],
    attributes: Attributes<K>,
    parameters: Uint8Array = new Uint8Array(0),
  ): number {
    // The kind ties the attributes to it; TypeScript cannot follow that through the union.
    const instruction = { kind, type, length, sources, attributes, parameters } as unknown as AnyInstruction;
    validateInstruction(
      instruction,
      sources.map((source) => this.instructions[source]!),
    );
    this.push(instruction);
    for (const tensors of this.values) {
      const out = allocate(type, length);
      executeInstruction(
        instruction,
        sources.map((source) => tensors[source]!),
        out,
      );
      tensors.push(out);
    }
    return this.instructions.length - 1;
  }

  length(position: number): number {
    return this.instructions[position]!.length;
  }

  private push(instruction: AnyInstruction): void {
    this.instructions.push(instruction);
    this.labels.push(this.label);
  }
}
