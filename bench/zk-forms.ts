import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CircuitReport, compileCircuit } from '../circuits/compile.ts';
import { prove } from '../circuits/prove.ts';
import type { SignalLayout } from '../circuits/public-signals.ts';
import { setupDevelopment } from '../circuits/setup.ts';
import { readVerificationKey } from '../circuits/verify.ts';
import { encodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { dense, input, part, program, quantizedLayer, random, randomInputs } from '../test/circuits/build.ts';
import { ProofChain, type ProofGas } from './zk-chain.ts';

/** A dense layer of so many input bytes and outputs; with `arg` only the index of the largest output is revealed. */
function layer(inputs: number, outputs: number, arg = false): Program {
  const next = random(inputs + outputs);
  const logits = dense('i32', 0, quantizedLayer(outputs, inputs, next, false), [-(2 ** 31), 2 ** 31 - 1]);
  if (!arg) return program(`${inputs} to ${outputs}`, [input('u8', inputs), logits]);
  const largest = part('arg', 'u8', 1, [1], { outer: 1, axis: outputs, inner: 1, minimum: 0 });
  return program(`${inputs} to the largest of ${outputs}`, [input('u8', inputs), logits, largest]);
}

/** The forms that are measured: what a model shows of its input and of its output. */
export const FORMS: Readonly<Record<string, () => Program>> = {
  '4 bytes in, 1 number out': () => layer(4, 1),
  '31 bytes in, 1 number out': () => layer(31, 1),
  '124 bytes in, 1 number out': () => layer(124, 1),
  '248 bytes in, 1 number out': () => layer(248, 1),
  '249 bytes in, 1 number out': () => layer(249, 1),
  '784 bytes in, 1 number out': () => layer(784, 1),
  '3,072 bytes in, 1 number out': () => layer(3072, 1),
  '784 bytes in, 10 numbers out': () => layer(784, 10),
  '784 bytes in, 100 numbers out': () => layer(784, 100),
  '784 bytes in, the largest of 10 out': () => layer(784, 10, true),
};

export interface FormFigures {
  readonly name: string;
  readonly layout: SignalLayout;
  readonly report: CircuitReport;
  readonly gas: ProofGas;
}

async function measure(name: string, of: Program, chain: ProofChain): Promise<FormFigures> {
  const directory = await mkdtemp(path.join(tmpdir(), 'assay-forms-'));
  try {
    await writeFile(path.join(directory, 'program.assay'), encodeProgram(of));
    await setupDevelopment(directory);
    const { layout, report } = compileCircuit(of);
    const inputs = randomInputs(of, random(1));
    const request = await chain.ask(of, await readVerificationKey(directory), layout.inputForm, inputs);
    const answer = await prove({ directory, inputs, context: request.context });
    return { name, layout, report, gas: await chain.answer(request, answer) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Proves each form and answers a request with it on a local chain. */
export async function* publicForms(): AsyncGenerator<FormFigures> {
  const chain = await ProofChain.start();
  try {
    for (const [name, make] of Object.entries(FORMS)) yield await measure(name, make(), chain);
  } finally {
    await chain.stop();
  }
}

export const FORM_HEADINGS = [
  ['model', 'input form', 'signals: input, output', 'rows: range', 'rows: binding', 'rows: output', 'gas: verify', 'gas: in all'],
  ['---', '---', '---', '---', '---', '---', '---', '---'],
] as const;

/** One line of the table in docs/circuits.md. */
export function formCells({ name, layout, report, gas }: FormFigures): string[] {
  const { inputRange, inputBinding, outputBinding } = report;
  return [
    name,
    layout.inputForm,
    `${layout.inputSignals}, ${layout.outputSignals}`,
    ...[inputRange, inputBinding, outputBinding, gas.verify, gas.fulfil].map((value) => value.toLocaleString('en-US')),
  ];
}
