import type { Address } from 'viem';
import { AssayError, invariant } from '../core/errors.ts';
import { DEVELOPMENT_CHAIN } from '../runtime/configuration.ts';
import type { Log } from '../runtime/log.ts';
import { type ChainAccess, type OpenedChain, openChain } from './assembly/chain-access.ts';
import { drain } from './assembly/drain.ts';
import { type Closers, type Foundation, layFoundation } from './assembly/foundation.ts';
import { startApi, startHealth } from './assembly/http.ts';
import { meteredProve } from './assembly/metered.ts';
import { holdStake } from './assembly/stake-lock.ts';
import { type ChainSide, startChainSide } from './chain/chain-side.ts';
import type { NodeConfig, NodeRole } from './configuration/config.ts';
import { createMetrics, type NodeMetrics } from './metrics.ts';
import type { ReceiptSigner } from './service/signer.ts';
import { Answerer, type Prove } from './work/answer.ts';
import { type JobKind, workOn } from './work/jobs.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  /** Chain and key; a worker has none. */
  readonly access?: ChainAccess | undefined;
  /** The key in a form that signs receipts fast; the account does otherwise. */
  readonly signer?: ReceiptSigner | undefined;
  readonly prove: Prove;
  readonly log: Log;
  /** The node cannot go on, and has to be stopped: another process took its stake. */
  readonly onFatal?: (error: AssayError) => void;
}

export interface RunningNode {
  readonly role: NodeRole;
  /** Of the HTTP service; that of the roles chain and worker tells health and metrics alone. */
  readonly url: string;
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
const DAY = 86_400;
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
  const metrics = createMetrics();
  const closers: Closers = [];
  let stopping: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
      // What cannot be closed must not keep open what comes after it.
      await close().catch((error: unknown) => log.warn({ error }, 'a part of the node did not close well'));
    }
  };
  try {
    const opened = await openAccess(options, metrics);
    const base = await layFoundation(config, opened, { log, metrics }, closers);
    if (parts.chain) {
      const lock = await holdStake(base.storage, base.owner, log, (error) => {
        log.fatal({ error }, 'another process took over the stake of this node');
        options.onFatal?.(error);
      });
      closers.push(() => lock.release());
    }
    const side = parts.chain ? await startChain(config, required(opened), base, metrics, log) : undefined;
    closers.push(async () => side?.stop());
    closers.push(() => base.queue.close());
    if (parts.work) startWork(options, base, metrics);
    const http = { config, base, side, metrics, log };
    const server = parts.http
      ? (await startApi({ ...http, opened: required(opened), signer: options.signer })).server
      : await startHealth(http, opened?.account.address);
    closers.push(() => server.close());
    closers.push(() => {
      server.drain();
      return drain(base.queue, parts.work ? WORKING : [], parts.chain ? SENDING : [], config.drainSeconds);
    });
    const models = base.catalog.all.map(({ modelId }) => modelId);
    log.info({ url: server.url, owner: base.owner, models: models.length }, 'ready');
    return {
      role: config.role,
      url: server.url,
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

async function openAccess({ config, access }: NodeOptions, metrics: NodeMetrics): Promise<OpenedChain | undefined> {
  const isWorker = config.role === 'worker';
  invariant(isWorker || access !== undefined, 'a node that is no worker is given a chain');
  if (config.fault !== undefined && access !== undefined && access.client.chain.id !== DEVELOPMENT_CHAIN) {
    throw new AssayError('Faults are injected on the development chain alone', {
      code: 'FAULT_FORBIDDEN',
      facts: { chainId: access.client.chain.id, development: DEVELOPMENT_CHAIN },
      fix: 'leave out --fault-seed',
    });
  }
  return isWorker || access === undefined ? undefined : openChain(access, config, metrics);
}

function required<Part>(part: Part | undefined): Part {
  invariant(part !== undefined, 'a role is given what it is made of');
  return part;
}

async function startChain(config: NodeConfig, opened: OpenedChain, base: Foundation, metrics: NodeMetrics, log: Log): Promise<ChainSide> {
  const {
    confirmations,
    pollMilliseconds,
    alarmSeconds,
    collectSeconds,
    answerDays,
    idempotencyDays,
    requestDays,
    minimumFee,
    mostFee,
    mostCoverage,
    fault,
  } = config;
  const { chain, fromBlock } = opened;
  const times = { confirmations, pollMilliseconds, alarmSeconds, collectSeconds };
  const retention = {
    answerSeconds: answerDays * DAY,
    idempotencySeconds: idempotencyDays * DAY,
    requestSeconds: requestDays * DAY,
  };
  const policy = { minimumFee, mostFee, mostCoverage, faulty: fault !== undefined };
  const side = await startChainSide({ ...base, ...times, chain, fromBlock, policy, retention, metrics, log });
  workOn(base.queue, 'input', 2, ({ name }) => side.inputArrived([name]));
  return side;
}

function startWork(options: NodeOptions, { store, queue, catalog, inputs }: Foundation, metrics: NodeMetrics): void {
  const { config, log } = options;
  const { runConcurrency: runs, proofProcesses: proofs, fault } = config;
  const prove = meteredProve(options.prove, metrics);
  new Answerer({ store, queue, catalog, inputs, prove, log, fault }).start({ runs, proofs });
}
