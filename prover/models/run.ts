import { outputsOf } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { inputForms, joinTensors, splitTensors } from '../../core/tensor-list.ts';
import type { ModelSession } from '../../runtime/session.ts';
import { type Fault, type FaultKind, injectFault, replayFault } from './fault.ts';

export interface Answered {
  readonly inputs: readonly TypedArray[];
  readonly outputs: readonly TypedArray[];
  /** Canonical bytes of all outputs, joined. */
  readonly output: Uint8Array;
  /** The lie told, on development chains. */
  readonly fault: Fault | undefined;
}

export interface FaultPlan {
  readonly seed: number;
  readonly kind: FaultKind;
}

interface Runnable {
  readonly program: Program;
  readonly session: ModelSession;
}

/** Answers an input, honestly or as the fault plan says. */
export async function answerInput(model: Runnable, input: Uint8Array, plan: FaultPlan | undefined): Promise<Answered> {
  const inputs = splitTensors(inputForms(model.program), input);
  if (plan === undefined) {
    const outputs = await model.session.run(inputs);
    return { inputs, outputs, output: joinTensors(outputs), fault: undefined };
  }
  const { fault, tensors } = injectFault(model.program, await model.session.trace(inputs), plan.seed, plan.kind);
  const outputs = outputsOf(model.program, tensors);
  return { inputs, outputs, output: joinTensors(outputs), fault };
}

/** All tensors behind an answer, the same ones every time. */
export async function tensorsOf(model: Runnable, input: Uint8Array, fault: Fault | undefined): Promise<readonly TypedArray[]> {
  const honest = await model.session.trace(splitTensors(inputForms(model.program), input));
  return fault === undefined ? honest : replayFault(model.program, honest, fault);
}
