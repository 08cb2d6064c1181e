import { Command } from 'commander';
import { formatEther, type LocalAccount } from 'viem';
import { AssayError } from '../../core/errors.ts';
import { PASSWORD_VARIABLE } from '../../runtime/keystore-file.ts';
import { accountOf, hotKey, keyHelp, ROLES } from '../accounts.ts';
import { address, ether } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly rpc: string;
  readonly deployment?: string;
  readonly deposit?: bigint;
  readonly withdraw?: bigint;
  readonly addKey?: boolean;
  readonly keystore?: string;
  readonly passwordFile?: string;
  readonly retireKey?: `0x${string}`;
  readonly collect?: boolean;
  readonly json?: boolean;
}

export function stakeCommand(): Command {
  return new Command('stake')
    .description("Manage a prover's stake: ether, signing keys, earnings")
    .requiredOption('--rpc <url>', 'RPC address of the chain')
    .option('--deployment <file>', 'deployment file (default deployments/<chainId>.json)')
    .option('--deposit <ether>', 'add to the free stake', ether)
    .option('--withdraw <ether>', 'take out of the free stake', ether)
    .option('--add-key', `bind the node's key (--keystore, or ${ROLES.node.variable}) to this stake, for good`)
    .option('--keystore <file>', 'encrypted file of the key to bind, as `assay keystore new` wrote it')
    .option('--password-file <file>', `file with its password (default: ${PASSWORD_VARIABLE} in the environment)`)
    .option('--retire-key <address>', "end a key's right to make new claims", address)
    .option('--collect', 'take out fees and answer payments')
    .addHelpText('after', keyHelp('owner'))
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.keystore !== undefined && options.addKey !== true) {
    throw new AssayError('A keystore is named, and nothing is to be done with its key', { code: 'USAGE', fix: 'add --add-key' });
  }
  const [{ connect, loadDeployment }, { createSender }, { Stake }] = await Promise.all([
    import('../chain.ts'),
    import('../../contracts/client/sender.ts'),
    import('../stake.ts'),
  ]);
  const client = await connect(options.rpc);
  const deployment = await loadDeployment(client, options.deployment);
  const stake = new Stake(client, deployment, createSender({ client, account: accountOf('owner', client.chain.id) }));
  if (options.addKey === true) await stake.addKey(await keyToBind(options, client.chain.id));
  // After what can be refused: who has to try again must not pay in twice.
  if (options.deposit !== undefined) await stake.deposit(options.deposit);
  if (options.retireKey !== undefined) await stake.retireKey(options.retireKey);
  if (options.collect === true) await stake.collect();
  if (options.withdraw !== undefined) {
    const free = await stake.free();
    if (options.withdraw > free) {
      throw new AssayError('The free stake is smaller than what is to be withdrawn', {
        code: 'STAKE_INSUFFICIENT',
        facts: { free: formatEther(free), asked: formatEther(options.withdraw) },
        fix: 'withdraw less, or wait until locks are released',
      });
    }
    await stake.withdraw(options.withdraw);
  }
  const [free, locked] = await Promise.all([stake.free(), stake.locked()]);
  createOutput(options.json === true).result(
    { event: 'stake', owner: stake.owner, free, locked },
    `Stake of ${stake.owner}: ${formatEther(free)} ether free, ${formatEther(locked)} ether locked.`,
  );
}

async function keyToBind({ keystore: file, passwordFile }: Options, chainId: number): Promise<LocalAccount> {
  const { privateKeyToAccount } = await import('viem/accounts');
  return privateKeyToAccount(await hotKey('node', chainId, file === undefined ? undefined : { file, passwordFile }));
}
