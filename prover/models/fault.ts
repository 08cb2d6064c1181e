import { AssayError } from '../../core/errors.ts';
import { outputsOf } from '../../core/execute.ts';
import { executeInstruction } from '../../core/ops/index.ts';
import { linearRowBytes } from '../../core/ops/linear.ts';
import type { AnyInstruction, Instruction, Program } from '../../core/program/types.ts';
import { inputCount, outputCount } from '../../core/program/validate.ts';
import { allocate, TYPE_MAXIMUM, TYPE_MINIMUM, type TypedArray } from '../../core/tensor.ts';

/** What a lying prover alters: an output, a tensor on the way, a weight of its copy of the program, or the input it runs on. */
export const FAULT_KINDS = ['logit', 'tensor', 'weight', 'input'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One lie, drawn from a seed: development chains only. */
export interface Fault {
  readonly kind: FaultKind;
  /** Tensor altered (for a weight: the instruction whose parameters are). */
  readonly position: number;
  /** Element altered (for a weight: byte of the parameters). */
  readonly element: number;
  readonly honest: number;
  readonly altered: number;
}

export interface FaultyRun {
  readonly fault: Fault;
  /** All tensors as the liar presents them; the claimed input stays at its place. */
  readonly tensors: readonly TypedArray[];
}

const DRAWS = 1_000;

/** Small seeded generator (mulberry32): faults must be repeatable, not unpredictable. */
function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

/**
 * A run with one alteration, continued from there, so that output and trace are the liar's own and consistent. Draws until
 * the output differs from the honest one: a lie that nobody can see in the output hurts nobody.
 * @param honest all tensors of the honest run
 * @throws AssayError FAULT_INVISIBLE when no draw of that kind changes the output
 */
export function injectFault(program: Program, honest: readonly TypedArray[], seed: number, kind: FaultKind = 'tensor'): FaultyRun {
  const draw = generator(seed);
  for (let attempt = 0; attempt < DRAWS; attempt++) {
    const fault = drawFault(program, honest, kind, draw);
    if (fault === undefined) continue;
    const tensors = replayFault(program, honest, fault);
    if (differs(outputsOf(program, tensors), outputsOf(program, honest))) return { fault, tensors };
  }
  throw new AssayError('No fault of this kind changes the output of this run', {
    code: 'FAULT_INVISIBLE',
    facts: { kind, seed },
    fix: 'choose another input, kind or seed',
  });
}

/** Repeats a drawn fault: after a restart the liar must tell the same lie. */
export function replayFault(program: Program, honest: readonly TypedArray[], fault: Fault): TypedArray[] {
  const start = fault.kind === 'weight' ? fault.position : fault.position + 1;
  const tensors: TypedArray[] = honest.slice(0, Math.max(start, inputCount(program)));
  if (fault.kind !== 'weight') tensors[fault.position] = withElement(honest[fault.position]!, fault.element, fault.altered);
  for (let i = tensors.length; i < program.instructions.length; i++) {
    const instruction = program.instructions[i]!;
    const out = allocate(instruction.type, instruction.length);
    const run = fault.kind === 'weight' && i === fault.position ? withWeight(instruction, fault) : instruction;
    executeInstruction(
      run,
      instruction.sources.map((source) => tensors[source]!),
      out,
    );
    tensors.push(out);
  }
  // The claim names the true input: the root list must show it.
  if (fault.kind === 'input') tensors[fault.position] = honest[fault.position]!;
  return tensors;
}

function drawFault(program: Program, honest: readonly TypedArray[], kind: FaultKind, draw: (bound: number) => number): Fault | undefined {
  const inputs = inputCount(program);
  const outputs = outputCount(program);
  const count = program.instructions.length;
  if (kind === 'weight') {
    const weighty = [...program.instructions.keys()].filter((i) => program.instructions[i]!.kind === 'linear');
    const position = weighty[draw(weighty.length)];
    if (position === undefined) return undefined;
    const { attributes, parameters } = program.instructions[position] as Instruction<'linear'>;
    const rowBytes = linearRowBytes(attributes);
    // A byte of a weight, not of the bias or the shift behind each row.
    const element = draw(attributes.outChannels) * rowBytes + draw(rowBytes - 5);
    const value = parameters[element]!;
    return { kind, position, element, honest: value, altered: (value ^ (1 << draw(7))) & 0xff };
  }
  // A network of one instruction has no tensor on the way: there the output itself is altered.
  const between = Math.max(1, count - inputs - outputs);
  const first = { input: 0, logit: count - outputs, tensor: Math.min(inputs, count - 1) }[kind];
  const position = first + draw({ input: inputs, logit: outputs, tensor: between }[kind]);
  const { type, length } = program.instructions[position]!;
  const element = draw(length);
  const value = honest[position]![element]!;
  const altered = draw(2) === 0 ? TYPE_MAXIMUM[type] : Math.max(TYPE_MINIMUM[type], value - 1 - draw(Math.max(1, value)));
  return altered === value ? undefined : { kind, position, element, honest: value, altered };
}

function withElement(values: TypedArray, element: number, value: number): TypedArray {
  const copy = values.slice();
  copy[element] = value;
  return copy;
}

function withWeight(instruction: AnyInstruction, fault: Fault): AnyInstruction {
  const parameters = instruction.parameters.slice();
  parameters[fault.element] = fault.altered;
  return { ...instruction, parameters };
}

function differs(a: readonly TypedArray[], b: readonly TypedArray[]): boolean {
  return a.some((values, i) => values.some((value, j) => value !== b[i]![j]));
}
