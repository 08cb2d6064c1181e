import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { compileCircuit } from '../circuits/compile.ts';
import { prove } from '../circuits/prove.ts';
import { setupDevelopment } from '../circuits/setup.ts';
import { readVerificationKey, verifyProof } from '../circuits/verify.ts';
import { encodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { LADDER, random, randomInputs } from '../test/circuits/build.ts';

/** One program through the zk tier: sizes are exact, times are those of this machine. */
export interface ZkFigures {
  readonly name: string;
  readonly constraints: number;
  /** Rows without input range checks, input commitment and output packing, a computed element. */
  readonly rowsPerActivation: number;
  readonly domain: number;
  readonly keyMegabytes: number;
  readonly cores: number;
  readonly compileSeconds: number;
  readonly setupSeconds: number;
  /** A proof from inputs to verified proof, in a process that has the circuit already. */
  readonly proveSeconds: number;
  readonly verifySeconds: number;
  readonly peakMegabytes: number;
}

async function timed<T>(act: () => Promise<T> | T): Promise<[T, number]> {
  const start = performance.now();
  const result = await act();
  return [result, (performance.now() - start) / 1000];
}

export async function zkFigures(name: string, program: Program): Promise<ZkFigures> {
  const directory = await mkdtemp(path.join(tmpdir(), 'assay-bench-'));
  try {
    await writeFile(path.join(directory, 'program.assay'), encodeProgram(program));
    const [{ report }, compileSeconds] = await timed(() => compileCircuit(program));
    const [, setupSeconds] = await timed(() => setupDevelopment(directory));
    let loadedAt = 0;
    const job = { directory, inputs: randomInputs(program, random(1)), context: 1n };
    const start = performance.now();
    const answer = await prove({
      ...job,
      onProgress: ({ phase }) => {
        if (phase === 'run model') loadedAt = performance.now() - start;
      },
    });
    const proveSeconds = (performance.now() - start - loadedAt) / 1000;
    const key = await readVerificationKey(directory);
    const given = { key, proof: answer.proof, publicSignals: answer.publicSignals };
    await verifyProof(given);
    const [verdict, verifySeconds] = await timed(() => verifyProof(given));
    if (!verdict.valid) throw new Error(`${name}: ${verdict.reason}`);
    return {
      name,
      constraints: report.constraints,
      rowsPerActivation: report.model / Math.max(report.activations, 1),
      domain: report.domain,
      keyMegabytes: report.keyBytes / 1e6,
      cores: availableParallelism(),
      compileSeconds,
      setupSeconds,
      proveSeconds,
      verifySeconds,
      peakMegabytes: answer.peakMegabytes,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The shapes on which the field publishes numbers, or those named. */
export async function* benchZk(names: readonly string[] = Object.keys(LADDER)): AsyncGenerator<ZkFigures> {
  for (const name of names) {
    const make = LADDER[name];
    if (make === undefined) throw new Error(`there is no shape ${name}; there are ${Object.keys(LADDER).join(', ')}`);
    yield await zkFigures(name, make());
  }
}

// `tsx bench/zk.ts [SHAPE…]`
if (process.argv[1] === import.meta.filename) {
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
  for await (const figures of benchZk(names.length === 0 ? undefined : names)) console.log(JSON.stringify(figures));
}
