import { AssayError } from '../core/errors.ts';
import type { AnyInstruction, Kind, Program } from '../core/program/types.ts';
import { inputCount, outputCount } from '../core/program/validate.ts';
import { ELEMENT_BYTES } from '../core/tensor.ts';
import { ConstraintSystem } from './constraint-system.ts';
import { inputElement } from './gadgets/input.ts';
import { type ByteElement, packSignals, straddles, twosComplement } from './gadgets/pack.ts';
import { commitPacked } from './gadgets/poseidon.ts';
import type { LinearForm } from './linear-form.ts';
import { type Cell, formCell, materialize, NotInTier, TermBudget } from './lowering/cell.ts';
import { lowerInstruction } from './lowering/index.ts';
import { tableTerms } from './lowering/lookup.ts';
import { type SignalLayout, signalLayout } from './public-signals.ts';

/** Larger systems need more memory than a prover is asked to have; the key of this one is some gigabytes. */
export const CONSTRAINT_LIMIT = 1 << 22;
/** Multiply-adds by constants become terms of eight bytes each. */
export const TERM_LIMIT = 1 << 27;

/** Row counts of a circuit, as reports and snapshots show them. */
export interface CircuitReport {
  readonly constraints: number;
  /** Power of two that the rows, the public signals and the constant one fit into: what proving time follows. */
  readonly domain: number;
  readonly keyBytes: number;
  readonly wires: number;
  readonly publicSignals: number;
  /** Rows that force the input bytes into range. */
  readonly inputRange: number;
  /** Rows that bind the input to its public signals: packing, or the Poseidon commitment. */
  readonly inputBinding: number;
  /** Rows that bind the outputs to their public signals. */
  readonly outputBinding: number;
  /** Rows of the model itself, and how many elements its instructions compute (maps are free and not counted). */
  readonly model: number;
  readonly activations: number;
  readonly byInstruction: readonly { readonly instruction: number; readonly kind: Kind; readonly constraints: number }[];
}

/** A program's circuit: the rows, the recipe of its witness, and what its public signals are. */
export interface CompiledCircuit {
  readonly system: ConstraintSystem;
  readonly layout: SignalLayout;
  readonly report: CircuitReport;
}

/** Which instruction keeps a program out of the zk tier, and why. */
export interface TierRefusal {
  readonly instruction: number;
  readonly kind: Kind;
  readonly reason: string;
}

const INPUT_RANGE = 'input range';
const INPUT_BINDING = 'input binding';
const OUTPUT_BINDING = 'output binding';

class Refused extends Error {
  readonly refusal: TierRefusal;
  constructor(refusal: TierRefusal) {
    super(refusal.reason);
    this.refusal = refusal;
  }
}

/** Wires of the public signals of one side, each equal to its form. */
function bindSignals(cs: ConstraintSystem, first: number, forms: readonly LinearForm[]): void {
  forms.forEach((form, i) => {
    const row = cs.linearRow(cs.sum([form], [cs.form(first + i), -1]));
    cs.hint('solve', row, first + i);
  });
}

function buildInputs(cs: ConstraintSystem, program: Program, layout: SignalLayout): Cell[][] {
  const packed: ByteElement[] = [];
  const tensors = program.instructions.slice(0, inputCount(program)).map(({ type, length }) =>
    Array.from({ length }, () => {
      const element = inputElement(cs, packed.length, ELEMENT_BYTES[type], type !== 'u8');
      packed.push(element.packed);
      return formCell(element.value);
    }),
  );
  cs.withPurpose(INPUT_BINDING, () => {
    const elements = packSignals(cs, packed);
    bindSignals(cs, 2, layout.inputForm === 'packed' ? elements : [commitPacked(cs, layout.inputBytes, elements)]);
  });
  return tensors;
}

function buildOutputs(cs: ConstraintSystem, program: Program, tensors: readonly (readonly Cell[])[], layout: SignalLayout): void {
  const outputs = program.instructions.slice(-outputCount(program));
  const widths = outputs.flatMap(({ type, length }) => new Array<number>(length).fill(ELEMENT_BYTES[type]));
  const cut = straddles(widths);
  const cells = tensors.slice(-outputCount(program)).flat();
  // A value that is an output twice, or negative in two places, is split once for each: outputs are few.
  const elements = cells.map((cell, i) => twosComplement(cs, materialize(cs, cell), widths[i]!, cut[i]!));
  bindSignals(cs, 2 + layout.inputSignals, packSignals(cs, elements));
}

/** How often each tensor is read; an output counts as read once more. */
function countReaders(program: Program): number[] {
  const readers = new Array<number>(program.instructions.length).fill(0);
  for (const { sources } of program.instructions) for (const source of sources) readers[source]!++;
  for (let i = program.instructions.length - outputCount(program); i < program.instructions.length; i++) readers[i]!++;
  return readers;
}

/** Whether what an instruction writes may stay unrequantized until somebody asks: a max compares accumulators, a map may drop elements. */
function isDeferred(program: Program, position: number): boolean {
  return program.instructions.some(({ kind, sources }) => (kind === 'max' || kind === 'map') && sources.includes(position));
}

/** Terms of a layer with constant weights. */
function multiplyAdds(instruction: AnyInstruction): number {
  if (instruction.kind !== 'linear') return 0;
  const a = instruction.attributes;
  return instruction.length * ((a.kernelHeight * a.kernelWidth * a.channels) / a.groups);
}

/** Tables whose entries are this many times too many are refused unseen: bounds seldom leave less than a quarter of a table reachable. */
const UNREACHABLE = 4;

/** Runs one step of the compilation of an instruction; what does not fit names the instruction. */
function attempt<T>(program: Program, position: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof NotInTier)
      throw new Refused({ instruction: position, kind: program.instructions[position]!.kind, reason: error.message });
    throw error;
  }
}

/** What layers leave of the terms for the tables, whose reach is known only when they are lowered. */
function termBudget(program: Program): TermBudget {
  const budget = new TermBudget(TERM_LIMIT);
  const unseen = new TermBudget(TERM_LIMIT);
  program.instructions.forEach((instruction, position) => {
    attempt(program, position, () => {
      budget.take(multiplyAdds(instruction));
      unseen.take(tableTerms(instruction) / UNREACHABLE);
    });
  });
  return budget;
}

function build(program: Program): { cs: ConstraintSystem; layout: SignalLayout } {
  const budget = termBudget(program);
  const layout = signalLayout(program);
  const cs = new ConstraintSystem(layout.count);
  const readers = countReaders(program);
  cs.hint('context', 1);
  const tensors: (readonly Cell[])[] = cs.withPurpose(INPUT_RANGE, () => buildInputs(cs, program, layout));
  for (let position = inputCount(program); position < program.instructions.length; position++) {
    const instruction = program.instructions[position]!;
    const sources = instruction.sources.map((source) => tensors[source]!);
    const context = { cs, program, position, readers, deferred: isDeferred(program, position), budget };
    const lower = () => cs.withPurpose(String(position), () => lowerInstruction(context, instruction, sources));
    tensors.push(attempt(program, position, lower));
    if (cs.rowCount > CONSTRAINT_LIMIT)
      throw new Refused({ instruction: position, kind: instruction.kind, reason: `more than ${CONSTRAINT_LIMIT} constraints` });
  }
  cs.withPurpose(OUTPUT_BINDING, () => buildOutputs(cs, program, tensors, layout));
  return { cs, layout };
}

/** Bytes of the proving key (`.zkey`): points a wire, one point a domain element, terms of A and B. */
function keyBytes(cs: ConstraintSystem, domain: number): number {
  const privateWires = cs.wireCount - cs.publicCount - 1;
  const terms = cs.nonzerosAB + cs.publicCount + 1;
  const points = cs.wireCount * (64 + 64 + 128) + privateWires * 64 + (cs.publicCount + 1) * 64 + domain * 64;
  return points + terms * 44 + 1000;
}

/** Least power of two with room for the rows and one more for each public signal and the constant one. */
export function domainOf(rows: number, publicSignals: number): number {
  return 2 ** Math.ceil(Math.log2(rows + publicSignals + 1));
}

function report(program: Program, cs: ConstraintSystem): CircuitReport {
  const rows = (purpose: string): number => cs.rowsByPurpose.get(purpose) ?? 0;
  const byInstruction = program.instructions.map(({ kind }, instruction) => ({
    instruction,
    kind,
    constraints: rows(String(instruction)),
  }));
  const domain = domainOf(cs.rowCount, cs.publicCount);
  return {
    constraints: cs.rowCount,
    domain,
    keyBytes: keyBytes(cs, domain),
    wires: cs.wireCount,
    publicSignals: cs.publicCount,
    inputRange: rows(INPUT_RANGE),
    inputBinding: rows(INPUT_BINDING),
    outputBinding: rows(OUTPUT_BINDING),
    model: byInstruction.reduce((n, { constraints }) => n + constraints, 0),
    activations: program.instructions.reduce((n, { kind, length }) => n + (kind === 'input' || kind === 'map' ? 0 : length), 0),
    byInstruction: byInstruction.filter(({ kind }) => kind !== 'input'),
  };
}

/**
 * Compiles a valid program into its circuit. Deterministic: equal programs give equal rows, which is what `assay audit` relies on.
 * Cost: linear in the multiply-adds, some 8 bytes each.
 * @throws AssayError NOT_IN_ZK_TIER naming the instruction that does not fit
 */
export function compileCircuit(program: Program): CompiledCircuit {
  try {
    const { cs, layout } = build(program);
    return { system: cs, layout, report: report(program, cs) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new AssayError('This program does not fit the zk tier', {
      code: 'NOT_IN_ZK_TIER',
      facts: { instruction: error.refusal.instruction, kind: error.refusal.kind, reason: error.refusal.reason },
      fix: 'serve it in the optimistic tier, which takes every program',
    });
  }
}

export interface CircuitEstimate {
  readonly constraints: number;
  readonly domain: number;
  readonly keyBytes: number;
  readonly report?: CircuitReport;
  readonly notInTier?: TierRefusal;
}

/** What proving a program would take: exact, since it compiles the circuit; zeros with the reason where it does not fit. */
export function estimateCircuit(program: Program): CircuitEstimate {
  try {
    const { cs } = build(program);
    const full = report(program, cs);
    return { constraints: full.constraints, domain: full.domain, keyBytes: full.keyBytes, report: full };
  } catch (error) {
    if (error instanceof Refused) return { constraints: 0, domain: 0, keyBytes: 0, notInTier: error.refusal };
    throw error;
  }
}
