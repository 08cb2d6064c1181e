import { commitInput } from '../circuits/input-commitment.ts';
import type { Hash } from '../core/brand.ts';
import { inputForms, listRoot, splitTensors } from '../core/tensor-list.ts';
import type { ArtifactStore } from '../runtime/artifacts.ts';
import type { ServedModel } from './catalog.ts';

const KIND = 'inputs';
const COMMITMENT = 2;

/** Names under which the bytes of an input can be asked for. */
export interface InputNames {
  readonly inputRoot: Hash;
  /** Poseidon commitment, for models whose proofs see one. */
  readonly commitment: Hash | null;
}

/** Input bytes by hash. Nothing is believed: names are computed from the bytes. */
export class InputStore {
  private readonly artifacts: ArtifactStore;

  constructor(artifacts: ArtifactStore) {
    this.artifacts = artifacts;
  }

  /** Keeps bytes under every name they have. @throws AssayError TENSOR_SIZE when they are not an input of the model */
  async accept(model: ServedModel, bytes: Uint8Array): Promise<InputNames> {
    const inputRoot = listRoot(splitTensors(inputForms(model.program), bytes));
    await this.artifacts.put(KIND, inputRoot, bytes);
    if (model.inputForm !== COMMITMENT) return { inputRoot, commitment: null };
    const commitment = `0x${(await commitInput(bytes)).toString(16).padStart(64, '0')}` as Hash;
    await this.artifacts.put(KIND, commitment, bytes);
    return { inputRoot, commitment };
  }

  get(name: string): Promise<Uint8Array | undefined> {
    return this.artifacts.get(KIND, name);
  }

  has(name: string): Promise<boolean> {
    return this.artifacts.has(KIND, name);
  }
}
