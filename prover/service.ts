import type { Address, Hex, LocalAccount } from 'viem';
import { tensorUnit, type Unit } from '../core/dispute/units.ts';
import { inputForms, listRoot, outputForms, splitTensors } from '../core/tensor-list.ts';
import type { Trace } from '../core/trace.ts';
import { type Receipt, receiptDigest, receiptId, type SignedReceipt } from '../verifier/receipt.ts';
import { type Catalog, offerOf } from './catalog.ts';
import type { NodeChain } from './chain.ts';
import { type ClaimDocument, COLLECTION, orderedId } from './documents.ts';
import type { NodeService } from './http/server.ts';
import type { InputStore } from './inputs.ts';
import { answerInput, type FaultPlan } from './run.ts';
import type { Store } from './store/port.ts';
import type { TraceCache } from './traces.ts';

export interface ServiceParts {
  readonly owner: Address;
  readonly account: LocalAccount;
  readonly chain: NodeChain;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly traces: TraceCache;
  /** Bytes that answer a demand of a unit of one of our claims. */
  dataOf(claimId: string, unit: Unit): Promise<Uint8Array | undefined>;
  readonly fault: FaultPlan | undefined;
  /** Input bytes arrived under these names. */
  inputArrived(names: readonly (string | null)[]): Promise<void>;
}

const ZERO_WORD = `0x${'0'.repeat(64)}`;

/** What the HTTP service offers, made of the node's parts. */
export function createService(parts: ServiceParts): NodeService {
  const { catalog, inputs, store } = parts;
  const traceOf = async (claimId: string): Promise<Trace | undefined> =>
    (await store.get<ClaimDocument>(COLLECTION.claims, orderedId(claimId))) === undefined ? undefined : parts.traces.get(claimId);
  return {
    health: async () => ({ ok: true, prover: parts.owner, key: parts.account.address, models: catalog.all.length }),
    models: () => catalog.all.map(offerOf),
    programFile: (modelId) => catalog.get(modelId)?.programFile,
    largestInput: catalog.largestInput,
    acceptInput: async (modelId, bytes) => {
      const names = await inputs.accept(catalog.get(modelId)!, bytes);
      await parts.inputArrived([names.inputRoot, names.commitment]);
      return names;
    },
    input: (hash) => inputs.get(hash),
    infer: async (modelId, bytes) => {
      const { output, signed } = await infer(parts, modelId, bytes);
      await store.put(COLLECTION.receipts, receiptId(signed), { ...signed, output });
      return { id: receiptId(signed), output, ...signed };
    },
    receipt: (id) => store.get<Record<string, unknown>>(COLLECTION.receipts, id),
    claim: async (claimId) => {
      const claim = await store.get<ClaimDocument>(COLLECTION.claims, orderedId(claimId));
      if (claim === undefined) return undefined;
      const { modelId, input, output, state, claimedAt } = claim;
      return { requestId: claimId, modelId, input, output, state, claimedAt };
    },
    traceRoots: async (claimId) => (await traceOf(claimId))?.roots,
    traceUnit: async (claimId, tensor, height, index) => {
      const claim = await store.get<ClaimDocument>(COLLECTION.claims, orderedId(claimId));
      const program = claim === undefined ? undefined : catalog.get(claim.modelId)?.program;
      if (program?.instructions[tensor] === undefined) return undefined;
      return parts.dataOf(claimId, tensorUnit(program, tensor, height, index));
    },
  };
}

/** Runs and signs. There is no coverage channel yet: the receipt says that nothing is locked behind it. */
async function infer(parts: ServiceParts, modelId: string, bytes: Uint8Array): Promise<{ output: Hex; signed: SignedReceipt }> {
  const model = parts.catalog.get(modelId)!;
  const { output } = await answerInput(model, bytes, parts.fault);
  const receipt: Receipt = {
    prover: parts.owner,
    modelId,
    inputRoot: listRoot(splitTensors(inputForms(model.program), bytes)),
    outputRoot: listRoot(splitTensors(outputForms(model.program), output)),
    issuedAt: String(Math.floor(Date.now() / 1000)),
    channel: ZERO_WORD,
    nonce: '0',
    coverage: '0',
    outstanding: '0',
    expiry: '0',
  };
  const domain = { chainId: parts.chain.client.chain.id, verifyingContract: parts.chain.addresses.vault };
  const signature = await parts.account.sign!({ hash: receiptDigest(receipt, domain) });
  return { output: `0x${Buffer.from(output).toString('hex')}`, signed: { receipt, domain, signature } };
}
