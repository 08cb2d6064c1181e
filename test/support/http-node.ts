import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Hash } from '../../core/brand.ts';
import { keccak256, toHash } from '../../core/keccak.ts';
import type { Program } from '../../core/program/types.ts';
import { joinTensors } from '../../core/tensor-list.ts';
import { ApiKeys, apiKeySchema } from '../../prover/http/keys.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../prover/http/server.ts';
import { openCatalog } from '../../prover/models/catalog.ts';
import { ClaimMaterial } from '../../prover/models/material.ts';
import { embeddedQueue } from '../../prover/queue/embedded.ts';
import type { Queue } from '../../prover/queue/port.ts';
import { InputStore } from '../../prover/records/inputs.ts';
import { createService, type HttpService, type ServiceParts } from '../../prover/service/service.ts';
import { keySigner } from '../../prover/service/signer.ts';
import { embeddedStore } from '../../prover/store/embedded.ts';
import type { Store } from '../../prover/store/port.ts';
import { Answerer, type Prove } from '../../prover/work/answer.ts';
import { openArtifacts } from '../../runtime/artifacts.ts';
import { createLog } from '../../runtime/log.ts';
import { writeModelDirectory } from '../../runtime/model-directory.ts';
import { openStateDirectory } from '../../runtime/state-directory.ts';
import { ladderDense, random, randomInputs } from '../circuits/build.ts';

export const OWNER = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
export const NODE_KEY = `0x${'4c'.repeat(32)}` as Hex;
export const CHAIN_ID = 31_337;
export const VAULT = '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359';
export const REQUESTS = '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb';

/** The HTTP side of a node with its own store and queue, without a chain. */
export interface HttpNode {
  readonly url: string;
  readonly program: Program;
  readonly modelId: Hash;
  readonly modelDirectory: string;
  readonly directory: string;
  readonly store: Store;
  readonly queue: Queue;
  readonly service: HttpService;
  /** Canonical bytes of a random input. */
  input(seed: number): Uint8Array;
  send(method: string, route: string, body?: Uint8Array | object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Stops and starts again on the same state. */
  restart(): Promise<HttpNode>;
  close(): Promise<void>;
}

export interface HttpNodeOptions {
  readonly directory?: string;
  readonly program?: Program;
  /** 0 no zk tier, 1 public input, 2 committed. */
  readonly inputForm?: number;
  readonly server?: Partial<ServerOptions>;
  readonly service?: Partial<ServiceParts>;
  /** Worker of the zk tier; without one, proofs wait. */
  readonly prove?: Prove;
}

/** A key file's entry for a text. */
export function apiKey(text: string, entry: Readonly<Record<string, unknown>>) {
  return apiKeySchema.parse({ sha256: createHash('sha256').update(text).digest('hex'), ...entry });
}

export function keysOf(...keys: readonly ReturnType<typeof apiKey>[]): ApiKeys {
  return new ApiKeys(keys);
}

const log = createLog({ name: 'test', level: process.env.ASSAY_TEST_LOG ?? 'silent' });

export async function startHttpNode(options: HttpNodeOptions = {}): Promise<HttpNode> {
  const directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'assay-http-'));
  const program = options.program ?? ladderDense('small', [24, 8, 3], 1);
  const modelDirectory = path.join(directory, 'model');
  await writeModelDirectory(modelDirectory, program, {});
  const modelId = toHash(keccak256(new TextEncoder().encode(program.interface.name)));
  const state = openStateDirectory(path.join(directory, 'state'), 'node');
  const store = embeddedStore(state);
  const queue = embeddedQueue(state, { firstDelay: 20 });
  const catalog = await openCatalog([{ modelId, directory: modelDirectory }], async () => ({ inputForm: options.inputForm ?? 0 }));
  const inputs = new InputStore(openArtifacts(path.join(directory, 'artifacts')));
  const material = new ClaimMaterial(store, catalog, inputs);
  const readContract = (): never => {
    throw new Error('this node has no chain');
  };
  const service = createService({
    owner: OWNER,
    account: privateKeyToAccount(NODE_KEY),
    signer: keySigner(NODE_KEY),
    chain: { client: { chain: { id: CHAIN_ID }, readContract }, addresses: { vault: VAULT, requests: REQUESTS, board: VAULT } },
    ...{ store, queue, catalog, inputs },
    traces: material.traces,
    dataOf: (claimId, unit) => material.dataOf(claimId, unit),
    fault: undefined,
    inputArrived: async () => undefined,
    minimumCoverage: async () => 1_000n,
    ...options.service,
  });
  if (options.prove !== undefined) {
    new Answerer({ store, queue, catalog, inputs, prove: options.prove, log, fault: undefined }).start({ runs: 1, proofs: 1 });
  }
  const server: RunningServer = await startServer(service, {
    host: '127.0.0.1',
    port: 0,
    log,
    requestsPerMinute: 10_000_000,
    eventMilliseconds: 20,
    heartbeatMilliseconds: 60,
    ...options.server,
  });
  let isClosed = false;
  let isOver = false;
  const stop = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await server.close();
    await queue.close();
    await catalog.close();
    await state.close();
  };
  return {
    ...{ url: server.url, program, modelId, modelDirectory, directory, store, queue, service },
    input: (seed) => joinTensors(randomInputs(program, random(seed))),
    send: (method, route, body, headers = {}) => {
      const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
      return fetch(`${server.url}${route}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
        ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
      });
    },
    restart: async () => {
      await stop();
      isOver = true;
      return startHttpNode({ ...options, directory });
    },
    close: async () => {
      await stop();
      // After a restart the directory belongs to the next one.
      if (!isOver) rmSync(directory, { recursive: true, force: true });
    },
  };
}
