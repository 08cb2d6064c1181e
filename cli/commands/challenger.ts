import { Command } from 'commander';
import { hotKey, keyHelp } from '../accounts.ts';
import { type ChallengerCommandOptions, loadChallengerConfig, withChallengerOptions } from '../challenger-options.ts';
import { beforeExit } from '../cleanup.ts';
import { becomeDaemon, untilStopped } from '../daemon.ts';
import { createOutput } from '../output.ts';

export function challengerCommand(): Command {
  const challenger = new Command('challenger').description('Run a challenger: re-execute a share of all claims, dispute the wrong ones');
  return withChallengerOptions(challenger).addHelpText('after', keyHelp('challenger')).action(run).addCommand(checkCommand());
}

function checkCommand(): Command {
  return new Command('check')
    .description(
      'Look at everything a challenger needs, and say what to mend; exit code 1 when something fails, 2 when the configuration does',
    )
    .addHelpText('after', '\nTakes the options of `assay challenger`.')
    .action((_, command: Command) => check(command.optsWithGlobals()));
}

async function check(options: ChallengerCommandOptions): Promise<void> {
  const [{ checkChallenger }, { tellFindings }] = await Promise.all([import('../check/challenger.ts'), import('../check/verdict.ts')]);
  await tellFindings('challenger', createOutput(options.json === true), (tell) =>
    checkChallenger(() => loadChallengerConfig(options), tell),
  );
}

async function run(options: ChallengerCommandOptions): Promise<void> {
  const config = await loadChallengerConfig(options);
  becomeDaemon(0);
  const [{ connect, loadDeployment }, { privateKeyToAccount }] = await Promise.all([import('../chain.ts'), import('viem/accounts')]);
  const client = await connect(config.rpc);
  const account = privateKeyToAccount(await hotKey('challenger', client.chain.id, config.keystore));
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
