import type { AnyInstruction, Instruction, Program, TensorInterface } from '../../core/program/types.ts';
import { KINDS } from '../../core/program/types.ts';
import type { ElementType, TypedArray } from '../../core/tensor.ts';
import type { ComputedKind, Draft } from './drafts.ts';
import { arg, divide, gather, isqrt, map, multiply, rescale, select, table, tree } from './element-drafts.ts';
import type { Random } from './random.ts';
import { linear, matmul, max, sum } from './sum-drafts.ts';

export type { ComputedKind };
export const COMPUTED_KINDS = KINDS.filter((kind): kind is ComputedKind => kind !== 'input');

/** A program of one random valid instruction, with inputs for it. */
export interface RandomCase {
  readonly program: Program;
  readonly inputs: readonly TypedArray[];
}

export function plainInterface(name: string, type: ElementType, length: number): TensorInterface {
  return { name, dims: [length], type, scales: [1], zeroPoints: [0], axis: 0 };
}

/** A program around instructions: inputs in front, the last one the output. */
export function programOf(inputs: readonly { type: ElementType; length: number }[], computed: readonly AnyInstruction[]): Program {
  const given: AnyInstruction[] = inputs.map(({ type, length }) => ({
    kind: 'input',
    type,
    length,
    sources: [],
    attributes: {},
    parameters: new Uint8Array(),
  }));
  const last = computed.at(-1)!;
  return {
    instructions: [...given, ...computed],
    interface: {
      name: 'random',
      inputs: inputs.map(({ type, length }, i) => plainInterface(`in${i}`, type, length)),
      outputs: [plainInterface('out', last.type, last.length)],
    },
  };
}

const GENERATORS: { readonly [K in ComputedKind]: (r: Random) => Draft<K> } = {
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

/** A program of one random valid instruction of the kind, extremes favoured, and inputs of every style. */
export function randomCase(kind: ComputedKind, r: Random): RandomCase {
  const draft = GENERATORS[kind](r) as Draft<ComputedKind>;
  const inputs = draft.sources.map((source) => r.tensor(source.type, source.length));
  const instruction = {
    kind,
    type: draft.type,
    length: draft.length,
    sources: draft.sources.map((_, i) => i),
    attributes: draft.attributes,
    parameters: draft.parameters ?? new Uint8Array(),
  } as Instruction as AnyInstruction;
  return { program: programOf(draft.sources, [instruction]), inputs };
}
