import type { INPUT_FORMS } from '../core/program/identity.ts';
import type { Program } from '../core/program/types.ts';
import { outputInstructions } from '../core/program/validate.ts';
import { ELEMENT_BYTES } from '../core/tensor.ts';
import { SIGNAL_BYTES } from './gadgets/pack.ts';

/** Inputs of at most this many bytes are public, packed; larger ones enter as one commitment. */
export const PUBLIC_INPUT_BYTES = 8 * SIGNAL_BYTES;

/** How a proof sees its input: a model's identity carries the number that INPUT_FORMS gives it. */
export type InputForm = Exclude<keyof typeof INPUT_FORMS, 'none'>;

/** Public signals in order: the context, the input, the output. */
export interface SignalLayout {
  readonly inputForm: InputForm;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly inputSignals: number;
  readonly outputSignals: number;
  /** All of them, the context included. */
  readonly count: number;
}

export function signalLayout(program: Program): SignalLayout {
  const bytesOf = (instructions: readonly { readonly type: keyof typeof ELEMENT_BYTES; readonly length: number }[]): number =>
    instructions.reduce((n, { type, length }) => n + ELEMENT_BYTES[type] * length, 0);
  const inputBytes = bytesOf(program.instructions.slice(0, program.interface.inputs.length));
  const outputBytes = bytesOf(outputInstructions(program));
  const inputForm: InputForm = inputBytes <= PUBLIC_INPUT_BYTES ? 'packed' : 'commitment';
  const inputSignals = inputForm === 'packed' ? Math.ceil(inputBytes / SIGNAL_BYTES) : 1;
  const outputSignals = Math.ceil(outputBytes / SIGNAL_BYTES);
  return { inputForm, inputBytes, outputBytes, inputSignals, outputSignals, count: 1 + inputSignals + outputSignals };
}
