import { Command } from 'commander';
import { DEVELOPMENT_CHAIN } from '../../runtime/configuration.ts';
import { accountOf, keyHelp } from '../accounts.ts';
import { integer } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly rpc: string;
  readonly out?: string;
  readonly window?: number;
  readonly response?: number;
  readonly reaction?: number;
  readonly json?: boolean;
}

export function deployCommand(): Command {
  return new Command('deploy')
    .description('Deploy the contracts on a chain and record where they are')
    .requiredOption('--rpc <url>', 'RPC address of the chain')
    .option('--out <file>', 'deployment file to write (default deployments/<chainId>.json)')
    .option('--window <seconds>', 'time in which a claim can first be disputed', integer)
    .option('--response <seconds>', 'time in which a demand must be answered', integer)
    .option('--reaction <seconds>', 'time to react to an answer', integer)
    .addHelpText(
      'after',
      `\nTimes default to a day and more; on chain ${DEVELOPMENT_CHAIN}, to seconds. They are fixed for good.${keyHelp('deployer')}`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const [{ connect, deploymentFile }, { deployTo }, { writeWhole }] = await Promise.all([
    import('../chain.ts'),
    import('../deploying.ts'),
    import('../files.ts'),
  ]);
  const client = await connect(options.rpc);
  const { window, response, reaction } = options;
  const deployment = await deployTo(client, accountOf('deployer', client.chain.id), { window, response, reaction });
  const file = options.out ?? deploymentFile(client.chain.id);
  await writeWhole(file, `${JSON.stringify(deployment, null, 2)}\n`);
  createOutput(options.json === true).result(
    { event: 'deployed', file, ...deployment },
    [`Deployed on chain ${deployment.chainId}; recorded in ${file}.`, ...addressLines(deployment)].join('\n'),
  );
}

function addressLines(deployment: object): string[] {
  return Object.entries(deployment)
    .filter(([, value]) => typeof value === 'string')
    .map(([name, value]) => `  ${name.padEnd(14)}${value}`);
}
