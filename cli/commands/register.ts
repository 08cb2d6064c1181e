import path from 'node:path';
import { Command } from 'commander';
import { accountOf, keyHelp } from '../accounts.ts';
import { integer } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly rpc: string;
  readonly deployment?: string;
  readonly royalty: number;
  readonly uri: string;
  readonly optimisticOnly?: boolean;
  readonly json?: boolean;
}

export function registerCommand(): Command {
  return new Command('register')
    .description('Register a compiled model, with its verification key when it has one')
    .argument('<dir>', 'folder written by `assay compile` (and `assay setup`)')
    .requiredOption('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployment file (default deployments/<chainId>.json)')
    .option('--royalty <points>', 'basis points of every fee for the creator', integer, 0)
    .option('--uri <uri>', 'where the program can be fetched; a hint that the creator can change', '')
    .option('--optimistic-only', 'without the verification key: the model has no zk tier on chain')
    .addHelpText('after', keyHelp('creator'))
    .action(run);
}

async function run(directory: string, options: Options): Promise<void> {
  const [{ connect, loadDeployment }, { createSender }, { registerModel }] = await Promise.all([
    import('../chain.ts'),
    import('../../contracts/client/sender.ts'),
    import('../registration.ts'),
  ]);
  const client = await connect(options.rpc);
  const deployment = await loadDeployment(client, options.deployment);
  const sender = createSender({ client, account: accountOf('creator', client.chain.id) });
  const { royalty, uri, optimisticOnly } = options;
  const registered = await registerModel({ directory, client, deployment, sender, royalty, uri, optimisticOnly });
  createOutput(options.json === true).result(
    { event: 'registered', ...registered },
    [
      `${path.basename(path.resolve(directory))} is registered as`,
      `  modelId   ${registered.modelId}`,
      `  tiers     ${registered.tiers.join(', ')}`,
      registered.development ? '  key       development: whoever made it could forge proofs; careful consumers refuse it' : undefined,
      `  coverage  at least ${registered.minimumCoverage} wei behind an optimistic answer`,
    ]
      .filter((line) => line !== undefined)
      .join('\n'),
  );
}
