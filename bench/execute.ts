import { execute } from '../core/execute.ts';
import type { Program } from '../core/program/types.ts';
import { buildTrace, traceRoot } from '../core/trace.ts';
import { openModel } from '../runtime/session.ts';
import { mobilenet, resnet8 } from '../test/support/networks.ts';
import { Random } from '../test/support/random.ts';

/** Best of several runs, milliseconds: a shared machine only ever adds to the true figure. */
async function best(runs: number, run: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

export interface ExecutionFigures {
  readonly network: string;
  readonly executorMs: number;
  /** One thread, outputs alone. */
  readonly servingMs: number;
  readonly tracingMs: number;
  /** Executor over serving: the promise is at most 150. */
  readonly ratio: number;
  /** Roots of all tensors and of the trace: the promise for ResNet-8 is at most 50 ms. */
  readonly rootsMs: number;
}

async function measure(network: string, program: Program, input: Uint8Array): Promise<ExecutionFigures> {
  const session = await openModel(program, { threads: 1 });
  await session.trace([input]);
  const executorMs = await best(10, () => execute(program, [input]));
  const servingMs = await best(200, () => session.run([input]));
  const tracingMs = await best(200, () => session.trace([input]));
  const tensors = execute(program, [input]);
  const rootsMs = await best(20, () => traceRoot(buildTrace(tensors).roots));
  await session.close();
  return { network, executorMs, servingMs, tracingMs, ratio: executorMs / servingMs, rootsMs };
}

/** Executor against onnxruntime, and the hashing of a trace, on two convolution nets. */
export async function benchExecution(): Promise<ExecutionFigures[]> {
  const r = new Random(3);
  const nets = { 'ResNet-8': resnet8(r), 'MobileNet 0.25': mobilenet(r) };
  const figures: ExecutionFigures[] = [];
  for (const [name, program] of Object.entries(nets)) {
    figures.push(await measure(name, program, Uint8Array.from(r.tensor('u8', program.instructions[0]!.length))));
  }
  return figures;
}

if (process.argv[1] === import.meta.filename) {
  for (const f of await benchExecution()) {
    const ms = (value: number): string => `${value.toFixed(2)} ms`;
    console.log(
      `${f.network}: executor ${ms(f.executorMs)}, onnxruntime ${ms(f.servingMs)} (${f.ratio.toFixed(0)}×), tracing ${ms(f.tracingMs)}, all roots ${ms(f.rootsMs)}`,
    );
  }
}
