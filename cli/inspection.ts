import { type CircuitEstimate, estimateCircuit } from '../circuits/compile.ts';
import { AssayError } from '../core/errors.ts';
import { requireDisputable, worstStep } from '../core/program/cost.ts';
import type { AnyInstruction, Program } from '../core/program/types.ts';
import { type ProvingEstimate, provingEstimate } from './proving-estimate.ts';

export interface Availability {
  readonly available: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** What a program costs in each tier, from the program alone. */
export interface Inspection {
  /** Instructions by kind. */
  readonly instructions: Readonly<Record<string, number>>;
  /** Numbers that the program holds as weights, biases, factors, tree nodes and tables of values; index maps are not counted. */
  readonly parameters: number;
  /** Multiply-adds of one run, of layers and of products of activations. */
  readonly macs: number;
  /** Elements computed by one run; pure data movement is not counted. */
  readonly activations: number;
  readonly tensors: number;
  readonly tiers: {
    /** The dearest step of a dispute, and the greatest depth of a tree it opens. */
    readonly optimistic: Availability & { readonly stepBytes: number; readonly stepGas: number; readonly depth: number };
    readonly zk: Availability;
  };
  /** Rows of the circuit, and the power of two that they fit into; 0 outside the zk tier. */
  readonly constraints: number;
  readonly domain: number;
  readonly keyBytes: number;
  /** Rows that carry the input, the output and the model itself; absent outside the zk tier. */
  readonly circuit?: {
    readonly wires: number;
    readonly publicSignals: number;
    readonly input: number;
    readonly output: number;
    readonly model: number;
    readonly perActivation: number;
  };
  readonly proving?: ProvingEstimate;
}

export function macsOf(instruction: AnyInstruction): number {
  if (instruction.kind === 'linear') {
    const a = instruction.attributes;
    return (instruction.length * a.kernelHeight * a.kernelWidth * a.channels) / a.groups;
  }
  return instruction.kind === 'matmul' ? instruction.length * instruction.attributes.inner : 0;
}

export function parametersOf(instruction: AnyInstruction): number {
  const bytes = instruction.parameters.length;
  if (instruction.kind === 'linear') {
    const { outChannels, weightBytes } = instruction.attributes;
    // Each row ends with its bias (4 bytes) and its shift (1 byte, no parameter of the model).
    return (bytes - 5 * outChannels) / weightBytes + outChannels;
  }
  if (instruction.kind === 'rescale') return (bytes / 16) * 2;
  if (instruction.kind === 'tree') return bytes / 12;
  if (instruction.kind === 'table') return bytes / { u8: 1, i16: 2, i32: 4 }[instruction.type];
  return 0;
}

function disputable(program: Program): Availability {
  try {
    requireDisputable(program);
    return { available: true };
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    return { available: false, reason: `${error.message} (instruction ${error.facts.instruction}, ${error.facts.kind})` };
  }
}

/** Cost: compiles the circuit, linear in the multiply-adds. */
export function inspectProgram(program: Program, estimate: CircuitEstimate = estimateCircuit(program)): Inspection {
  const { instructions } = program;
  const sum = (of: (instruction: AnyInstruction) => number): number => instructions.reduce((total, one) => total + of(one), 0);
  const kinds: Record<string, number> = {};
  for (const { kind } of instructions) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const worst = worstStep(program);
  const { report, notInTier } = estimate;
  return {
    instructions: kinds,
    parameters: sum(parametersOf),
    macs: sum(macsOf),
    activations: sum(({ kind, length }) => (kind === 'input' || kind === 'map' ? 0 : length)),
    tensors: instructions.length,
    tiers: {
      optimistic: { ...disputable(program), stepBytes: worst.bytes, stepGas: worst.gas, depth: worst.depth },
      zk:
        notInTier === undefined
          ? { available: true }
          : { available: false, reason: `instruction ${notInTier.instruction} (${notInTier.kind}): ${notInTier.reason}` },
    },
    constraints: estimate.constraints,
    domain: estimate.domain,
    keyBytes: estimate.keyBytes,
    ...(report === undefined
      ? {}
      : {
          circuit: {
            wires: report.wires,
            publicSignals: report.publicSignals,
            input: report.inputRange + report.inputBinding,
            output: report.outputBinding,
            model: report.model,
            perActivation: report.activations === 0 ? 0 : Math.round((report.model / report.activations) * 100) / 100,
          },
          proving: provingEstimate(report.domain, report.keyBytes),
        }),
  };
}
