import { Command } from 'commander';
import type { AssayError } from '../../core/errors.ts';
import type { ChainAccess } from '../../prover/assembly/chain-access.ts';
import type { NodeConfig } from '../../prover/configuration/config.ts';
import type { ReceiptSigner } from '../../prover/service/signer.ts';
import { hotKey, keyHelp } from '../accounts.ts';
import { beforeExit } from '../cleanup.ts';
import { becomeDaemon, logConsole, untilStopped } from '../daemon.ts';
import { loadNodeConfig, type NodeCommandOptions, withNodeOptions } from '../node-options.ts';
import { createOutput } from '../output.ts';
import { checkCommand, deadCommand, removeCommand, replayCommand } from './node-operations.ts';

export function nodeCommand(): Command {
  const node = new Command('node').description('Run a prover: answer requests, defend the answers, serve HTTP');
  return withNodeOptions(node)
    .addHelpText('after', keyHelp('node'))
    .action(run)
    .addCommand(checkCommand())
    .addCommand(deadCommand())
    .addCommand(replayCommand())
    .addCommand(removeCommand());
}

async function run(options: NodeCommandOptions): Promise<void> {
  const config = await loadNodeConfig(options);
  becomeDaemon(config.drainSeconds);
  const opened = config.role === 'worker' ? undefined : await chainAccess(config);
  const access = opened?.access;
  const [{ requireSelftest }, { startNode }, { createProving }, { createLog }] = await Promise.all([
    import('../../runtime/selftest.ts'),
    import('../../prover/node.ts'),
    import('../../prover/work/proving.ts'),
    import('../../runtime/log.ts'),
  ]);
  // An answer that this machine computes wrongly would cost its stake.
  await requireSelftest();
  const proving = createProving(config.proofProcesses, config.proofMemoryMiB);
  beforeExit(() => proving.close());
  let end = (_error: AssayError): void => {};
  const ended = new Promise<never>((_, reject) => {
    end = reject;
  });
  const log = createLog({ name: 'node', level: config.logLevel }).child({ role: config.role });
  logConsole(log);
  const node = await startNode({
    config,
    access,
    signer: opened?.signer,
    prove: proving.prove,
    log,
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
    import('../../prover/service/signer.ts'),
    import('viem/accounts'),
  ]);
  const client = await connect(config.rpc ?? []);
  const key = await hotKey('node', client.chain.id, config.keystore);
  const addresses = await loadDeployment(client, config.deployment);
  const access = { client, account: privateKeyToAccount(key), addresses, fromBlock: BigInt(addresses.block) };
  return { access, signer: keySigner(key) };
}
