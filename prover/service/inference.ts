import type { Hash } from '../../core/brand.ts';
import { AssayError } from '../../core/errors.ts';
import { listRoot, outputForms, splitTensors } from '../../core/tensor-list.ts';
import { readOutput } from '../../core/values.ts';
import type { AnswerView, OutputView } from '../http/schemas.ts';
import type { Caller, OptimisticQuestion } from '../http/service.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Catalog, ServedModel } from '../models/catalog.ts';
import { answerInput, type FaultPlan } from '../models/run.ts';
import { COLLECTION, load } from '../records/documents.ts';
import { type ReceiptDocument, receiptDocument } from '../records/http-documents.ts';
import type { InputStore } from '../records/inputs.ts';
import type { Store } from '../store/port.ts';
import type { Coverage } from './coverage.ts';
import type { Idempotency } from './idempotency.ts';
import { type MadeReceipt, type ReceiptMaker, receiptName, UNSECURED } from './receipts.ts';

export interface InferenceParts {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly maker: ReceiptMaker;
  /** Undefined where no channels are served: every receipt is unsecured. */
  readonly coverage: Coverage | undefined;
  /** Holds a model to the step code of the chain: a receipt that stake answers for is a claim. */
  readonly checked: (model: ServedModel) => Promise<unknown>;
  readonly idempotency: Idempotency;
  readonly fault: FaultPlan | undefined;
  readonly metrics: NodeMetrics;
}

/** Answers questions at once, under a signature. Nothing is told before it is stored. */
export class Inference {
  private readonly parts: InferenceParts;

  constructor(parts: InferenceParts) {
    this.parts = parts;
  }

  async infer(question: OptimisticQuestion): Promise<AnswerView> {
    const { caller, modelId, input, channel, coverage, idempotencyKey } = question;
    const model = this.parts.catalog.get(modelId);
    if (model === undefined) throw new AssayError('No such model', { code: 'HTTP_NOT_FOUND', fix: 'see GET /v1/models' });
    if (idempotencyKey === undefined) {
      const { id, document } = await this.answer(question, model);
      return viewOf(id, document, question.asNumbers ? model : undefined);
    }
    const terms = ['optimistic', modelId, channel ?? '', coverage ?? ''];
    const id = await this.parts.idempotency.answer({ caller: caller.id, key: idempotencyKey, terms, input }, async () => {
      return (await this.answer(question, model)).id;
    });
    const document = await load(this.parts.store, receiptDocument, COLLECTION.receipts, id);
    if (document === undefined) throw new AssayError('A stored answer is gone', { code: 'INTERNAL', facts: { id } });
    return viewOf(id, document, question.asNumbers ? model : undefined);
  }

  /** A receipt that anybody may read, or this caller. */
  async receipt(id: string, caller: Caller): Promise<AnswerView | undefined> {
    const document = await load(this.parts.store, receiptDocument, COLLECTION.receipts, id);
    if (document === undefined || (document.owner !== null && document.owner !== caller.id)) return undefined;
    return viewOf(id, document, undefined);
  }

  private async answer(question: OptimisticQuestion, model: ServedModel): Promise<{ id: string; document: ReceiptDocument }> {
    const { store, inputs, maker, coverage, metrics, fault: plan } = this.parts;
    const { caller, modelId, input, channel } = question;
    if (channel !== undefined && coverage === undefined) throw channelsMissing();
    if (channel !== undefined) await this.parts.checked(model);
    const started = performance.now();
    const ran = await answerInput(model, input, plan);
    const done = performance.now();
    metrics.inferenceSeconds.observe({ tier: 'optimistic' }, (done - started) / 1000);
    const inputRoot = listRoot(ran.inputs);
    const backing =
      channel === undefined || coverage === undefined
        ? UNSECURED
        : await coverage.draw(channel, caller.customer, modelId, question.coverage);
    const drawn = performance.now();
    const now = Date.now();
    const made = await maker.make({ modelId, inputRoot, outputRoot: listRoot(ran.outputs) }, backing, Math.floor(now / 1000));
    metrics.receiptSeconds.observe((performance.now() - drawn) / 1000);
    metrics.receipts.inc({ backing: backing === UNSECURED ? 'unsecured' : 'channel' });
    // A receipt of a channel can become a claim: what its defence needs is kept before it leaves.
    if (backing !== UNSECURED) await inputs.keep(inputRoot as Hash, input, backing.expiry);
    if (backing !== UNSECURED && ran.fault !== undefined) await store.put(COLLECTION.receiptFaults, made.digest, ran.fault);
    const document = documentOf(made, ran.output, caller);
    const id = receiptName(made.id, now, backing.expiry);
    await store.put(COLLECTION.receipts, id, document);
    return { id, document };
  }
}

function documentOf({ receipt, domain, signature }: MadeReceipt, output: Uint8Array, caller: Caller): ReceiptDocument {
  const hex = `0x${Buffer.from(output.buffer, output.byteOffset, output.byteLength).toString('hex')}`;
  return { receipt, domain, signature, output: hex, owner: ownerOf(caller) };
}

/** A customer with a key owns its answers; of others only the name is known to whoever asked. */
export function ownerOf({ id }: Caller): string | null {
  return id.startsWith('key:') ? id : null;
}

function viewOf(id: string, { receipt, domain, signature, output }: ReceiptDocument, model: ServedModel | undefined): AnswerView {
  const backing = receipt.channel === UNSECURED.channel ? 'unsecured' : 'channel';
  const numbers = model === undefined ? {} : { outputs: outputViews(model, output) };
  return { id, output, backing, receipt, domain, signature, ...numbers };
}

/** An output as numbers. @param output 0x-hex of its canonical bytes */
export function outputViews({ program }: ServedModel, output: string): OutputView[] {
  const tensors = splitTensors(outputForms(program), Buffer.from(output.slice(2), 'hex'));
  return readOutput(program, tensors).map(({ name, dims, integers, values }) => ({
    name,
    dims: [...dims],
    integers: Array.from(integers),
    values: Array.from(values),
  }));
}

function channelsMissing(): AssayError {
  return new AssayError('This node serves no coverage channels', {
    code: 'CHANNEL_REFUSED',
    fix: 'leave the channel out and take an unsecured receipt, or ask a request on chain',
  });
}
