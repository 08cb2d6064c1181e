import { AssayError } from '../errors.ts';
import type { AnyInstruction, Kind, Program } from '../program/types.ts';
import { inputCount, outputCount } from '../program/validate.ts';
import type { ElementType } from '../tensor.ts';
import { carried } from './arithmetic.ts';
import { GraphBuilder, type Value } from './graph.ts';
import { divide, isqrt, multiply, rescale, select } from './lower/elementwise.ts';
import { linear } from './lower/linear.ts';
import { arg, gather, map, table, tree } from './lower/lookup.ts';
import { matmul } from './lower/matmul.ts';
import { max, sum } from './lower/window.ts';
import type { Carried, Lowering } from './lowering.ts';

type ComputedKind = Exclude<Kind, 'input'>;

/** How every computed kind is written for onnxruntime: total, so that a kind without a carrier is a type error. */
export const LOWERINGS: { readonly [K in ComputedKind]: Lowering<K> } = {
  linear,
  matmul,
  rescale,
  multiply,
  table,
  max,
  sum,
  map,
  gather,
  select,
  arg,
  divide,
  isqrt,
  tree,
};

export interface CarrierOptions {
  /** Also return every tensor of the run, as `t0`, `t1`, …; a serving carrier returns the outputs alone. */
  readonly trace?: boolean;
}

/** Name of tensor i as an input or output of a carrier. */
export function tensorName(position: number): string {
  return `t${position}`;
}

/** Largest ONNX file that protobuf can hold. */
const CARRIER_LIMIT = 2 ** 31 - 1;

function lower(g: GraphBuilder, instruction: AnyInstruction, sources: readonly Carried[]): Value {
  // Indexed by the instruction's own kind, which TypeScript cannot follow through a union.
  const lowering = LOWERINGS[instruction.kind as ComputedKind] as unknown as (
    g: GraphBuilder,
    instruction: AnyInstruction,
    sources: readonly Carried[],
  ) => Value;
  return lowering(g, instruction, sources);
}

/**
 * The ONNX file in which onnxruntime computes exactly what `execute` does: fused integer convolutions where they are exact, integer
 * glue elsewhere, no float arithmetic that rounds. The same program always gives the same bytes. Inputs and outputs are `t<i>`, flat.
 * @param program a valid program (decodeProgram or validateProgram)
 * @throws AssayError CARRIER_TOO_LARGE
 */
export function buildCarrier(program: Program, options: CarrierOptions = {}): Uint8Array {
  const g = new GraphBuilder();
  const tensors: Carried[] = [];
  const inputs = inputCount(program);
  const firstOutput = program.instructions.length - outputCount(program);
  program.instructions.forEach((instruction, position) => {
    const element: ElementType = instruction.type;
    if (position < inputs) {
      const given = g.input(tensorName(position), element, [instruction.length]);
      tensors.push({ value: g.cast(given, carried(element)), element });
    } else {
      const sources = instruction.sources.map((source) => tensors[source]!);
      tensors.push({ value: lower(g, instruction, sources), element });
    }
  });
  tensors.forEach(({ value, element }, position) => {
    if (position < inputs ? position < firstOutput : options.trace !== true && position < firstOutput) return;
    g.output(outputName(position, inputs), g.cast(g.reshape(value, [program.instructions[position]!.length]), element));
  });
  const bytes = g.finish();
  if (bytes.length > CARRIER_LIMIT)
    throw new AssayError('The carrier is too large for ONNX', { code: 'CARRIER_TOO_LARGE', facts: { bytes: bytes.length } });
  return bytes;
}

/** An output that is also an input needs another name. */
export function outputName(position: number, inputs: number): string {
  return position < inputs ? `out_${tensorName(position)}` : tensorName(position);
}
