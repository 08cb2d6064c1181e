import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Hash } from '../../core/brand.ts';
import { withFacts } from '../../core/errors.ts';
import { keccak256, toHash } from '../../core/keccak.ts';
import type { Program, TensorInterface } from '../../core/program/types.ts';
import { inputForms, listBytes } from '../../core/tensor-list.ts';
import type { ModelSession } from '../../runtime/session.ts';
import type { OfferedModel } from '../http/schemas.ts';
import { openPool, type PoolOptions } from './sessions.ts';

/** A model this node holds, validated and bound to its on-chain record. */
export interface ServedModel {
  readonly modelId: Hash;
  readonly directory: string;
  readonly programFile: string;
  readonly programBytes: number;
  /** keccak256 of the program file. */
  readonly programHash: Hash;
  readonly program: Program;
  readonly session: ModelSession;
  /** How a proof sees the input: 0 no zk tier here, 1 public bytes, 2 commitment. */
  readonly inputForm: number;
}

/** The models of a node; closed with it. */
export interface Catalog {
  get(modelId: string): ServedModel | undefined;
  readonly all: readonly ServedModel[];
  /** Largest input any model takes, bytes. */
  readonly largestInput: number;
  close(): Promise<void>;
}

/** Checks a program against what the chain says of the model; throws MODEL_MISMATCH. */
export type BindToRecord = (modelId: Hash, program: Program, file: Uint8Array) => Promise<{ readonly inputForm: number }>;

/**
 * Opens every configured model: program bytes validated by the loader, then held against the registered record.
 * @throws AssayError PROGRAM_MALFORMED, PROGRAM_INVALID, MODEL_MISMATCH, FILE_UNUSABLE
 */
export async function openCatalog(
  models: readonly { readonly modelId: string; readonly directory: string }[],
  bind: BindToRecord,
  sessions: PoolOptions = {},
): Promise<Catalog> {
  const served = new Map<string, ServedModel>();
  const close = async (): Promise<void> => {
    await Promise.all([...served.values()].map((model) => model.session.close()));
  };
  try {
    for (const { modelId, directory } of models) served.set(modelId, await openServed(modelId as Hash, directory, bind, sessions));
  } catch (error) {
    await close();
    throw error;
  }
  const all = [...served.values()];
  return {
    get: (modelId) => served.get(modelId),
    all,
    largestInput: Math.max(...all.map(({ program }) => listBytes(inputForms(program)))),
    close,
  };
}

async function openServed(modelId: Hash, directory: string, bind: BindToRecord, sessions: PoolOptions): Promise<ServedModel> {
  const programFile = path.join(directory, 'program.assay');
  const file = new Uint8Array(await readFile(programFile));
  let session: ModelSession | undefined;
  try {
    session = await openPool(file, sessions);
    const { inputForm } = await bind(modelId, session.program, file);
    return {
      modelId,
      directory,
      programFile,
      programBytes: file.length,
      programHash: toHash(keccak256(file)),
      program: session.program,
      session,
      inputForm,
    };
  } catch (error) {
    await session?.close();
    throw withFacts(error, { modelId, directory });
  }
}

export function offerOf({ modelId, program, inputForm, programBytes, programHash }: ServedModel): OfferedModel {
  const plain = ({ name, type, dims }: TensorInterface) => ({ name, type, dims: [...dims] });
  return {
    modelId,
    name: program.interface.name,
    tiers: inputForm === 0 ? ['optimistic'] : ['zk', 'optimistic'],
    inputs: program.interface.inputs.map(plain),
    outputs: program.interface.outputs.map(plain),
    inputBytes: listBytes(inputForms(program)),
    programBytes,
    programHash,
  };
}
