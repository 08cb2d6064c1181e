import type { Command } from 'commander';
import type { ChallengerConfig } from '../challenger/config.ts';
import { share } from './options.ts';

/** What `assay challenger` and the command below it take. */
export interface ChallengerCommandOptions {
  readonly config?: string;
  readonly rpc?: string;
  readonly deployment?: string;
  readonly data?: string;
  readonly rate?: number;
  readonly prover?: string[];
  readonly json?: boolean;
}

/** Adds them to a command. */
export function withChallengerOptions(command: Command): Command {
  return command
    .option('--config <file>', 'JSON file with the settings below and more (docs/operating.md)')
    .option('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployments/<chainId>.json')
    .option('--data <dir>', 'state directory of this challenger')
    .option('--rate <share>', 'share of claims to re-execute, 0 to 1 (default 1)', share)
    .option(
      '--prover <url>',
      'HTTP service of a node to fetch programs and inputs from; repeatable',
      (url: string, before: string[] = []) => [...before, url],
    );
}

/** The configuration that file, environment and options make. @throws ConfigError */
export async function loadChallengerConfig(options: ChallengerCommandOptions): Promise<ChallengerConfig> {
  const [{ challengerConfigSchema }, { challengerConfigProblems }, { loadConfig }, { CHALLENGER_PREFIX }] = await Promise.all([
    import('../challenger/config.ts'),
    import('../challenger/config-checks.ts'),
    import('../runtime/configuration.ts'),
    import('../runtime/configuration-environment.ts'),
  ]);
  const { config: file, rpc, deployment, data, rate, prover: provers } = options;
  return loadConfig(challengerConfigSchema, {
    file,
    overrides: { rpc, deployment, data, rate, provers },
    environment: process.env,
    prefix: CHALLENGER_PREFIX,
    check: (given) => challengerConfigProblems(given, process.env),
  });
}
