import { type Hex, hexToBytes, isAddressEqual } from 'viem';
import { eventually } from '../../contracts/client/eventually.ts';
import { AssayError } from '../../core/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Catalog } from '../models/catalog.ts';
import type { ModelChecks } from '../models/differential.ts';
import type { Queue } from '../queue/port.ts';
import {
  type ClaimDocument,
  COLLECTION,
  claimSchema,
  load,
  orderedId,
  proofId,
  proofSchema,
  type RequestDocument,
  requestSchema,
} from '../records/documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import { answersRequest } from '../work/answer.ts';
import { enqueue, workOn } from '../work/jobs.ts';
import { type NodeChain, STATUS } from './chain.ts';
import { ClaimBatch } from './claim-batch.ts';
import { isStillAsked, questionOfRequest } from './question.ts';
import { Sightings } from './sightings.ts';

export interface SubmitterParts {
  readonly store: Store;
  readonly queue: Queue;
  readonly chain: NodeChain;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  /** Whether this machine and the chain compute a model alike: looked at before its first claim. */
  readonly checks: Pick<ModelChecks, 'of'>;
  readonly log: Log;
}

/** Claims under way at once: what becomes ready together goes in one transaction. */
const CLAIMS = 64;
const PROOFS = 4;
const FORM_PUBLIC = 1;
/** Milliseconds in which an endpoint shows what another has shown. */
const LAG = 10_000;

/**
 * Chain side: sends what workers prepared. Jobs may run twice (a crash between sending and remembering), so each looks at the
 * chain first, and what was prepared once is sent as it is.
 */
export class Submitter {
  private readonly parts: SubmitterParts;
  private readonly batch: ClaimBatch;
  private readonly sightings = new Sightings();

  constructor(parts: SubmitterParts) {
    this.parts = parts;
    this.batch = new ClaimBatch(parts.chain, parts.log);
  }

  start(): void {
    const { queue } = this.parts;
    workOn(queue, 'claim', CLAIMS, ({ requestId }) => this.guarded(requestId, (request) => this.claim(request)));
    workOn(queue, 'fulfil', PROOFS, ({ requestId }) => this.guarded(requestId, (request) => this.fulfil(request)));
  }

  /** Loads the request, skips it when the chain no longer waits for it, and records how it ended. */
  private async guarded(requestId: string, send: (request: RequestDocument) => Promise<'sent' | 'again'>): Promise<void> {
    const { store, log } = this.parts;
    const request = await load(store, requestSchema, COLLECTION.requests, orderedId(requestId));
    if (request === undefined) return;
    if (!(await this.stillOpen(request))) return this.settle(request);
    try {
      if ((await send(request)) === 'again') return;
    } catch (error) {
      // Another prover may have been faster: that is no failure of ours.
      if (!(await this.stillOpen(request))) return this.settle(request);
      log.warn({ request: requestId, error }, 'answering failed');
      throw error;
    }
    // Whoever is asked may lag behind the one that showed the receipt; and a batch leaves out what another has reserved.
    const isSettled = await eventually(async () => ((await this.stillOpen(request)) ? undefined : true), { timeout: LAG, interval: 500 });
    if (isSettled !== true) throw new AssayError('A request waits for its answer although one was sent', { code: 'STATE_BEHIND' });
    await this.settle(request);
  }

  private async stillOpen(request: RequestDocument): Promise<boolean> {
    const seen = await this.parts.chain.request(request.requestId);
    // Its event told of it: an endpoint that knows no such request may lag behind.
    if (seen.status === STATUS.none) this.sightings.miss(request.requestId);
    else this.sightings.found(request.requestId);
    return seen.status === STATUS.open && isStillAsked(request, seen);
  }

  private async settle(request: RequestDocument): Promise<void> {
    const { chain, store } = this.parts;
    const id = orderedId(request.requestId);
    const [seen, owner] = await Promise.all([chain.request(request.requestId), chain.owner()]);
    const isAnswered = seen.status === STATUS.claimed || seen.status === STATUS.final || seen.status === STATUS.faulted;
    const isOurs = isAnswered && isAddressEqual(seen.prover, owner);
    const ended: RequestDocument = isOurs
      ? { ...request, state: 'answered' }
      : { ...request, state: 'passed', reason: 'it was answered by another prover, refunded, or its time is over' };
    // The number may be another request's by now, which has been decided on anew: that one is not ended.
    const question = questionOfRequest(request);
    const kept = await store.update<RequestDocument>(COLLECTION.requests, id, (before) =>
      before !== undefined && questionOfRequest(before) !== question ? undefined : ended,
    );
    if (kept !== undefined && questionOfRequest(kept) !== question) return;
    if (!isOurs) {
      await store.update<ClaimDocument>(COLLECTION.claims, id, (claim) =>
        claim?.state === 'prepared' ? { ...claim, state: 'void' } : undefined,
      );
    }
    // Ours is remembered as work until the chain's event tells of the answer: a block that held it may be replaced before that.
    if (!isOurs) await store.remove(COLLECTION.requestsQueued, id);
  }

  private async claim(request: RequestDocument): Promise<'sent' | 'again'> {
    const { store, queue, inputs, catalog, log } = this.parts;
    const prepared = await load(store, claimSchema, COLLECTION.claims, orderedId(request.requestId));
    const model = catalog.get(request.modelId);
    // A claim without its input's bytes could not be defended.
    const hasInput = model !== undefined && (await inputs.of(model, request)) !== undefined;
    if (prepared === undefined || !answersRequest(prepared, request) || !hasInput) {
      await enqueue(queue, 'run', { requestId: request.requestId });
      return 'again';
    }
    await this.parts.checks.of(model);
    await this.batch.send({ request, output: prepared.output });
    log.info({ request: request.requestId, model: request.modelId }, 'claimed');
    return 'sent';
  }

  private async fulfil(request: RequestDocument): Promise<'sent' | 'again'> {
    const { store, queue, chain, catalog, inputs, log } = this.parts;
    const id = proofId(request.requestId);
    const made = await load(store, proofSchema, COLLECTION.proofs, id);
    const model = catalog.get(request.modelId);
    const input = model === undefined ? undefined : await inputs.of(model, request);
    if (made?.state !== 'done' || made.modelId !== request.modelId || made.input !== request.input || input === undefined) {
      await enqueue(queue, 'prove', { proofId: id });
      return 'again';
    }
    const { key, proof, output } = made;
    await chain.fulfil(request.requestId, {
      key: bytesOf(key),
      proof: bytesOf(proof),
      input: model?.inputForm === FORM_PUBLIC ? input : new Uint8Array(),
      output: bytesOf(output),
    });
    log.info({ request: request.requestId }, 'fulfilled');
    return 'sent';
  }
}

function bytesOf(hex: string | undefined): Uint8Array {
  return hexToBytes((hex ?? '0x') as Hex);
}
