import type { Hash } from '../core/brand.ts';
import { type ProgramTrees, programTrees } from '../core/dispute/program-trees.ts';
import type { Unit } from '../core/dispute/units.ts';
import { AssayError } from '../core/errors.ts';
import { execute } from '../core/execute.ts';
import { decodeProgram } from '../core/program/codec.ts';
import { modelRecord } from '../core/program/identity.ts';
import { LIMITS } from '../core/program/types.ts';
import type { TypedArray } from '../core/tensor.ts';
import { inputForms, listBytes, listRoot, splitTensors } from '../core/tensor-list.ts';
import { buildTrace, type Trace } from '../core/trace.ts';
import type { ArtifactStore } from '../runtime/artifacts.ts';
import { fetchBytes } from '../runtime/fetch.ts';
import type { Log } from '../runtime/log.ts';
import type { ChallengerChain } from './chain.ts';
import type { KnownRequest } from './state.ts';

/** A unit is 32 hashes or 512 bytes. */
const UNIT_BYTES = 1_024;

export interface MaterialOptions {
  readonly chain: ChallengerChain;
  readonly artifacts: ArtifactStore;
  /** Nodes to ask. */
  readonly provers: readonly string[];
  readonly fromBlock: bigint;
  readonly timeout: number;
  readonly log: Log;
}

/** A program that was fetched, validated and found to be the registered one. */
export interface CheckedModel {
  readonly trees: ProgramTrees;
  readonly greatestDepth: number;
}

/** Programs and inputs from whoever has them; nothing is believed that a hash on chain does not confirm. */
export class Material {
  private readonly options: MaterialOptions;
  private readonly models = new Map<string, CheckedModel>();

  constructor(options: MaterialOptions) {
    this.options = options;
  }

  /** The model, or undefined when nobody hands out the registered program. */
  async model(modelId: Hash): Promise<CheckedModel | undefined> {
    const known = this.models.get(modelId);
    if (known !== undefined) return known;
    const { artifacts, chain, provers, timeout, fromBlock, log } = this.options;
    const record = await chain.record(modelId);
    const check = (bytes: Uint8Array | undefined): CheckedModel | undefined => {
      if (bytes === undefined) return undefined;
      try {
        return checkProgram(bytes, record);
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        log.warn({ modelId, error }, 'what was handed out is not the registered program');
        return undefined;
      }
    };
    let model = check(await artifacts.get('programs', modelId));
    if (model !== undefined) return this.keep(modelId, model);
    const location = await chain.location(modelId, fromBlock);
    const places = [...provers.map((prover) => `${trimmed(prover)}/v1/models/${modelId}/program`), ...(location ? [location] : [])];
    for (const place of places) {
      const bytes = await this.fetch(place, { mostBytes: LIMITS.programBytes, timeout });
      model = check(bytes);
      if (model === undefined || bytes === undefined) continue;
      await artifacts.put('programs', modelId, bytes);
      return this.keep(modelId, model);
    }
    return undefined;
  }

  /** Input tensors, or undefined when nobody hands out the bytes. */
  async input(model: CheckedModel, request: KnownRequest): Promise<TypedArray[] | undefined> {
    const { artifacts, provers, timeout } = this.options;
    const forms = inputForms(model.trees.program);
    const expected = listBytes(forms);
    const check = (bytes: Uint8Array | undefined): TypedArray[] | undefined => {
      if (bytes === undefined || bytes.length !== expected) return undefined;
      const tensors = splitTensors(forms, bytes);
      return listRoot(tensors) === request.inputRoot ? tensors : undefined;
    };
    const held = check(await artifacts.get('inputs', request.inputRoot));
    if (held !== undefined) return held;
    const places = [
      ...provers.map((prover) => `${trimmed(prover)}/v1/inputs/${request.inputRoot}`),
      ...(request.inputUri ? [request.inputUri] : []),
    ];
    for (const place of places) {
      const bytes = await this.fetch(place, { mostBytes: expected, timeout });
      const tensors = check(bytes);
      if (tensors === undefined || bytes === undefined) continue;
      await artifacts.put('inputs', request.inputRoot, bytes);
      return tensors;
    }
    return undefined;
  }

  /** What a node says a unit of a claim's trace is; undefined when none hands it out. Not checked here: the decision does. */
  async unit(claimId: string, { position, height, index }: Unit): Promise<Uint8Array | undefined> {
    const { provers, timeout } = this.options;
    for (const prover of provers) {
      const place = `${trimmed(prover)}/v1/claims/${claimId}/tensors/${position}/${height}/${index}`;
      const bytes = await this.fetch(place, { mostBytes: UNIT_BYTES, timeout });
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  private keep(modelId: string, model: CheckedModel): CheckedModel {
    this.models.set(modelId, model);
    return model;
  }

  /** A place on chain may be any text: one that is no address is a place without the bytes. */
  private async fetch(url: string, limits: { mostBytes: number; timeout: number }): Promise<Uint8Array | undefined> {
    try {
      return await fetchBytes(url, limits);
    } catch (error) {
      this.options.log.debug({ error }, 'a place to fetch from is no address');
      return undefined;
    }
  }
}

/** Runs by the reference executor, which shares nothing with the runtime that provers use. */
export function runTrace(model: CheckedModel, inputs: readonly TypedArray[]): Trace {
  return buildTrace(execute(model.trees.program, inputs));
}

type Registered = Awaited<ReturnType<ChallengerChain['record']>>;

/** @throws AssayError unless the bytes are a valid program with exactly this record */
function checkProgram(bytes: Uint8Array, record: Registered): CheckedModel {
  const program = decodeProgram(bytes);
  const computed = modelRecord(program, { creator: record.creator, royalty: record.royalty });
  // Who earns and how it is proved are not the program's to say.
  for (const field of ['instructionRoot', 'interfaceHash', 'instructionCount', 'inputs', 'outputs', 'greatestDepth'] as const) {
    if (String(computed[field]) !== String(record[field])) {
      throw new AssayError('The program is not the registered one', { code: 'MODEL_MISMATCH', facts: { field } });
    }
  }
  return { trees: programTrees(program), greatestDepth: record.greatestDepth };
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, '');
}
