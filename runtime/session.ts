import './no-telemetry.ts';
import * as ort from 'onnxruntime-node';
import { buildCarrier, outputName, tensorName } from '../core/carrier/carrier.ts';
import { AssayError, invariant } from '../core/errors.ts';
import { checkInputs } from '../core/execute.ts';
import { decodeProgram } from '../core/program/codec.ts';
import type { Program } from '../core/program/types.ts';
import { inputCount, outputCount } from '../core/program/validate.ts';
import { elementTypeOf, type TypedArray } from '../core/tensor.ts';

const ORT_TYPES = { u8: 'uint8', i16: 'int16', i32: 'int32' } as const;

export interface SessionOptions {
  /** Threads inside one operator; more change the speed and no bit. Default: onnxruntime's own choice. */
  readonly threads?: number;
  /** onnxruntime's graph optimisation; changes the speed and no bit. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Opens the tracing carrier alone, at once; `run` then costs as much as `trace`. Default false. */
  readonly traceOnly?: boolean;
}

/** A model ready to run on this machine's onnxruntime, bit for bit what `execute` computes. */
export interface ModelSession {
  readonly program: Program;
  /** @returns the outputs, in the order of the interface */
  run(inputs: readonly TypedArray[]): Promise<TypedArray[]>;
  /** @returns all tensors, inputs first, as `execute` does; builds a second carrier at its first call */
  trace(inputs: readonly TypedArray[]): Promise<TypedArray[]>;
  /** Frees the native memory; no call may follow. */
  close(): Promise<void>;
}

async function openCarrier(program: Program, trace: boolean, options: SessionOptions): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(buildCarrier(program, { trace }), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: options.optimization ?? 'all',
      logSeverityLevel: 3,
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    });
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('onnxruntime cannot load the model', {
      code: 'RUNTIME_LOAD',
      facts: { reason: cause instanceof Error ? cause.message : String(cause) },
      fix: 'run `assay selftest`; if it passes, please report the model',
      cause,
    });
  }
}

function typedArrayOf(tensor: ort.Tensor | undefined): TypedArray {
  const data = tensor?.data;
  if (data instanceof Uint8Array || data instanceof Int16Array || data instanceof Int32Array) return data;
  throw new AssayError('onnxruntime returned a tensor of another type', { code: 'RUNTIME_OUTPUT' });
}

function feedsOf(inputs: readonly TypedArray[]): Record<string, ort.Tensor> {
  return Object.fromEntries(
    inputs.map((values, i) => [tensorName(i), new ort.Tensor(ORT_TYPES[elementTypeOf(values)], values, [values.length])]),
  );
}

/**
 * Opens a program on onnxruntime. The carrier is always generated from the validated program, never read from disk.
 * @param source a program, already validated, or the bytes of a program file
 * @throws AssayError PROGRAM_MALFORMED, PROGRAM_INVALID, CARRIER_TOO_LARGE, RUNTIME_LOAD
 */
export async function openModel(source: Program | Uint8Array, options: SessionOptions = {}): Promise<ModelSession> {
  const program = source instanceof Uint8Array ? decodeProgram(source) : source;
  const inputs = inputCount(program);
  const first = program.instructions.length - outputCount(program);
  const serving = await openCarrier(program, options.traceOnly === true, options);
  let tracing = options.traceOnly === true ? Promise.resolve(serving) : undefined;
  let closed = false;
  const nameOf = (position: number): string => outputName(position, inputs);
  const run = async (session: ort.InferenceSession, values: readonly TypedArray[], from: number): Promise<TypedArray[]> => {
    const results = await session.run(feedsOf(values));
    return program.instructions.slice(from).map((_, i) => typedArrayOf(results[nameOf(from + i)]));
  };
  return {
    program,
    async run(values) {
      invariant(!closed, 'a closed model session was used');
      checkInputs(program, values);
      return run(serving, values, first);
    },
    async trace(values) {
      invariant(!closed, 'a closed model session was used');
      checkInputs(program, values);
      tracing ??= openCarrier(program, true, options);
      return [...values, ...(await run(await tracing, values, inputs))];
    },
    async close() {
      closed = true;
      const second = await tracing;
      await serving.release();
      if (second !== undefined && second !== serving) await second.release();
    },
  };
}
