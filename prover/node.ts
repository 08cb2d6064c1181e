import path from 'node:path';
import {
  type Address,
  type Chain,
  type Hex,
  isAddressEqual,
  type LocalAccount,
  type PublicClient,
  type Transport,
  zeroAddress,
} from 'viem';
import { follow } from '../contracts/client/follow.ts';
import { claimBoardAbi } from '../contracts/client/generated/claimBoard.ts';
import { requestsAbi } from '../contracts/client/generated/requests.ts';
import { createSender } from '../contracts/client/sender.ts';
import type { Hash } from '../core/brand.ts';
import { answerData } from '../core/dispute/answers.ts';
import { programTrees } from '../core/dispute/program-trees.ts';
import type { Unit } from '../core/dispute/units.ts';
import { AssayError } from '../core/errors.ts';
import { modelRecord } from '../core/program/identity.ts';
import { buildTrace } from '../core/trace.ts';
import { openArtifacts } from '../runtime/artifacts.ts';
import { DEVELOPMENT_CHAIN } from '../runtime/configuration.ts';
import type { Log } from '../runtime/log.ts';
import { openStateDirectory } from '../runtime/state-directory.ts';
import { Attestor, type Prove } from './attest.ts';
import { type BindToRecord, openCatalog, type ServedModel } from './catalog.ts';
import { type Addresses, NodeChain } from './chain.ts';
import type { NodeConfig } from './config.ts';
import { Defender } from './defend.ts';
import { type ClaimDocument, COLLECTION, orderedId } from './documents.ts';
import { Finalizer } from './finalize.ts';
import { startServer } from './http/server.ts';
import { InputStore } from './inputs.ts';
import { embeddedQueue } from './queue/embedded.ts';
import { tensorsOf } from './run.ts';
import { createService } from './service.ts';
import { embeddedStore } from './store/embedded.ts';
import { TraceCache } from './traces.ts';
import { Watcher } from './watch.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly client: PublicClient<Transport, Chain>;
  readonly addresses: Addresses;
  /** Block of the deployment: nothing of interest lies before. */
  readonly fromBlock: bigint;
  /** Hot key of the prover. */
  readonly account: LocalAccount;
  readonly prove: Prove;
  readonly log: Log;
}

export interface RunningNode {
  readonly url: string;
  readonly owner: Address;
  readonly models: readonly string[];
  /** Takes no new work, lets what runs end, and closes everything; safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts a prover node: watches requests, answers them, defends its claims, serves HTTP.
 * @throws AssayError FAULT_FORBIDDEN, KEY_UNREGISTERED, MODEL_MISMATCH, PORT_IN_USE, STATE_IN_USE …
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, client, addresses, account, log } = options;
  if (config.fault !== undefined && client.chain.id !== DEVELOPMENT_CHAIN) {
    throw new AssayError('Faults are injected on the development chain alone', {
      code: 'FAULT_FORBIDDEN',
      facts: { chainId: client.chain.id, development: DEVELOPMENT_CHAIN },
      fix: 'leave out --fault-seed',
    });
  }
  const sender = createSender({ client, account, ...(config.maxFeePerGas === undefined ? {} : { maxFeePerGas: config.maxFeePerGas }) });
  const chain = new NodeChain(client, addresses, sender);
  const owner = await registeredOwner(chain);
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const data = config.data ?? '';
    const state = openStateDirectory(data, 'node');
    closers.push(() => state.close());
    const store = embeddedStore(state);
    const catalog = await openCatalog(config.models, bindTo(chain));
    closers.push(() => catalog.close());
    const inputs = new InputStore(openArtifacts(path.join(data, 'artifacts')));
    const claims = new ClaimMaterial(store, catalog, inputs);
    const queue = embeddedQueue(state);
    const dataOf = async (claimId: string, unit: Unit): Promise<Uint8Array | undefined> =>
      answerData((await claims.modelOf(claimId)).trees, await claims.traces.get(claimId), unit);
    const defender = new Defender(
      store,
      queue,
      {
        isOpen: (claimId, unit) => chain.isDemandOpen(claimId, unit),
        rootsOf: async (claimId) => (await claims.traces.get(claimId)).roots,
        dataOf,
        postRoots: (claimId, roots) => chain.postRoots(claimId, roots),
        postAnswers: (answers) => chain.postAnswers(answers),
      },
      log,
    );
    const finalizer = new Finalizer(store, chain, log);
    const watcher = new Watcher({
      owner,
      store,
      queue,
      chain,
      catalog,
      inputs,
      defender,
      finalizer,
      policy: {
        minimumFee: config.minimumFee,
        mostFee: config.mostFee,
        mostCoverage: config.mostCoverage,
        faulty: config.fault !== undefined,
      },
      log,
    });
    const service = createService({
      owner,
      account,
      chain,
      store,
      catalog,
      inputs,
      traces: claims.traces,
      dataOf,
      fault: config.fault,
      inputArrived: (names) => watcher.inputArrived(names),
    });
    const server = await startServer(service, { host: config.host, port: config.port, log, requestsPerMinute: config.requestsPerMinute });
    closers.push(
      () => finalizer.idle(),
      () => sender.idle(),
      () => queue.close(),
      () => server.close(),
    );
    // Chain time, before events of the past are judged by it.
    await watcher.onHead((await client.getBlock()).timestamp);
    // Defending comes first; then what a restart left in the queue; then what is new.
    defender.start();
    new Attestor({ store, queue, chain, catalog, inputs, prove: options.prove, log, fault: config.fault }).start(config.proofProcesses);
    closers.push(startFollowing(options, store, watcher));
    log.info({ url: server.url, owner, models: catalog.all.length }, 'ready');
    let stopping: Promise<void> | undefined;
    return {
      url: server.url,
      owner,
      models: catalog.all.map(({ modelId }) => modelId),
      stop: () => {
        stopping ??= closeAll();
        return stopping;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The models behind our claims and their traces. */
class ClaimMaterial {
  readonly traces: TraceCache;
  private readonly store: ReturnType<typeof embeddedStore>;
  private readonly catalog: Awaited<ReturnType<typeof openCatalog>>;
  private readonly trees = new Map<string, ReturnType<typeof programTrees>>();

  constructor(store: ReturnType<typeof embeddedStore>, catalog: Awaited<ReturnType<typeof openCatalog>>, inputs: InputStore) {
    this.store = store;
    this.catalog = catalog;
    this.traces = new TraceCache(async (claimId) => {
      const { claim, model } = await this.modelOf(claimId);
      const input = await inputs.get(claim.input);
      if (input === undefined) throw missing(claimId, 'input');
      return buildTrace(await tensorsOf(model, input, claim.fault ?? undefined));
    });
  }

  async modelOf(claimId: string): Promise<{ claim: ClaimDocument; model: ServedModel; trees: ReturnType<typeof programTrees> }> {
    const claim = await this.store.get<ClaimDocument>(COLLECTION.claims, orderedId(claimId));
    const model = claim === undefined ? undefined : this.catalog.get(claim.modelId);
    if (claim === undefined || model === undefined) throw missing(claimId, 'claim or model');
    const trees = this.trees.get(claim.modelId) ?? programTrees(model.program);
    this.trees.set(claim.modelId, trees);
    return { claim, model, trees };
  }
}

function missing(claimId: string, what: string): AssayError {
  return new AssayError('What a claim needs for its defence is missing', {
    code: 'MATERIAL_MISSING',
    facts: { claim: claimId, missing: what },
    fix: 'restore the data directory, or serve the model again, before the demand runs out',
  });
}

async function registeredOwner(chain: NodeChain): Promise<Address> {
  const owner = await chain.owner();
  if (!isAddressEqual(owner, zeroAddress)) return owner;
  throw new AssayError("The node's key is not registered for any stake", {
    code: 'KEY_UNREGISTERED',
    facts: { key: chain.sender.address },
    fix: 'bind it with `assay stake --key` from the owner of the stake',
  });
}

/** A program is served under a modelId only if its record, computed here in full, is the registered one. */
function bindTo(chain: NodeChain): BindToRecord {
  return async (modelId: Hash, program) => {
    const record = await chain.record(modelId as Hex);
    const form = record.inputForm;
    const computed = modelRecord(program, {
      creator: record.creator,
      royalty: record.royalty,
      ...(form === 1 || form === 2
        ? { key: { inputForm: form, keyHash: record.keyHash as Hash, provenance: record.provenance as Hash } }
        : {}),
    });
    const different = (Object.keys(computed) as (keyof typeof computed)[]).find(
      (field) => String(computed[field]).toLowerCase() !== String(record[field]).toLowerCase(),
    );
    if (different !== undefined) {
      throw new AssayError('The program is not the registered one', {
        code: 'MODEL_MISMATCH',
        facts: { field: different, program: String(computed[different]), registered: String(record[different]) },
        fix: 'serve the folder that was registered under this modelId, or correct the id',
      });
    }
    return { inputForm: form };
  };
}

function startFollowing(options: NodeOptions, store: ReturnType<typeof embeddedStore>, watcher: Watcher): () => Promise<void> {
  const { client, addresses, config, log } = options;
  const abort = new AbortController();
  const following = follow(
    {
      client,
      contracts: [
        { address: addresses.requests, abi: requestsAbi },
        { address: addresses.board, abi: claimBoardAbi },
      ],
      fromBlock: options.fromBlock,
      confirmations: BigInt(config.confirmations),
      pollMilliseconds: config.pollMilliseconds,
      loadCursor: async () => {
        const block = await store.get<string>(COLLECTION.cursor, 'chain');
        return block === undefined ? undefined : BigInt(block);
      },
      saveCursor: (block) => store.put(COLLECTION.cursor, 'chain', String(block)),
      onEvent: (event) => watcher.onEvent(event),
      onHead: ({ timestamp }) => watcher.onHead(timestamp),
      onError: (error) => log.warn({ error }, 'the chain could not be followed; trying again'),
    },
    abort.signal,
  );
  return async () => {
    abort.abort();
    await following;
  };
}
