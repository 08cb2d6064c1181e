import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { groth16 } from 'snarkjs';
import { AssayError } from '../core/errors.ts';
import { execute, outputsOf } from '../core/execute.ts';
import { decodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { inputCount } from '../core/program/validate.ts';
import type { TypedArray } from '../core/tensor.ts';
import { joinTensors } from '../core/tensor-list.ts';
import { packBytes } from '../core/zk-encoding.ts';
import type { Progress } from './child-process.ts';
import { serve } from './child-serve.ts';
import { type CompiledCircuit, compileCircuit } from './compile.ts';
import { commitInput } from './input-commitment.ts';
import { missingSetup, type Proof, readSetupRecord, readVerificationKey, SETUP_FILES, sha256 } from './setup/files.ts';
import { requireKeyForm } from './setup/key-file.ts';
import { buildWitness } from './witness.ts';
import { encodeWtns } from './wtns-file.ts';

export interface ProveRequest {
  readonly directory: string;
  /** The inputs, or with `trace` all tensors of a run. */
  readonly tensors: readonly TypedArray[];
  readonly trace: boolean;
  readonly context: bigint;
  /** Another proving key than the directory's own. */
  readonly zkey?: string | undefined;
}

export interface ProveResult {
  readonly proof: Proof;
  readonly signals: readonly string[];
  readonly outputs: readonly TypedArray[];
  readonly peakMegabytes: number;
}

interface Loaded {
  readonly programHash: string;
  readonly program: Program;
  readonly circuit: CompiledCircuit;
}

/** The circuit of the directory served last: a pool's child compiles each model once. */
let loaded: (Loaded & { readonly directory: string }) | undefined;

async function load(directory: string): Promise<Loaded> {
  const bytes = new Uint8Array(await readFile(path.join(directory, 'program.assay')));
  const programHash = sha256(bytes);
  if (loaded?.directory === directory && loaded.programHash === programHash) return loaded;
  const program = decodeProgram(bytes);
  loaded = { directory, programHash, program, circuit: compileCircuit(program) };
  return loaded;
}

/** What the contract will build from the bytes that it holds: computed without the circuit. */
async function expectedSignals(model: Loaded, tensors: readonly TypedArray[], context: bigint): Promise<bigint[]> {
  const { program, circuit } = model;
  const input = joinTensors(tensors.slice(0, inputCount(program)));
  const inputSignals = circuit.layout.inputForm === 'packed' ? packBytes(input) : [await commitInput(input)];
  return [context, ...inputSignals, ...packBytes(joinTensors(outputsOf(program, tensors)))];
}

async function prove(request: ProveRequest, progress: (progress: Progress) => void): Promise<ProveResult> {
  const phases = ['load circuit', 'run model', 'compute witness', 'prove', 'verify'] as const;
  const enter = (phase: (typeof phases)[number]): void => progress({ phase, done: phases.indexOf(phase), total: phases.length });
  enter('load circuit');
  const record = await readSetupRecord(request.directory);
  if (record === undefined) throw missingSetup(request.directory);
  const model = await load(request.directory);
  if (record.program !== model.programHash) {
    throw new AssayError('The proving key belongs to another program', {
      code: 'SETUP_STALE',
      facts: { directory: request.directory },
      fix: 'run `assay setup` again',
    });
  }
  enter('run model');
  const tensors = request.trace ? request.tensors : execute(model.program, request.tensors);
  enter('compute witness');
  const witness = buildWitness(model.circuit, model.program, tensors, request.context);
  const expected = (await expectedSignals(model, tensors, request.context)).map(String);
  enter('prove');
  const zkey = request.zkey ?? path.join(request.directory, SETUP_FILES.zkey);
  await requireKeyForm(zkey, model.circuit);
  const { proof, publicSignals } = await groth16.prove(zkey, { type: 'mem', data: encodeWtns(witness) } as never);
  enter('verify');
  const key = await readVerificationKey(request.directory);
  const sound = expected.every((signal, i) => signal === publicSignals[i]) && expected.length === publicSignals.length;
  if (!sound || !(await groth16.verify(key as never, publicSignals, proof))) {
    throw new AssayError('The proof does not verify and was thrown away', {
      code: 'PROOF_REJECTED',
      facts: { directory: request.directory },
      fix: 'run `assay audit DIR`: the key or the circuit is damaged',
    });
  }
  const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  return { proof: proof as unknown as Proof, signals: publicSignals, outputs: outputsOf(model.program, tensors), peakMegabytes };
}

serve<ProveRequest>(prove);
