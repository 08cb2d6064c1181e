import { Command, InvalidArgumentError, Option } from 'commander';
import type { AssayError } from '../../core/errors.ts';
import type { ChainAccess } from '../../prover/assembly/chain-access.ts';
import type { NodeConfig } from '../../prover/config.ts';
import type { ReceiptSigner } from '../../prover/signer.ts';
import { keyHelp, nodeKey } from '../accounts.ts';
import { beforeExit } from '../cleanup.ts';
import { becomeDaemon, untilStopped } from '../daemon.ts';
import { integer } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly config?: string;
  readonly role?: NodeConfig['role'];
  readonly rpc?: string;
  readonly deployment?: string;
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
  readonly model?: NodeConfig['models'];
  readonly faultSeed?: number;
  readonly fault: string;
  readonly json?: boolean;
}

function model(text: string, before: NodeConfig['models'] = []): NodeConfig['models'] {
  const [, modelId, directory] = /^(0x[0-9a-fA-F]{64})=(.+)$/.exec(text) ?? [];
  if (modelId === undefined || directory === undefined) throw new InvalidArgumentError('must be MODELID=DIR');
  return [...before, { modelId: modelId.toLowerCase(), directory }];
}

export function nodeCommand(): Command {
  return new Command('node')
    .description('Run a prover: answer requests, defend the answers, serve HTTP')
    .option('--config <file>', 'JSON file with the settings below and more (docs/operating.md)')
    .addOption(
      new Option('--role <role>', 'what this process does (default all; others need REDIS_URL and DATABASE_URL)').choices([
        'all',
        'api',
        'worker',
        'chain',
      ]),
    )
    .option('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployments/<chainId>.json')
    .option('--data <dir>', 'state directory of this node')
    .option('--model <id=dir>', 'serve a registered model from a folder; repeatable', model)
    .option('--host <address>', 'address to listen on (default 127.0.0.1)')
    .option('--port <port>', 'port of the HTTP service (default 8645; 0 takes a free one)', integer)
    .addOption(
      new Option('--fault-seed <number>', 'development chain only: answer wrongly, the fault drawn from this seed').argParser(integer),
    )
    .addOption(new Option('--fault <kind>', 'what the fault alters').choices(['logit', 'tensor', 'weight', 'input']).default('tensor'))
    .addHelpText('after', keyHelp('node'))
    .action(run);
}

async function loadNodeConfig(options: Options): Promise<NodeConfig> {
  const [{ nodeConfigSchema }, { nodeConfigProblems }, { loadConfig }] = await Promise.all([
    import('../../prover/config.ts'),
    import('../../prover/config-checks.ts'),
    import('../../runtime/configuration.ts'),
  ]);
  const { config: file, rpc, deployment, data, host, port, model: models, faultSeed, fault, role } = options;
  return loadConfig(nodeConfigSchema, {
    file,
    overrides: {
      role,
      rpc,
      deployment,
      data,
      host,
      port,
      models,
      fault: faultSeed === undefined ? undefined : { seed: faultSeed, kind: fault },
    },
    environment: process.env,
    check: (given) => nodeConfigProblems(given, process.env),
  });
}

async function run(options: Options): Promise<void> {
  const config = await loadNodeConfig(options);
  becomeDaemon(config.drainSeconds);
  const opened = config.role === 'worker' ? undefined : await chainAccess(config);
  const access = opened?.access;
  const [{ requireSelftest }, { startNode }, { createProving }, { createLog }] = await Promise.all([
    import('../../runtime/selftest.ts'),
    import('../../prover/node.ts'),
    import('../../prover/proving.ts'),
    import('../../runtime/log.ts'),
  ]);
  // An answer that this machine computes wrongly would cost its stake.
  await requireSelftest();
  const proving = createProving(config.proofProcesses);
  beforeExit(() => proving.close());
  let end = (_error: AssayError): void => {};
  const ended = new Promise<never>((_, reject) => {
    end = reject;
  });
  const node = await startNode({
    config,
    access,
    signer: opened?.signer,
    prove: proving.prove,
    log: createLog({ name: 'node', level: config.logLevel }).child({ role: config.role }),
    onFatal: (error) => end(error),
  });
  beforeExit(() => node.stop());
  const { role, url, owner, models } = node;
  createOutput(options.json === true).result(
    { event: 'ready', role, url, prover: owner, key: access?.account.address, models },
    `Node of ${owner} (${role}) ready at ${url}, serving ${models.length} models. Ctrl-C stops it.`,
  );
  await Promise.race([ended, untilStopped()]);
}

/** @returns with the key in the form that signs receipts fast */
async function chainAccess(config: NodeConfig): Promise<{ readonly access: ChainAccess; readonly signer: ReceiptSigner }> {
  const [{ connect, loadDeployment }, { keySigner }, { privateKeyToAccount }] = await Promise.all([
    import('../chain.ts'),
    import('../../prover/signer.ts'),
    import('viem/accounts'),
  ]);
  const client = await connect(config.rpc ?? []);
  const key = await nodeKey(client.chain.id, config.keystore);
  const addresses = await loadDeployment(client, config.deployment);
  const access = { client, account: privateKeyToAccount(key), addresses, fromBlock: BigInt(addresses.block) };
  return { access, signer: keySigner(key) };
}
