import { type Address, BaseError, ContractFunctionRevertedError, type PublicClient } from 'viem';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { stepVerifierAbi } from '../../contracts/client/generated/stepVerifier.ts';
import { stepEvidenceOf } from '../../core/dispute/step-evidence.ts';
import { AssayError } from '../../core/errors.ts';
import { toHash } from '../../core/keccak.ts';
import { encodeRecord } from '../../core/program/record.ts';
import type { Program } from '../../core/program/types.ts';
import { inputCount, sourceShapes } from '../../core/program/validate.ts';
import { ELEMENT_BYTES, fromBytes } from '../../core/tensor.ts';
import { inputForms } from '../../core/tensor-list.ts';
import { buildTrace, type Trace } from '../../core/trace.ts';
import { buildTree, leavesOfBytes } from '../../core/tree.ts';
import type { ModelSession } from '../../runtime/session.ts';

/** What is checked: a model as this machine runs it. */
export interface CheckedModel {
  readonly modelId: string;
  readonly program: Program;
  readonly session: Pick<ModelSession, 'trace'>;
}

export interface StepCheckOptions {
  readonly client: PublicClient;
  /** The claim board, which names the step code that decides disputes. */
  readonly board: Address;
  /** Elements of each instruction; 3 unless told. One of them is the last. */
  readonly elements?: number;
  /** Bytes at will, `count` of them: the input of the run, and which elements. */
  readonly random?: (count: number) => Uint8Array;
  readonly signal?: AbortSignal;
}

export interface StepCheck {
  readonly verifier: Address;
  readonly instructions: number;
  readonly elements: number;
}

const AT_ONCE = 8;

/**
 * Holds a model's own instructions to the deployed step code: a run on this machine's onnxruntime, and for each instruction the chain's
 * verdict on random elements of it. A machine that fails here would lose the lock of its first disputed claim. Costs one traced run and
 * `elements` calls an instruction.
 * @throws AssayError STEP_DIFFERS; errors of the client when the chain does not answer
 */
export async function checkSteps(model: CheckedModel, options: StepCheckOptions): Promise<StepCheck> {
  const { client, board, elements = 3, random = randomBytes, signal } = options;
  const { program } = model;
  const verifier = await client.readContract({ address: board, abi: claimBoardAbi, functionName: 'VERIFIER' });
  const inputs = inputForms(program).map(({ type, length }) => fromBytes(type, random(length * ELEMENT_BYTES[type])));
  const own = buildTrace(await model.session.trace(inputs));
  const from = inputCount(program);
  const positions = program.instructions.map((_, position) => position).slice(from);
  let checked = 0;
  await inParallel(positions, AT_ONCE, async (position) => {
    const step = stepCaller(options, verifier, program, position, own);
    for (const element of drawElements(program.instructions[position]!.length, elements, random)) {
      signal?.throwIfAborted();
      const held = own.tensors[position]![element]!;
      const { chain, computed } = await step(element);
      if (chain !== BigInt(held) || computed !== held) throw differs(model, position, element, { held, chain, computed });
      checked++;
    }
  });
  return { verifier, instructions: positions.length, elements: checked };
}

/** What chain and reference say of an element: the value, or the name of the chain's error. */
type Verdict = { readonly chain: bigint | string; readonly computed: number };

function stepCaller(
  { client }: StepCheckOptions,
  address: Address,
  program: Program,
  position: number,
  own: Trace,
): (element: number) => Promise<Verdict> {
  const instruction = program.instructions[position]!;
  const record = toHash(encodeRecord(instruction, sourceShapes(program, instruction)));
  const roots = instruction.sources.map((source) => own.roots[source]!);
  const parameters = instruction.parameters.length === 0 ? undefined : buildTree(leavesOfBytes(instruction.parameters));
  return async (element) => {
    const { evidence, value } = stepEvidenceOf(program, position, element, own, parameters);
    try {
      const args = [record, BigInt(element), roots, toHash(evidence)] as const;
      return {
        computed: value,
        chain: await client.readContract({ address, abi: stepVerifierAbi, functionName: 'step', args }),
      };
    } catch (error) {
      const reverted = error instanceof BaseError ? error.walk((cause) => cause instanceof ContractFunctionRevertedError) : null;
      if (!(reverted instanceof ContractFunctionRevertedError)) throw error;
      return { computed: value, chain: reverted.data?.errorName ?? 'a revert' };
    }
  };
}

/** The last element, where padding shows, and others at random; each once. */
function drawElements(length: number, count: number, random: (count: number) => Uint8Array): number[] {
  const drawn = new Set([length - 1]);
  for (let i = 1; i < count; i++) {
    const bytes = random(4);
    drawn.add(new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) % length);
  }
  return [...drawn];
}

function differs(
  { modelId, program }: CheckedModel,
  position: number,
  element: number,
  { held, chain, computed }: Verdict & { readonly held: number },
): AssayError {
  return new AssayError('This machine and the step code of the chain do not compute the same', {
    code: 'STEP_DIFFERS',
    facts: { modelId, instruction: position, kind: program.instructions[position]!.kind, element, here: held, reference: computed, chain },
    fix: 'do not serve this model from this machine: a claim could be lost; run `assay selftest`, and report it with these facts',
  });
}

function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  // The most that the generator gives at once.
  for (let at = 0; at < count; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(count, at + 65_536)));
  return bytes;
}

async function inParallel<Item>(items: readonly Item[], lanes: number, run: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await run(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/**
 * The checks of a node's models, each made once and before the first claim that depends on it. A check that could not be made, because
 * the chain did not answer, is made again at the next call.
 */
export class ModelChecks {
  private readonly made = new Map<string, Promise<StepCheck>>();
  private readonly abort = new AbortController();
  private readonly options: StepCheckOptions;

  constructor(options: Omit<StepCheckOptions, 'signal'>) {
    this.options = { ...options, signal: this.abort.signal };
  }

  /** @throws AssayError STEP_DIFFERS */
  of(model: CheckedModel): Promise<StepCheck> {
    const held = this.made.get(model.modelId);
    if (held !== undefined) return held;
    const check = checkSteps(model, this.options);
    this.made.set(model.modelId, check);
    check.catch((error: unknown) => {
      const isVerdict = error instanceof AssayError && error.code === 'STEP_DIFFERS';
      if (!isVerdict) this.made.delete(model.modelId);
    });
    return check;
  }

  /** Ends what is being checked; the models may be closed then. */
  async close(): Promise<void> {
    this.abort.abort();
    await Promise.allSettled(this.made.values());
  }
}
