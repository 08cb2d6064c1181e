import type { Address } from 'viem';
import { AssayError, invariant } from '../core/errors.ts';
import { DEVELOPMENT_CHAIN } from '../runtime/configuration.ts';
import type { Log } from '../runtime/log.ts';
import { Answerer, type Prove } from './answer.ts';
import { type ChainAccess, type OpenedChain, openChain } from './assembly/chain-access.ts';
import { drain } from './assembly/drain.ts';
import { type Closers, type Foundation, layFoundation } from './assembly/foundation.ts';
import { holdLease } from './assembly/lease.ts';
import { type ChainSide, startChainSide } from './chain-side.ts';
import type { NodeConfig, NodeRole } from './config.ts';
import { startServer } from './http/server.ts';
import { enqueue, type JobKind, workOn } from './jobs.ts';
import { createService } from './service.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  /** Chain and key; a worker has none. */
  readonly access?: ChainAccess | undefined;
  readonly prove: Prove;
  readonly log: Log;
  /** The node cannot go on, and has to be stopped: another process took its stake. */
  readonly onFatal?: (error: AssayError) => void;
}

export interface RunningNode {
  readonly role: NodeRole;
  /** Of the HTTP service; undefined for roles that have none. */
  readonly url: string | undefined;
  readonly owner: Address;
  readonly models: readonly string[];
  /** Takes no new work, lets what runs end within `drainSeconds`, and closes everything; safe to call twice. */
  stop(): Promise<void>;
}

/** What each role is made of. */
const PARTS: Readonly<Record<NodeRole, { readonly chain: boolean; readonly work: boolean; readonly http: boolean }>> = {
  all: { chain: true, work: true, http: true },
  chain: { chain: true, work: false, http: false },
  worker: { chain: false, work: true, http: false },
  api: { chain: false, work: false, http: true },
};
const WORKING: readonly JobKind[] = ['run', 'prove'];
const SENDING: readonly JobKind[] = ['claim', 'fulfil'];

/**
 * Starts a prover node, or one role of it: `chain` watches requests, sends answers and defends claims, `worker` computes and proves,
 * `api` serves HTTP, `all` is everything in one process.
 * @throws AssayError FAULT_FORBIDDEN, KEY_UNREGISTERED, MODEL_MISMATCH, NODE_FOREIGN, PORT_IN_USE, STAKE_IN_USE, STATE_IN_USE …
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, log } = options;
  const parts = PARTS[config.role];
  const closers: Closers = [];
  let stopping: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  };
  try {
    const opened = await openAccess(options);
    const base = await layFoundation(config, opened, log, closers);
    if (parts.chain) await holdStake(options, base, closers);
    const side = parts.chain ? await startChain(config, required(opened), base, log) : undefined;
    closers.push(async () => side?.stop());
    closers.push(() => base.queue.close());
    if (parts.work) startWork(options, base);
    const server = parts.http ? await startHttp(config, required(opened), base, side, log) : undefined;
    closers.push(async () => server?.close());
    closers.push(() => drain(base.queue, parts.work ? WORKING : [], parts.chain ? SENDING : [], config.drainSeconds));
    const models = base.catalog.all.map(({ modelId }) => modelId);
    log.info({ role: config.role, url: server?.url, owner: base.owner, models: models.length }, 'ready');
    return {
      role: config.role,
      url: server?.url,
      owner: base.owner,
      models,
      stop: () => {
        if (stopping === undefined) log.info({ seconds: config.drainSeconds }, 'stopping: takes no new work, lets what runs end');
        stopping ??= closeAll();
        return stopping;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function openAccess({ config, access }: NodeOptions): Promise<OpenedChain | undefined> {
  const isWorker = config.role === 'worker';
  invariant(isWorker || access !== undefined, 'a node that is no worker is given a chain');
  if (config.fault !== undefined && access !== undefined && access.client.chain.id !== DEVELOPMENT_CHAIN) {
    throw new AssayError('Faults are injected on the development chain alone', {
      code: 'FAULT_FORBIDDEN',
      facts: { chainId: access.client.chain.id, development: DEVELOPMENT_CHAIN },
      fix: 'leave out --fault-seed',
    });
  }
  return isWorker || access === undefined ? undefined : openChain(access, config);
}

function required<Part>(part: Part | undefined): Part {
  invariant(part !== undefined, 'a role is given what it is made of');
  return part;
}

/** Two chain sides of one stake would know nothing of each other's transactions. */
async function holdStake({ log, onFatal }: NodeOptions, { store, owner }: Foundation, closers: Closers): Promise<void> {
  const lease = await holdLease(store, owner.toLowerCase(), {
    log,
    onLost: (error) => {
      log.fatal({ error }, 'another process took over the stake of this node');
      onFatal?.(error);
    },
  });
  closers.push(() => lease.release());
}

async function startChain(config: NodeConfig, opened: OpenedChain, base: Foundation, log: Log): Promise<ChainSide> {
  const { confirmations, pollMilliseconds, alarmSeconds, minimumFee, mostFee, mostCoverage, fault } = config;
  const { chain, fromBlock } = opened;
  const policy = { minimumFee, mostFee, mostCoverage, faulty: fault !== undefined };
  const side = await startChainSide({ ...base, chain, fromBlock, policy, confirmations, pollMilliseconds, alarmSeconds, log });
  workOn(base.queue, 'input', 2, ({ name }) => side.inputArrived([name]));
  return side;
}

function startWork({ config, prove, log }: NodeOptions, { store, queue, catalog, inputs }: Foundation): void {
  const { runConcurrency: runs, proofProcesses: proofs, fault } = config;
  new Answerer({ store, queue, catalog, inputs, prove, log, fault }).start({ runs, proofs });
}

async function startHttp(config: NodeConfig, opened: OpenedChain, base: Foundation, side: ChainSide | undefined, log: Log) {
  const { account, chain, owner } = opened;
  const { store, queue, catalog, inputs, material } = base;
  const service = createService({
    ...{ owner, account, chain, store, queue, catalog, inputs, fault: config.fault },
    traces: material.traces,
    dataOf: (claimId, unit) => material.dataOf(claimId, unit),
    inputArrived: async (names) => {
      if (side !== undefined) return side.inputArrived(names);
      // The process of the role chain knows what waits for it.
      for (const name of names) if (name !== null) await enqueue(queue, 'input', { name });
    },
  });
  return startServer(service, { host: config.host, port: config.port, log, requestsPerMinute: config.requestsPerMinute });
}
