import { Command } from 'commander';
import { z } from 'zod';
import { type InputForm, signalLayout } from '../../circuits/public-signals.ts';
import { readSetupRecord, type SetupRecord, sha256, type VerificationKey } from '../../circuits/setup/files.ts';
import { parseProof, parseSignals, readVerificationKey, verifyProof } from '../../circuits/verify.ts';
import { AssayError } from '../../core/errors.ts';
import { execute, outputsOf } from '../../core/execute.ts';
import type { Program } from '../../core/program/types.ts';
import type { TypedArray } from '../../core/tensor.ts';
import { joinTensors, outputForms, splitTensors } from '../../core/tensor-list.ts';
import { readOutput } from '../../core/values.ts';
import { BYTES_PER_SIGNAL, packBytes, verificationKeyHash } from '../../core/zk-encoding.ts';
import { readModelDirectory } from '../../runtime/model-directory.ts';
import { cancellable } from '../abort.ts';
import { answerFacts, answerText } from '../answer.ts';
import { programInput } from '../case-input.ts';
import { endableAtOnce } from '../cleanup.ts';
import { PROOF_LIMIT, readInputJson, readInputText } from '../files.ts';
import { readCases } from '../model-source.ts';
import { createOutput, type Output } from '../output.ts';
import { caseNumber, chooseCase, parseContext, publicFile } from './prove.ts';

interface Options {
  readonly model: string;
  readonly public?: string;
  readonly input?: string;
  readonly output?: string;
  readonly case: number;
  readonly context?: bigint;
  readonly json: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Verify a proof, and show the answer that it proves; exit code 1 when it does not hold')
    .argument('<proof>', 'file written by `assay prove`, its public signals beside it')
    .requiredOption('--model <dir>', 'folder with program.assay and verification_key.json')
    .option('--public <file>', 'public signals (default: NAME.public.json beside the proof)')
    .option('--input <file>', 'also check that this input was proved, by running the model on it')
    .option('--case <n>', 'which case of --input, from 0 on', caseNumber, 0)
    .option('--output <file>', 'also check that this output was proved: a line of `assay run`')
    .option('--context <value>', 'also check whose request was answered; decimal or 0x hex', parseContext)
    .action((proof: string, options: Options) => verify(proof, options, createOutput(options.json)));
}

async function verify(file: string, options: Options, output: Output): Promise<void> {
  const proof = parseProof(await readInputText(file, { what: 'The proof', limit: PROOF_LIMIT }), file);
  const signalsFile = options.public ?? publicFile(file);
  const signals = parseSignals(await readInputText(signalsFile, { what: 'The list of public signals', limit: PROOF_LIMIT }), signalsFile);
  const { program, programBytes } = await readModelDirectory(options.model);
  const key = await readVerificationKey(options.model);
  const record = await readSetupRecord(options.model);
  if (record !== undefined) requireOwnKey(options.model, record, key, programBytes);
  const claims = await readClaims(program, options, output);
  const outcome = await cancellable(async (signal) => {
    const verdict = await verifyProof({ key, proof, publicSignals: signals }, { signal });
    if (!verdict.valid) return { reason: verdict.reason };
    return judge(program, signals, claims);
  });
  const provenance = record === undefined ? 'unknown' : record.development ? 'development' : record.provenance;
  const checked = ['proof', ...claims.map(({ name }) => name)];
  if ('reason' in outcome) {
    process.exitCode = 1;
    output.result({ valid: false, reason: outcome.reason }, `INVALID: ${outcome.reason}`);
    return;
  }
  if (provenance === 'development')
    process.stderr.write('warning: the key is a DEVELOPMENT one: whoever made it can forge proofs such as this\n');
  const outputs = readOutput(program, outcome.outputs);
  const rest = options.input === undefined ? '; which input it answers was not checked (--input)' : '';
  output.result(
    { valid: true, checked, provenance, context: signals[0], ...answerFacts(outputs) },
    `valid: ${checked.join(', ')} hold${checked.length === 1 ? 's' : ''}${rest}\n${answerText(outputs)}`,
  );
}

/** @throws AssayError SETUP_STALE when the folder's files do not belong together */
function requireOwnKey(directory: string, record: SetupRecord, key: VerificationKey, programBytes: Uint8Array): void {
  if (record.keyHash === verificationKeyHash(key) && record.program === sha256(programBytes)) return;
  throw new AssayError('The program, the key and setup.json of this folder do not belong together', {
    code: 'SETUP_STALE',
    facts: { directory },
    fix: 'run `assay setup` again, or fetch the folder anew; `assay audit` says what differs',
  });
}

/** One thing beside the proof that the signals have to agree with. */
interface Claim {
  readonly name: string;
  holds(signals: readonly string[]): Promise<boolean> | boolean;
}

async function readClaims(program: Program, options: Options, output: Output): Promise<Claim[]> {
  const { inputSignals, inputForm } = signalLayout(program);
  const claims: Claim[] = [];
  const { context } = options;
  if (context !== undefined) claims.push({ name: 'context', holds: (signals) => signals[0] === String(context) });
  const proves = (bytes: Uint8Array) => (signals: readonly string[]) => same(packBytes(bytes), signals.slice(1 + inputSignals));
  if (options.input !== undefined) {
    const { tensors } = programInput(program, chooseCase(await readCases(options.input, 'The input'), options.case, output));
    const bytes = joinTensors(tensors);
    claims.push({
      name: 'input',
      holds: async (signals) => same(await inputSignalsOf(inputForm, bytes), signals.slice(1, 1 + inputSignals)),
    });
    const answer = endableAtOnce(() => outputsOf(program, execute(program, tensors)));
    claims.push({ name: 'execution', holds: proves(joinTensors(answer)) });
  }
  if (options.output !== undefined) claims.push({ name: 'output', holds: proves(joinTensors(await readOutputs(program, options.output))) });
  return claims;
}

async function inputSignalsOf(form: InputForm, bytes: Uint8Array): Promise<bigint[]> {
  if (form === 'packed') return packBytes(bytes);
  // Slow to load, and not needed by most calls.
  const { commitInput } = await import('../../circuits/input-commitment.ts');
  return [await commitInput(bytes)];
}

function same(expected: readonly bigint[], signals: readonly string[]): boolean {
  return expected.length === signals.length && expected.every((value, i) => String(value) === signals[i]);
}

const outputSchema = z.looseObject({ outputs: z.array(z.looseObject({ integers: z.array(z.int()).max(1 << 20) })).max(64) });

async function readOutputs(program: Program, file: string): Promise<TypedArray[]> {
  const parsed = outputSchema.safeParse(await readInputJson(file, { what: 'The output', limit: 64 << 20 }));
  const given = parsed.data?.outputs.map(({ integers }) => integers) ?? [];
  const forms = outputForms(program);
  const fits = given.length === forms.length && given.every((integers, i) => integers.length === forms[i]!.length);
  if (!fits) {
    throw new AssayError('The output is not one of this model', {
      code: 'OUTPUT_MALFORMED',
      facts: { file, problem: parsed.error?.issues[0]?.message ?? 'wrong number of outputs or values' },
      fix: 'give one line that `assay run` printed for this model',
    });
  }
  return given.map((integers, i) => ({ u8: Uint8Array, i16: Int16Array, i32: Int32Array })[forms[i]!.type].from(integers));
}

/** What the signals of a valid proof say; a reason where they say something else than was claimed. */
async function judge(
  program: Program,
  signals: readonly string[],
  claims: readonly Claim[],
): Promise<{ readonly outputs: readonly TypedArray[] } | { readonly reason: string }> {
  const layout = signalLayout(program);
  if (signals.length !== layout.count) return { reason: 'the number of public signals is not that of the model' };
  for (const { name, holds } of claims) {
    if (!(await holds(signals))) return { reason: REASONS[name] ?? name };
  }
  const bytes = unpackBytes(signals.slice(1 + layout.inputSignals), layout.outputBytes);
  return bytes === undefined
    ? { reason: 'the output signals are not packed bytes' }
    : { outputs: splitTensors(outputForms(program), bytes) };
}

const REASONS: Readonly<Record<string, string>> = {
  context: 'the proof answers another request: its context is not the one given',
  input: 'the proof is about another input than the one given',
  execution: 'the model gives another output for this input than the one proved',
  output: 'the proof is about another output than the one given',
};

/** Inverse of packBytes; undefined when a signal holds more than its bytes. */
export function unpackBytes(signals: readonly string[], length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  for (const [i, signal] of signals.entries()) {
    let rest = BigInt(signal);
    for (let at = i * BYTES_PER_SIGNAL; at < Math.min(length, (i + 1) * BYTES_PER_SIGNAL); at++) {
      bytes[at] = Number(rest & 255n);
      rest >>= 8n;
    }
    if (rest !== 0n) return undefined;
  }
  return bytes;
}
