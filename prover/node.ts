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
import { createSender } from '../contracts/client/sender.ts';
import type { Hash } from '../core/brand.ts';
import { AssayError } from '../core/errors.ts';
import { modelRecord } from '../core/program/identity.ts';
import { openArtifacts } from '../runtime/artifacts.ts';
import { DEVELOPMENT_CHAIN } from '../runtime/configuration.ts';
import type { Log } from '../runtime/log.ts';
import { openStateDirectory } from '../runtime/state-directory.ts';
import { Answerer, type Prove } from './answer.ts';
import { type BindToRecord, openCatalog } from './catalog.ts';
import { type Addresses, NodeChain } from './chain.ts';
import { type ChainSide, startChainSide } from './chain-side.ts';
import type { NodeConfig } from './config.ts';
import { startServer } from './http/server.ts';
import { InputStore } from './inputs.ts';
import { ClaimMaterial } from './material.ts';
import { embeddedQueue } from './queue/embedded.ts';
import { createService } from './service.ts';
import { embeddedStore } from './store/embedded.ts';

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
    const material = new ClaimMaterial(store, catalog, inputs);
    const queue = embeddedQueue(state);
    const { prove } = options;
    const { confirmations, pollMilliseconds, alarmSeconds, minimumFee, mostFee, mostCoverage, fault } = config;
    const policy = { minimumFee, mostFee, mostCoverage, faulty: fault !== undefined };
    const { fromBlock } = options;
    const side: ChainSide = await startChainSide({
      ...{ chain, owner, fromBlock, store, queue, catalog, inputs, material, policy, log },
      ...{ confirmations, pollMilliseconds, alarmSeconds },
    });
    closers.push(
      () => side.stop(),
      () => queue.close(),
    );
    new Answerer({ store, queue, catalog, inputs, prove, log, fault }).start({ runs: 4, proofs: config.proofProcesses });
    const service = createService({
      owner,
      account,
      chain,
      store,
      catalog,
      inputs,
      traces: material.traces,
      dataOf: (claimId, unit) => material.dataOf(claimId, unit),
      fault,
      inputArrived: (names) => side.inputArrived(names),
    });
    const server = await startServer(service, { host: config.host, port: config.port, log, requestsPerMinute: config.requestsPerMinute });
    closers.push(() => server.close());
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
