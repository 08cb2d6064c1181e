import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { compileCircuit } from '../circuits/compile.ts';
import { type ProveJob, prove } from '../circuits/prove.ts';
import { setupDevelopment } from '../circuits/setup.ts';
import { readVerificationKey, verifyProof } from '../circuits/verify.ts';
import { encodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import type { TypedArray } from '../core/tensor.ts';
import { watchUsage } from './usage.ts';
import type { ProofChain, ProofGas } from './zk-chain.ts';

/** Public signals that the contracts take (contracts/src/libraries/ModelRules.sol). */
const CHAIN_SIGNALS = 256;

/** One program through the zk tier: sizes are exact, times are those of this machine. */
export interface ZkFigures {
  readonly name: string;
  /** Elements that its instructions compute. */
  readonly activations: number;
  readonly constraints: number;
  /** Rows without input range checks, input commitment and output packing, a computed element. */
  readonly rowsPerActivation: number;
  readonly domain: number;
  readonly publicSignals: number;
  readonly keyMegabytes: number;
  readonly cores: number;
  /** Average number of running processes in the last minute, after the proof: what the machine did besides. */
  readonly load: number;
  readonly compileSeconds: number;
  readonly setupSeconds: number;
  /** Processor seconds of all threads. */
  readonly setupUserSeconds: number;
  readonly setupPeakMegabytes: number;
  /** From inputs to verified proof, in a process that has the circuit already. */
  readonly proveSeconds: number;
  /** Processor seconds of the same, the start of the process and its compilation included. */
  readonly proveUserSeconds: number;
  readonly verifySeconds: number;
  /** Of the proving process. */
  readonly peakMegabytes: number;
  /** Missing without a chain. */
  readonly gas?: ProofGas;
}

async function timed<T>(act: () => Promise<T> | T): Promise<[T, number]> {
  const start = performance.now();
  const result = await act();
  return [result, (performance.now() - start) / 1000];
}

/** Proves, and times it from the moment at which the process has its circuit. */
async function timedProof(job: ProveJob) {
  const start = performance.now();
  let loadedAt = 0;
  const answer = await prove({
    ...job,
    onProgress: ({ phase }) => {
      if (phase === 'run model') loadedAt = performance.now() - start;
    },
  });
  return { answer, seconds: (performance.now() - start - loadedAt) / 1000 };
}

/** Sets a program up, proves one run of it, verifies the proof, on a chain too where one is given. Throws when anything does not hold. */
export async function zkFigures(name: string, program: Program, inputs: readonly TypedArray[], chain?: ProofChain): Promise<ZkFigures> {
  const directory = await mkdtemp(path.join(tmpdir(), 'assay-bench-'));
  try {
    await writeFile(path.join(directory, 'program.assay'), encodeProgram(program));
    const [{ report, layout }, compileSeconds] = await timed(() => compileCircuit(program));
    const setupUsage = watchUsage();
    const [, setupSeconds] = await timed(() => setupDevelopment(directory));
    const setup = setupUsage();
    const key = await readVerificationKey(directory);
    const onChain = layout.count <= CHAIN_SIGNALS ? chain : undefined;
    const request = await onChain?.ask(program, key, layout.inputForm, inputs);
    const proofUsage = watchUsage();
    const { answer, seconds: proveSeconds } = await timedProof({ directory, inputs, context: request?.context ?? 1n });
    const proof = proofUsage();
    const given = { key, proof: answer.proof, publicSignals: answer.publicSignals };
    await verifyProof(given);
    const [verdict, verifySeconds] = await timed(() => verifyProof(given));
    if (!verdict.valid) throw new Error(`${name}: ${verdict.reason}`);
    const gas = request === undefined ? undefined : await onChain?.answer(request, answer);
    return {
      name,
      activations: report.activations,
      constraints: report.constraints,
      rowsPerActivation: report.model / Math.max(report.activations, 1),
      domain: report.domain,
      publicSignals: layout.count,
      keyMegabytes: report.keyBytes / 1e6,
      cores: availableParallelism(),
      load: loadavg()[0]!,
      compileSeconds,
      setupSeconds,
      setupUserSeconds: setup.userSeconds,
      setupPeakMegabytes: setup.peakMegabytes,
      proveSeconds,
      proveUserSeconds: proof.userSeconds,
      verifySeconds,
      peakMegabytes: answer.peakMegabytes,
      ...(gas === undefined ? {} : { gas }),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
