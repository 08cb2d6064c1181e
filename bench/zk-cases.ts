import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { estimateCircuit } from '../circuits/compile.ts';
import { parseCases } from '../core/cases.ts';
import { AssayError } from '../core/errors.ts';
import type { Program } from '../core/program/types.ts';
import { compileModel } from '../core/quantize/compile.ts';
import type { TypedArray } from '../core/tensor.ts';
import { prepareInput } from '../core/values.ts';
import type { ProofChain } from './zk-chain.ts';
import { type ZkFigures, zkFigures } from './zk-figures.ts';

/** What is called a small model here: elements that its instructions compute. */
export const SMALL_ACTIVATIONS = 10_000;

/** Models of a case folder, in order of size. */
export function caseNames(folder: string): string[] {
  const models = path.join(folder, 'models');
  const bytes = (name: string): number => readFileSync(path.join(models, name, 'model.onnx')).length;
  return readdirSync(models).sort((a, b) => bytes(a) - bytes(b));
}

export interface CompiledCase {
  readonly program: Program;
  /** Of the folder's first case. */
  readonly inputs: readonly TypedArray[];
  readonly activations: number;
}

/** Compiles one of them as its cases calibrate it; the reason where it has no circuit. */
export function compileCase(folder: string, name: string): CompiledCase | string {
  const directory = path.join(folder, 'models', name);
  const cases = parseCases(readFileSync(path.join(directory, 'cases.json'), 'utf8'));
  try {
    const { program } = compileModel({ onnx: new Uint8Array(readFileSync(path.join(directory, 'model.onnx'))), calibration: cases });
    const { notInTier, report } = estimateCircuit(program);
    if (report === undefined) return `instruction ${notInTier?.instruction} (${notInTier?.kind}): ${notInTier?.reason}`;
    return { program, inputs: prepareInput(program, cases[0]!.inputs), activations: report.activations };
  } catch (error) {
    if (error instanceof AssayError && error.code === 'MODEL_REFUSED') return error.message;
    throw error;
  }
}

export interface CaseResult {
  readonly name: string;
  readonly figures?: ZkFigures;
  /** Why it was not proved. */
  readonly skipped?: string;
}

/** Proves one model on its own first case, unless it is outside of the tier or has more activations than asked for. */
export async function proveCase(folder: string, name: string, chain?: ProofChain, most = SMALL_ACTIVATIONS): Promise<CaseResult> {
  const compiled = compileCase(folder, name);
  if (typeof compiled === 'string') return { name, skipped: compiled };
  const { program, inputs, activations } = compiled;
  if (activations > most) return { name, skipped: `${activations} activations: name it to prove it` };
  return { name, figures: await zkFigures(name, program, inputs, chain) };
}

export const CASE_HEADINGS = [
  [
    'model',
    'activations',
    'rows',
    'domain',
    'signals',
    'key MB',
    'setup s (CPU s)',
    'proof s (CPU s)',
    'MiB',
    'gas: verify',
    'gas: in all',
    'load',
  ],
  ['---', '---', '---', '---', '---', '---', '---', '---', '---', '---', '---', '---'],
] as const;

/** One line of the table in docs/circuits.md. */
export function caseCells({ name, figures: f, skipped }: CaseResult): string[] {
  if (f === undefined) return [name, `not proved: ${skipped}`, ...new Array<string>(CASE_HEADINGS[0].length - 2).fill('')];
  const count = (value: number): string => value.toLocaleString('en-US');
  return [
    name,
    count(f.activations),
    count(f.constraints),
    `2^${Math.log2(f.domain)}`,
    count(f.publicSignals),
    f.keyMegabytes.toFixed(1),
    `${f.setupSeconds.toFixed(1)} (${f.setupUserSeconds.toFixed(1)})`,
    `${f.proveSeconds.toFixed(1)} (${f.proveUserSeconds.toFixed(1)})`,
    count(f.peakMegabytes),
    f.gas === undefined ? 'off chain' : count(f.gas.verify),
    f.gas === undefined ? '' : count(f.gas.fulfil),
    f.load.toFixed(1),
  ];
}
