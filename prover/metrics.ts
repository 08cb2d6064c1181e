import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a tenth of a millisecond to a minute. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Everything a node counts. Labels come from small fixed sets, never from what a caller sends. */
export interface NodeMetrics {
  /** Queue jobs; labels kind, state: waiting | active | dead. */
  readonly queueDepth: Gauge<'kind' | 'state'>;
  /** Jobs that ended; labels kind, result: done | failed | dead. */
  readonly jobs: Counter<'kind' | 'result'>;
  /** Seconds of one run of a model; label tier: optimistic | zk. */
  readonly inferenceSeconds: Histogram<'tier'>;
  /** Label backing: unsecured | channel. */
  readonly receipts: Counter<'backing'>;
  /** Seconds from the outputs of a run to its signed receipt, without storing it. */
  readonly receiptSeconds: Histogram;
  /** Label result: proved | failed | cancelled. */
  readonly proofs: Counter<'result'>;
  readonly proofSeconds: Histogram;
  /** Label event: sent | final | faulted. */
  readonly claims: Counter<'event'>;
  readonly openClaims: Gauge;
  /** Demands on our claims; label event: seen | answered | missed. */
  readonly demands: Counter<'event'>;
  /** Seconds to the nearest deadline; label clock: demand | request | proof | channel. */
  readonly clockSeconds: Gauge<'clock'>;
  /** Wei locked behind claims and channels; label liability: claims | channels. */
  readonly lockedWei: Gauge<'liability'>;
  readonly freeStakeWei: Gauge;
  /** Wei paid for gas; label purpose: claim | fulfil | answer | finalize | collect | channel | other. */
  readonly gasSpentWei: Counter<'purpose'>;
  /** Wei earned; label source: fees | demands. */
  readonly earningsWei: Counter<'source'>;
  /** Last block that was handled. */
  readonly chainBlock: Gauge;
  /** RPC calls that failed; label endpoint: its position in the configuration. */
  readonly rpcFailures: Counter<'endpoint'>;
  /** Label reason: demand | stake | rpc | request | keys. */
  readonly alarms: Counter<'reason'>;
  /** Seconds of one HTTP request; labels route (its template), status. */
  readonly httpSeconds: Histogram<'route' | 'status'>;
  readonly httpActive: Gauge;
  /** 1 where the process can take work, else 0: as /readyz. */
  readonly ready: Gauge;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** One node's metrics, in a registry of their own: two nodes in one process do not share them. */
export function createMetrics(): NodeMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> =>
    new Counter({ name: `assay_${name}`, help, labelNames, registers });
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge({ name: `assay_${name}`, help, labelNames, registers });
  /** Of which a process may know nothing: it tells no value before it has one, for a zero would raise alarms. */
  const known = (name: string, help: string): Gauge => {
    const made = gauge(name, help);
    made.remove();
    return made;
  };
  /** Begins at zero under each value of its label: Prometheus sees no increase in what was not there before. */
  const event = <Label extends string>(name: string, help: string, label: Label, values: readonly string[]): Counter<Label> => {
    const made = counter(name, help, [label]);
    for (const value of values) made.inc({ [label]: value } as Record<Label, string>, 0);
    return made;
  };
  const histogram = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Histogram<Label> =>
    new Histogram({ name: `assay_${name}`, help, labelNames, registers, buckets: SECONDS });
  collectDefaultMetrics({ register: registry });
  return {
    queueDepth: gauge('queue_depth', 'Jobs in the queue', ['kind', 'state']),
    jobs: counter('jobs_total', 'Jobs that ended', ['kind', 'result']),
    inferenceSeconds: histogram('inference_seconds', 'Seconds of one run of a model', ['tier']),
    receipts: counter('receipts_total', 'Receipts signed', ['backing']),
    receiptSeconds: histogram('receipt_seconds', 'Seconds that hashing and signing a receipt took'),
    proofs: counter('proofs_total', 'Proofs that ended', ['result']),
    proofSeconds: histogram('proof_seconds', 'Seconds of one proof'),
    claims: event('claims_total', 'Claims of this node', 'event', ['sent', 'final', 'faulted']),
    openClaims: known('open_claims', 'Claims that are not final'),
    demands: event('demands_total', 'Demands on claims of this node', 'event', ['seen', 'answered', 'missed']),
    clockSeconds: gauge('clock_seconds', 'Seconds to the nearest deadline', ['clock']),
    lockedWei: gauge('locked_wei', 'Stake locked, wei', ['liability']),
    freeStakeWei: known('free_stake_wei', 'Stake that is free, wei'),
    gasSpentWei: counter('gas_spent_wei_total', 'Paid for gas, wei', ['purpose']),
    earningsWei: counter('earnings_wei_total', 'Earned, wei', ['source']),
    chainBlock: known('chain_block', 'Last block that was handled'),
    rpcFailures: counter('rpc_failures_total', 'RPC calls that failed', ['endpoint']),
    alarms: event('alarms_total', 'Alarms raised', 'reason', ['demand', 'stake', 'rpc', 'request', 'keys']),
    httpSeconds: histogram('http_seconds', 'Seconds of one HTTP request', ['route', 'status']),
    httpActive: gauge('http_active', 'HTTP requests in progress'),
    ready: known('ready', 'Whether the process can take work'),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
