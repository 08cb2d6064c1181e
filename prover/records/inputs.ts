import type { Hash } from '../../core/brand.ts';
import { inputForms, listBytes, listRootOfBytes } from '../../core/tensor-list.ts';
import type { ArtifactStore } from '../../runtime/artifacts.ts';
import { Gate } from '../concurrency/gate.ts';
import type { ServedModel } from '../models/catalog.ts';
import type { Store } from '../store/port.ts';
import { chainTime, type RequestDocument } from './documents.ts';
import { holdInput, MARGIN } from './holds.ts';

const KIND = 'inputs';
const COMMITMENT = 2;

/** What of a model says how inputs are named. */
type Named = Pick<ServedModel, 'program' | 'inputForm'>;

/** One at a time: strangers may have any number computed, and each turn of one is a turn that clocks and locks wait for. */
const committing = new Gate('other inputs', 1, Number.POSITIVE_INFINITY);

async function commitmentOf(bytes: Uint8Array): Promise<Hash> {
  // Poseidon's tables are 27 MB of a process's heap, and models without a zk tier never need them.
  const { commitInput } = await import('../../circuits/input-commitment.ts');
  const commitment = await committing.run(() => commitInput(bytes));
  return `0x${commitment.toString(16).padStart(64, '0')}` as Hash;
}

/** Names under which the bytes of an input can be asked for. */
export interface InputNames {
  readonly inputRoot: Hash;
  /** Poseidon commitment, for models whose proofs see one. */
  readonly commitment: Hash | null;
}

/** Input bytes by hash. Nothing is believed: names are computed from the bytes. */
export class InputStore {
  private readonly artifacts: ArtifactStore;
  private readonly store: Store | undefined;

  /** @param store remembers until when bytes are kept (prover/records/holds.ts); without one they are kept for ever */
  constructor(artifacts: ArtifactStore, store?: Store) {
    this.artifacts = artifacts;
    this.store = store;
  }

  /** Keeps bytes under every name they have, for a day unless `hold` says longer. @throws AssayError TENSOR_SIZE when they are not an input of the model */
  async accept(model: Named, bytes: Uint8Array): Promise<InputNames> {
    const inputRoot = listRootOfBytes(inputForms(model.program), bytes);
    await this.put(inputRoot, bytes);
    if (model.inputForm !== COMMITMENT) return { inputRoot, commitment: null };
    const commitment = await commitmentOf(bytes);
    await this.put(commitment, bytes);
    return { inputRoot, commitment };
  }

  /**
   * Keeps the input of a receipt, which its customer can make a claim.
   * @param inputRoot its name, computed by the caller from these bytes @param expiry last second at which the receipt can be opened
   */
  async keep(inputRoot: Hash, bytes: Uint8Array, expiry: number): Promise<void> {
    await this.hold(inputRoot, expiry);
    if (!(await this.artifacts.has(KIND, inputRoot))) await this.artifacts.put(KIND, inputRoot, bytes);
  }

  /** Keeps bytes until a day after the last moment at which they could be asked for. @param last unix seconds of the chain */
  async hold(name: string, last: number): Promise<void> {
    if (this.store !== undefined) await holdInput(this.store, name, last + MARGIN);
  }

  remove(name: string): Promise<void> {
    return this.artifacts.remove(KIND, name);
  }

  private async put(name: Hash, bytes: Uint8Array): Promise<void> {
    if (this.store !== undefined) await this.hold(name, Math.max(await chainTime(this.store), Math.floor(Date.now() / 1000)));
    await this.artifacts.put(KIND, name, bytes);
  }

  has(name: string): Promise<boolean> {
    return this.artifacts.has(KIND, name);
  }

  get(name: string): Promise<Uint8Array | undefined> {
    return this.artifacts.get(KIND, name);
  }

  /**
   * The bytes that a request is about, computed anew from what is held under its name; undefined while they are not in hand. Who asks
   * chooses the name: a commitment in the place of an input root names bytes whose claim nobody could defend.
   */
  async of(model: Named, request: Pick<RequestDocument, 'tier' | 'input'>): Promise<Uint8Array | undefined> {
    const bytes = await this.get(request.input);
    const forms = inputForms(model.program);
    if (bytes === undefined || bytes.length !== listBytes(forms)) return undefined;
    const isCommitted = request.tier === 0 && model.inputForm === COMMITMENT;
    const name = isCommitted ? await commitmentOf(bytes) : listRootOfBytes(forms, bytes);
    return name === request.input ? bytes : undefined;
  }
}
