import { answerData } from '../../core/dispute/answers.ts';
import { programTrees } from '../../core/dispute/program-trees.ts';
import type { Unit } from '../../core/dispute/units.ts';
import { AssayError } from '../../core/errors.ts';
import { buildTrace } from '../../core/trace.ts';
import { type ClaimDocument, COLLECTION, claimSchema, load, orderedId } from '../records/documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import type { Catalog, ServedModel } from './catalog.ts';
import { tensorsOf } from './run.ts';
import { TraceCache } from './traces.ts';

/** The models behind our claims and their traces: what a defence is made of. */
export class ClaimMaterial {
  readonly traces: TraceCache;
  private readonly store: Store;
  private readonly catalog: Catalog;
  private readonly inputs: InputStore;
  private readonly trees = new Map<string, ReturnType<typeof programTrees>>();

  constructor(store: Store, catalog: Catalog, inputs: InputStore) {
    this.store = store;
    this.catalog = catalog;
    this.inputs = inputs;
    this.traces = new TraceCache(async (claimId) => {
      const { claim, model } = await this.modelOf(claimId);
      const input = await inputs.of(model, { tier: OPTIMISTIC, input: claim.input });
      if (input === undefined) throw missing(claimId, 'input');
      return buildTrace(await tensorsOf(model, input, claim.fault ?? undefined));
    });
  }

  /** Bytes that answer a demand of a unit; undefined for a unit that the claim does not have. @throws AssayError MATERIAL_MISSING */
  async dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined> {
    return answerData((await this.modelOf(claimId)).trees, await this.traces.get(claimId), unit);
  }

  /** What of a claim's defence is not in hand; undefined where everything is. */
  async missing(claim: Pick<ClaimDocument, 'modelId' | 'input'>): Promise<'model' | 'input' | undefined> {
    const model = this.catalog.get(claim.modelId);
    if (model === undefined) return 'model';
    return (await this.inputs.of(model, { tier: OPTIMISTIC, input: claim.input })) === undefined ? 'input' : undefined;
  }

  private async modelOf(claimId: string): Promise<{ claim: ClaimDocument; model: ServedModel; trees: ReturnType<typeof programTrees> }> {
    const claim = await load(this.store, claimSchema, COLLECTION.claims, orderedId(claimId));
    const model = claim === undefined ? undefined : this.catalog.get(claim.modelId);
    if (claim === undefined || model === undefined) throw missing(claimId, claim === undefined ? 'claim' : `model ${claim.modelId}`);
    const trees = this.trees.get(claim.modelId) ?? programTrees(model.program);
    this.trees.set(claim.modelId, trees);
    return { claim, model, trees };
  }
}

const OPTIMISTIC = 1;

function missing(claimId: string, what: string): AssayError {
  return new AssayError('What a claim needs for its defence is missing', {
    code: 'MATERIAL_MISSING',
    facts: { claim: claimId, missing: what },
    fix: 'restore the data directory, or serve the model again, before the demand runs out',
  });
}
