import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setupDevelopment } from '../circuits/setup.ts';
import { AssayError } from '../core/errors.ts';
import { ROLES } from './accounts.ts';
import { DEMO_MODELS, loadImages } from './demo/images.ts';
import { prepareModel } from './demo/models.ts';
import {
  deploymentFileIn,
  enlist,
  type LocalNet,
  startBlocks,
  startChallengerProcess,
  startLocalNet,
  startNodeProcess,
} from './local-net.ts';
import { type Registered, registerModel } from './registration.ts';
import type { Child } from './supervise.ts';

export interface EverythingOptions {
  readonly directory: string;
  readonly port: number;
  readonly nodePort: number;
  progress(event: string, facts: Readonly<Record<string, unknown>>, text: string): void;
}

export interface Everything {
  readonly rpc: string;
  readonly node: string;
  /** Deployment file. */
  readonly deployment: string;
  /** Rejects when a part has ended by itself. */
  readonly broken: Promise<never>;
}

const MARK = 'deployment.json';

/** A chain with both demo models registered, one prover and one challenger. */
export async function startEverything(options: EverythingOptions): Promise<Everything> {
  const { directory, progress } = options;
  await clear(directory);
  const net = await startLocalNet({ directory, port: options.port, constants: {} });
  progress('chain', { rpc: net.rpc, ...net.deployment }, `Chain at ${net.rpc}; contracts recorded in ${deploymentFileIn(directory)}`);
  const models = await prepare(net, options);
  await enlist(net, ROLES.owner.index, ROLES.node.index, '100');
  await startBlocks(net.client);
  const node = await startNodeProcess(net, {
    name: 'node',
    account: ROLES.node.index,
    settings: {
      models: models.map((model) => ({ modelId: model.registered.modelId, directory: model.directory })),
      port: options.nodePort,
    },
  });
  progress(
    'node',
    { url: node.url, log: path.join(directory, 'node.log') },
    `Node at ${node.url}; log in ${path.join(directory, 'node.log')}`,
  );
  const challenger = await startChallengerProcess(net, {
    name: 'challenger',
    account: ROLES.challenger.index,
    settings: { rate: 1, provers: [node.url] },
  });
  progress('challenger', { address: challenger.facts.address }, `Challenger ${String(challenger.facts.address)} re-executes every claim`);
  return {
    rpc: net.rpc,
    node: node.url,
    deployment: deploymentFileIn(directory),
    broken: Promise.race([net.chainEnded, ended(node), ended(challenger)]),
  };
}

/** Only a folder that is empty or that an earlier run wrote is replaced. */
async function clear(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const entries = await readdir(directory);
  if (entries.length > 0 && !entries.includes(MARK)) {
    throw new AssayError('The data folder holds files of another origin', {
      code: 'OUTPUT_FOREIGN',
      facts: { directory },
      fix: 'name an empty folder with --data',
    });
  }
  await rm(directory, { recursive: true, force: true });
}

async function prepare(
  net: LocalNet,
  { directory, progress }: EverythingOptions,
): Promise<{ directory: string; registered: Registered }[]> {
  const images = await loadImages();
  const made: { directory: string; registered: Registered }[] = [];
  for (const model of [DEMO_MODELS.optimistic, DEMO_MODELS.proved]) {
    const prepared = await prepareModel(model, images, path.join(directory, model.name));
    if (model === DEMO_MODELS.proved) await setupDevelopment(prepared.directory);
    const { client, deployment } = net;
    const sender = net.sender(ROLES.creator.index);
    const registered = await registerModel({ directory: prepared.directory, client, deployment, sender, royalty: 250, uri: '' });
    progress(
      'model',
      { name: model.name, directory: prepared.directory, ...registered },
      `Model ${model.name} (${registered.tiers.join(', ')}) is ${registered.modelId} in ${prepared.directory}`,
    );
    made.push({ directory: prepared.directory, registered });
  }
  return made;
}

async function ended(child: Child): Promise<never> {
  const code = await child.ended;
  throw new AssayError(`The ${child.name} has ended`, {
    code: 'CHILD_FAILED',
    facts: { process: child.pid, exitCode: code },
    fix: 'read its log, then start again',
  });
}
