import { Command } from 'commander';
import { accountOf, keyHelp } from '../accounts.ts';
import { beforeExit } from '../cleanup.ts';
import { becomeDaemon, untilStopped } from '../daemon.ts';
import { share } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly config?: string;
  readonly rpc?: string;
  readonly deployment?: string;
  readonly data?: string;
  readonly rate?: number;
  readonly prover?: string[];
  readonly json?: boolean;
}

export function challengerCommand(): Command {
  return new Command('challenger')
    .description('Run a challenger: re-execute a share of all claims, dispute the wrong ones')
    .option('--config <file>', 'JSON file with the settings below and more (docs/operating.md)')
    .option('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployments/<chainId>.json')
    .option('--data <dir>', 'state directory of this challenger')
    .option('--rate <share>', 'share of claims to re-execute, 0 to 1 (default 1)', share)
    .option(
      '--prover <url>',
      'HTTP service of a node to fetch programs and inputs from; repeatable',
      (url: string, before: string[] = []) => [...before, url],
    )
    .addHelpText('after', keyHelp('challenger'))
    .action(run);
}

async function run(options: Options): Promise<void> {
  const [{ challengerConfigSchema }, { loadConfig }, { connect, loadDeployment }] = await Promise.all([
    import('../../challenger/config.ts'),
    import('../../runtime/configuration.ts'),
    import('../chain.ts'),
  ]);
  const { config: file, rpc, deployment: deploymentFile, data, rate, prover: provers } = options;
  const config = loadConfig(challengerConfigSchema, { file, overrides: { rpc, deployment: deploymentFile, data, rate, provers } });
  becomeDaemon(0);
  const client = await connect(config.rpc);
  const account = accountOf('challenger', client.chain.id);
  const deployment = await loadDeployment(client, config.deployment);
  const [{ startChallenger }, { createLog }] = await Promise.all([
    import('../../challenger/challenger.ts'),
    import('../../runtime/log.ts'),
  ]);
  const challenger = await startChallenger({
    config,
    client,
    addresses: deployment,
    fromBlock: BigInt(deployment.block),
    account,
    log: createLog({ name: 'challenger', level: config.logLevel }),
  });
  beforeExit(() => challenger.stop());
  createOutput(options.json === true).result(
    { event: 'ready', address: challenger.address, rate: config.rate },
    `Challenger ${challenger.address} ready, re-executing ${config.rate * 100} % of all claims. Ctrl-C stops it.`,
  );
  await untilStopped();
}
