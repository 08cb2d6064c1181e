import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NodeConfig } from '../prover/configuration/config.ts';
import { integer } from './options.ts';

/** What `assay node` and the commands below it take. */
export interface NodeCommandOptions {
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

/** Adds them to a command. */
export function withNodeOptions(command: Command): Command {
  return command
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
    .addOption(new Option('--fault <kind>', 'what the fault alters').choices(['logit', 'tensor', 'weight', 'input']).default('tensor'));
}

/** The configuration that file, environment and options make. @throws ConfigError */
export async function loadNodeConfig(options: NodeCommandOptions): Promise<NodeConfig> {
  const [{ nodeConfigSchema }, { nodeConfigProblems }, { loadConfig }] = await Promise.all([
    import('../prover/configuration/config.ts'),
    import('../prover/configuration/config-checks.ts'),
    import('../runtime/configuration.ts'),
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
