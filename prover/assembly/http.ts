import type { Address } from 'viem';
import type { Log } from '../../runtime/log.ts';
import { within } from '../../runtime/within.ts';
import type { ChainSide } from '../chain/chain-side.ts';
import type { NodeConfig } from '../configuration/config.ts';
import { followApiKeys } from '../http/key-file.ts';
import { type RunningServer, startOperations, startServer } from '../http/server.ts';
import type { NodeMetrics } from '../metrics.ts';
import { ModelChecks } from '../models/differential.ts';
import { createService, type HttpService, LOOK_MILLISECONDS, refreshGauges } from '../service/service.ts';
import type { ReceiptSigner } from '../service/signer.ts';
import { enqueue } from '../work/jobs.ts';
import type { OpenedChain } from './chain-access.ts';
import type { Foundation } from './foundation.ts';

export interface HttpParts {
  readonly config: NodeConfig;
  readonly base: Foundation;
  /** The chain side, where it is in this process. */
  readonly side: ChainSide | undefined;
  readonly metrics: NodeMetrics;
  readonly log: Log;
}

export interface ApiParts extends HttpParts {
  readonly opened: OpenedChain;
  readonly signer: ReceiptSigner | undefined;
}

/** The whole service. @throws AssayError PORT_IN_USE, LISTEN_FAILED, CONFIG_INVALID (API keys) */
export async function startApi(parts: ApiParts): Promise<{ readonly server: RunningServer; readonly service: HttpService }> {
  const { config, base, opened, side, signer, metrics, log } = parts;
  const { store, queue, catalog, inputs, material, owner } = base;
  const followed = config.apiKeys === undefined ? undefined : followApiKeys(config.apiKeys, { log, metrics });
  const checks = new ModelChecks({ client: opened.chain.client, board: opened.addresses.board });
  const service = createService({
    ...{ owner, account: opened.account, signer, chain: opened.chain, store, queue, catalog, inputs, metrics, fault: config.fault },
    traces: material.traces,
    dataOf: (claimId, unit) => material.dataOf(claimId, unit),
    inputArrived: async (names) => {
      if (side !== undefined) return side.inputArrived(names);
      // The process of the role chain knows what waits for it.
      for (const name of names) if (name !== null) await enqueue(queue, 'input', { name });
    },
    checked: (model) => checks.of(model),
    reasonsNotReady: () => reasonsNotReady(base, side),
  });
  const { host, port, requestsPerMinute, corsOrigins, trustedProxies } = config;
  const keys = followed?.keys;
  const server = await startServer(service, { host, port, log, requestsPerMinute, keys, corsOrigins, trustedProxies });
  return {
    service,
    server: {
      ...server,
      close: async () => {
        followed?.close();
        await Promise.all([checks.close(), server.close()]);
      },
    },
  };
}

/** Health, readiness and metrics alone: for roles that answer nobody's questions. @throws AssayError PORT_IN_USE, LISTEN_FAILED */
export function startHealth({ config, base, side, metrics, log }: HttpParts, key: Address | undefined): Promise<RunningServer> {
  const { catalog, owner, queue, store } = base;
  const service = {
    health: () => ({ ok: true as const, prover: owner, ...(key === undefined ? {} : { key }), models: catalog.all.length }),
    readiness: async () => {
      const reasons = await reasonsNotReady(base, side);
      return { ready: reasons.length === 0, reasons };
    },
    metrics,
    refreshMetrics: () => refreshGauges(store, queue, metrics),
  };
  return startOperations(service, { host: config.host, port: config.port, log });
}

/** What keeps a process from taking work now. */
async function reasonsNotReady({ store, queue }: Foundation, side: ChainSide | undefined): Promise<string[]> {
  const asked = await Promise.allSettled([
    within(LOOK_MILLISECONDS, store.get('node', 'identity'), () => new Error('The store does not answer')),
    within(LOOK_MILLISECONDS, queue.counts('run'), () => new Error('The queue does not answer')),
  ]);
  const failed = asked.flatMap((answer) =>
    answer.status === 'fulfilled' ? [] : [answer.reason instanceof Error ? answer.reason.message : 'unknown'],
  );
  return [...failed, ...(side?.reasonsNotReady() ?? [])];
}
