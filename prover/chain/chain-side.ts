import { type Address, isAddressEqual } from 'viem';
import { readClocks } from '../../contracts/client/board/read.ts';
import { type ChainEvent, eventsOfBlock, follow } from '../../contracts/client/follow.ts';
import { claimBoardAbi } from '../../contracts/client/generated/claimBoard.ts';
import { coverageChannelsAbi } from '../../contracts/client/generated/coverageChannels.ts';
import { requestsAbi } from '../../contracts/client/generated/requests.ts';
import { endpointsOf } from '../../contracts/client/rpc/connect.ts';
import { disputeEnd } from '../../core/dispute/clocks.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Catalog } from '../models/catalog.ts';
import { ModelChecks } from '../models/differential.ts';
import type { ClaimMaterial } from '../models/material.ts';
import type { Queue } from '../queue/port.ts';
import { COLLECTION } from '../records/documents.ts';
import { HistoryPruner } from '../records/history.ts';
import { InputPruner } from '../records/holds.ts';
import type { InputStore } from '../records/inputs.ts';
import { ChannelBook } from '../service/channels.ts';
import { Retention, type RetentionParts } from '../service/retention.ts';
import type { Store } from '../store/port.ts';
import { reconcileJobs } from '../work/proof-jobs.ts';
import type { NodeChain } from './chain.ts';
import { ClaimBook } from './claims.ts';
import { Collector } from './collect.ts';
import { Defender } from './defend.ts';
import { DeferredEvents } from './deferred.ts';
import { RecentEnds } from './ends.ts';
import { InputFetcher } from './fetch-input.ts';
import { Finalizer } from './finalize.ts';
import { LateRequests } from './late-requests.ts';
import { HeadPulse, patienceFor } from './pulse.ts';
import { Reconciler } from './reconcile.ts';
import { RequestDesk, type RequestDeskParts } from './requests.ts';
import { Submitter } from './submit.ts';
import { Watcher } from './watch.ts';

export interface ChainSideParts {
  readonly chain: NodeChain;
  readonly owner: Address;
  /** Block of the deployment: nothing of interest lies before. */
  readonly fromBlock: bigint;
  readonly store: Store;
  readonly queue: Queue;
  readonly catalog: Catalog;
  readonly inputs: InputStore;
  readonly material: ClaimMaterial;
  readonly policy: RequestDeskParts['policy'];
  readonly confirmations: number;
  readonly pollMilliseconds: number;
  readonly alarmSeconds: number;
  /** Seconds between two rounds of collecting what is earned. */
  readonly collectSeconds: number;
  readonly retention: Pick<RetentionParts, 'answerSeconds' | 'idempotencySeconds'> & {
    /** Seconds for which requests and claims are remembered after they are over. */
    readonly requestSeconds: number;
  };
  readonly log: Log;
  readonly metrics?: NodeMetrics | undefined;
}

export interface ChainSide {
  /** Input bytes came in under these names. */
  inputArrived(names: readonly (string | null)[]): Promise<void>;
  /** Why no work should be taken now, one sentence each. */
  reasonsNotReady(): readonly string[];
  /** Follows no more and lets what is being sent be mined; the queue is closed by its owner, before. */
  stop(): Promise<void>;
}

/**
 * Everything of a node that speaks with the chain: follows its events, decides on requests, sends what workers prepared, defends and
 * ends claims. One per stake.
 */
export async function startChainSide(parts: ChainSideParts): Promise<ChainSide> {
  const { chain, owner, store, queue, material, log, metrics } = parts;
  watchEndpoints(parts);
  const clocks = await readClocks(chain.client, chain.addresses.board);
  const defence = {
    stateOf: (...demand: Parameters<NodeChain['demandState']>) => chain.demandState(...demand),
    isClaimOpen: async (claimId: string) => (await chain.claimView(claimId)).open,
    rootsOf: async (claimId: string) => (await material.traces.get(claimId)).roots,
    dataOf: (...unit: Parameters<ClaimMaterial['dataOf']>) => material.dataOf(...unit),
    postRoots: (...roots: Parameters<NodeChain['postRoots']>) => chain.postRoots(...roots),
    postAnswers: (...answers: Parameters<NodeChain['postAnswers']>) => chain.postAnswers(...answers),
  };
  // Where all of an answer's time is short, half of it is when it runs low.
  const alarmSeconds = Math.min(parts.alarmSeconds, Math.floor(clocks.response / 2));
  const defender = new Defender({ store, defence, log, alarmSeconds, metrics });
  const finality = {
    quietEnd: (claimedAt: number) => claimedAt + clocks.window + 1,
    standing: (claimId: string) => chain.standing(claimId),
    finalize: (claim: Parameters<NodeChain['finalize']>[0]) => chain.finalize(claim),
    now: () => ends.now,
    noteEnd: (claimId: string) => ends.note(claimId),
  };
  const ends = new RecentEnds({ store, log, again: (claimId) => watcher.takeUp(claimId) });
  const finalizer = new Finalizer(store, finality, log, metrics);
  const { catalog, inputs, policy } = parts;
  const hold = (input: string, claimedAt: number) => inputs.hold(input, disputeEnd(clocks, claimedAt, GREATEST_DEPTH));
  const claims = new ClaimBook({ owner, store, chain, finalizer, hold, missing: (claim) => material.missing(claim), log, metrics });
  const fetcher = new InputFetcher({ inputs, log, arrived: (names) => watcher.inputArrived(names) });
  const takeUp = (claimId: string): Promise<boolean> => claims.openAgain(claimId);
  const desk: RequestDesk = new RequestDesk({ owner, store, queue, chain, catalog, inputs, fetcher, ends, takeUp, policy, log });
  const pruner = new InputPruner(store, (name) => inputs.remove(name), log);
  const channels = new ChannelBook({
    ...{ owner, store, log },
    read: (channel) => chain.channel(channel),
    close: (channel) => chain.closeChannel(channel),
  });
  const collector = new Collector({ owner, till: chain.till, every: parts.collectSeconds, log, metrics });
  const watcher = new Watcher({ owner, store, chain, desk, claims, defender, finalizer, channels, collector, ends, log });
  await checkConfirmations(parts, clocks.response);
  // Chain time, before events of the past are judged by it.
  await watcher.onHead((await chain.client.getBlock()).timestamp);
  // Defending comes first; then what a restart left in the queue; then what is new.
  defender.start();
  const stopChecking = checkDefences(claims, log);
  const checks = new ModelChecks({ client: chain.client, board: chain.addresses.board });
  checkAll(checks, catalog, log);
  new Submitter({ store, queue, chain, catalog, inputs, checks, log }).start();
  const pulse = new HeadPulse({ patience: await patienceFor(chain.client), log, metrics });
  const { requestSeconds: keepSeconds } = parts.retention;
  const history = new HistoryPruner({ store, queue, keepSeconds, isOpen: takeUp, log });
  const retention = new Retention({ store, pruner, history, log, ...parts.retention });
  // Not before all that happened meanwhile is known: a claim of ours among it needs bytes that nothing else holds any more.
  const stopFollowing = startFollowing(parts, watcher, pulse, () => retention.start());
  const reconciler = new Reconciler({
    ...{ store, queue, log },
    hasInput: (name) => inputs.has(name),
    inputArrived: (names) => watcher.inputArrived(names),
    others: [() => reconcileJobs(store, queue)],
  });
  reconciler.start();
  return {
    inputArrived: (names) => watcher.inputArrived(names),
    reasonsNotReady: () => [pulse.reason()].filter((reason) => reason !== undefined),
    stop: async () => {
      await reconciler.stop();
      await retention.stop();
      await checks.close();
      await stopChecking();
      await stopFollowing();
      await watcher.idle();
      await defender.stop();
      await finalizer.idle();
      await collector.idle();
      await fetcher.stop();
      await chain.sender.idle();
    },
  };
}

/** Of the trees of the largest tensors there can be (docs/dispute.md). */
const GREATEST_DEPTH = 4;

/** A demand is seen when its block has its confirmations: that time is gone from its clock. */
async function checkConfirmations({ chain, confirmations, log }: ChainSideParts, response: number): Promise<void> {
  if (confirmations === 0) return;
  const head = await chain.client.getBlock();
  const depth = head.number < BigInt(confirmations) ? head.number : BigInt(confirmations);
  if (depth === 0n) return;
  const before = await chain.client.getBlock({ blockNumber: head.number - depth });
  const seconds = Number(head.timestamp - before.timestamp);
  if (seconds * 4 <= response) return;
  log.error(
    { confirmations, seconds, response },
    'more than a quarter of the time for an answer passes in `confirmations`: lower it, or demands are seen too late',
  );
}

/** An endpoint that fails is the ordinary case; one that disagrees, or is put aside, is for people to look at. */
function watchEndpoints({ chain, log, metrics }: ChainSideParts): void {
  endpointsOf(chain.client)?.listen(({ kind, endpoint, host, why }) => {
    if (kind === 'failed') {
      metrics?.rpcFailures.inc({ endpoint: String(endpoint) });
      log.debug({ endpoint, host, why }, 'an RPC endpoint failed; the next is asked');
    } else if (kind === 'back') log.info({ endpoint, host }, 'an RPC endpoint agrees with the others again');
    else {
      metrics?.alarms.inc({ reason: 'rpc' });
      log.error({ endpoint, host, why }, kind === 'aside' ? 'an RPC endpoint is put aside' : 'RPC endpoints say different things');
    }
  });
}

/** Beside all else: where many claims are open, no demand waits until each was looked at. */
function checkDefences(claims: ClaimBook, log: Log): () => Promise<void> {
  const abort = new AbortController();
  const checking = claims.checkDefences(abort.signal).catch((error) => log.warn({ error }, 'not every open claim could be looked at'));
  return () => {
    abort.abort();
    return checking;
  };
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Begins the checks that the first claims would wait for. */
function checkAll(checks: ModelChecks, catalog: Catalog, log: Log): void {
  for (const model of catalog.all) {
    checks.of(model).then(
      ({ elements }) => log.debug({ model: model.modelId, elements }, 'computes what the step code of the chain computes'),
      // Ended before it was done, with the node.
      (error) =>
        isAbort(error) ||
        log.warn({ model: model.modelId, error }, 'was not held to the step code of the chain; no claim is sent before that'),
    );
  }
}

/** @param onCaughtUp called after every poll at which nothing of what the chain tells waits to be handled */
function startFollowing(parts: ChainSideParts, watcher: Watcher, pulse: HeadPulse, onCaughtUp: () => void): () => Promise<void> {
  const { chain, store, log } = parts;
  const { requests, board, channels } = chain.addresses;
  const abort = new AbortController();
  const isUrgent = ({ address }: ChainEvent): boolean => isAddressEqual(address, board);
  const followed = {
    client: chain.client,
    contracts: [
      { address: requests, abi: requestsAbi },
      { address: board, abi: claimBoardAbi },
      { address: channels, abi: coverageChannelsAbi },
    ],
  };
  const memory = new LateRequests({ store, read: (block) => eventsOfBlock(followed, block), log });
  const events = new DeferredEvents({ handle: (event) => watcher.onEvent(event), isUrgent, memory, log, metrics: parts.metrics });
  const following = follow(
    {
      ...followed,
      fromBlock: parts.fromBlock,
      confirmations: BigInt(parts.confirmations),
      pollMilliseconds: parts.pollMilliseconds,
      loadCursor: async () => {
        const block = await store.get<string>(COLLECTION.cursor, 'chain');
        return block === undefined ? undefined : BigInt(block);
      },
      saveCursor: (block) => store.put(COLLECTION.cursor, 'chain', String(events.safeCursor(block))),
      onEvent: (event) => events.handle(event),
      onRewind: (first) => {
        watcher.onRewind();
        return events.forget(first);
      },
      isUrgent,
      onRewound: (from) => watcher.onRewound(from),
      onHead: async ({ number, timestamp }) => {
        parts.metrics?.chainBlock.set(Number(number));
        memory.recall(Number(timestamp), (event) => events.recall(event));
        events.retry(Number(timestamp));
        await watcher.onHead(timestamp);
        pulse.beat(number);
        if (events.safeCursor(number) === number) onCaughtUp();
      },
      onError: (error) => {
        pulse.beat(undefined);
        log.warn({ error }, 'the chain could not be followed; trying again');
      },
    },
    abort.signal,
  );
  return async () => {
    abort.abort();
    await Promise.all([following, events.stop(), memory.idle()]);
  };
}
