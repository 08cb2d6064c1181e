import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Hash } from '../core/brand.ts';
import { AssayError } from '../core/errors.ts';
import { execute } from '../core/execute.ts';
import { decodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import type { TypedArray } from '../core/tensor.ts';
import { buildTrace, firstDifference, traceRoot } from '../core/trace.ts';
import { openModel, type SessionOptions } from './session.ts';

/** One value that this machine computes differently. */
export interface SelftestFault {
  /** Which face is wrong: the executor against the recorded root, or onnxruntime against the executor. */
  readonly face: 'executor' | 'onnxruntime';
  readonly instruction: number;
  readonly kind: string;
  readonly element: number;
}

export interface SelftestReport {
  readonly passed: boolean;
  readonly instructions: number;
  /** Values compared. */
  readonly values: number;
  readonly milliseconds: number;
  /** The first fault of every instruction that has one. */
  readonly faults: readonly SelftestFault[];
}

/** A fixed program of many instructions of every kind, extremes included, with inputs and the trace roots they must give. */
export interface SelftestVectors {
  readonly program: Program;
  readonly cases: readonly { readonly input: Uint8Array; readonly traceRoot: Hash }[];
}

const bytes = z.array(z.int().min(0).max(255));
const casesSchema = z.strictObject({ cases: z.array(z.strictObject({ input: bytes, traceRoot: z.string() })).min(1) });

/** The vectors that come with the project. */
export async function selftestVectors(): Promise<SelftestVectors> {
  const folder = new URL('./selftest/', import.meta.url);
  const { cases } = casesSchema.parse(JSON.parse(await readFile(new URL('vectors.json', folder), 'utf8')));
  return {
    program: decodeProgram(await readFile(new URL('vectors.assay', folder))),
    cases: cases.map(({ input, traceRoot: root }) => ({ input: Uint8Array.from(input), traceRoot: root as Hash })),
  };
}

function faultsOf(program: Program, expected: readonly TypedArray[], actual: readonly TypedArray[]): SelftestFault[] {
  return expected.flatMap((tensor, instruction) => {
    const element = firstDifference(tensor, actual[instruction]!);
    return element === undefined
      ? []
      : [{ face: 'onnxruntime' as const, instruction, kind: program.instructions[instruction]!.kind, element }];
  });
}

/**
 * Runs fixed vectors on this machine: the executor must give the recorded roots, onnxruntime every tensor of the executor. A node
 * runs it at start and refuses to serve when it fails. About a second.
 */
export async function selftest(options: SessionOptions = {}, vectors?: SelftestVectors): Promise<SelftestReport> {
  const start = performance.now();
  const { program, cases } = vectors ?? (await selftestVectors());
  const session = await openModel(program, { ...options, traceOnly: true });
  const faults: SelftestFault[] = [];
  let values = 0;
  try {
    for (const { input, traceRoot: recorded } of cases) {
      const expected = execute(program, [input]);
      if (traceRoot(buildTrace(expected).roots) !== recorded) faults.push({ face: 'executor', instruction: -1, kind: 'any', element: -1 });
      faults.push(...faultsOf(program, expected, await session.trace([input])));
      values += expected.reduce((n, tensor) => n + tensor.length, 0);
    }
  } finally {
    await session.close();
  }
  const milliseconds = Math.round(performance.now() - start);
  return { passed: faults.length === 0, instructions: program.instructions.length, values, milliseconds, faults };
}

/** @throws AssayError SELFTEST_FAILED naming the first fault */
export async function requireSelftest(): Promise<SelftestReport> {
  const report = await selftest();
  const fault = report.faults[0];
  if (fault !== undefined) {
    throw new AssayError('This machine does not compute integer programs correctly', {
      code: 'SELFTEST_FAILED',
      facts: { ...fault, faults: report.faults.length },
      fix: 'do not serve from this machine: an answer of it could be slashed; please report its processor and onnxruntime version',
    });
  }
  return report;
}
