import { Command, Option } from 'commander';
import { accountOf, keyHelp } from '../accounts.ts';
import { ether, hash, integer } from '../options.ts';
import { createOutput } from '../output.ts';
import type { Tier } from '../requesting.ts';

interface Options {
  readonly rpc: string;
  readonly deployment?: string;
  readonly modelId: `0x${string}`;
  readonly input: string;
  readonly tier: Tier;
  readonly fee: bigint;
  readonly coverage?: bigint;
  readonly deadline: number;
  readonly node: string[];
  readonly inputUri: string;
  readonly wait: number;
  readonly json?: boolean;
}

export function requestCommand(): Command {
  return new Command('request')
    .description('Ask for an answer on chain, and wait for it')
    .argument('<dir>', "the model's folder: how the input becomes integers, and the answer numbers")
    .requiredOption('--rpc <url>', 'RPC address of the chain')
    .requiredOption('--model-id <id>', 'registered model', hash)
    .requiredOption('--input <file>', 'the input, in the form of --calibration; the first case counts')
    .addOption(new Option('--tier <tier>', 'how the answer is backed').choices(['zk', 'optimistic']).default('optimistic'))
    .option('--deployment <file>', 'deployment file (default deployments/<chainId>.json)')
    .addOption(new Option('--fee <ether>', 'what the answer is worth').argParser(ether).default(10n ** 15n, '0.001'))
    .option('--coverage <ether>', 'stake behind an optimistic answer (default: the least there may be)', ether)
    .option('--deadline <seconds>', 'time in which an answer is accepted', integer, 600)
    .option('--node <url>', 'node to hand the input to; repeatable', (url: string, before: string[]) => [...before, url], [])
    .option('--input-uri <uri>', 'where else the input can be fetched', '')
    .option('--wait <seconds>', 'time to wait for the end; 0 returns at once', integer, 600)
    .addHelpText('after', keyHelp('requester'))
    .action(run);
}

async function run(directory: string, options: Options): Promise<void> {
  const [{ connect, loadDeployment }, { createSender }, requesting, { readCases }, { programInput }, { readModelDirectory }, answers] =
    await Promise.all([
      import('../chain.ts'),
      import('../../contracts/client/sender.ts'),
      import('../requesting.ts'),
      import('../model-source.ts'),
      import('../case-input.ts'),
      import('../../runtime/model-directory.ts'),
      import('../chain-answer.ts'),
    ]);
  const output = createOutput(options.json === true);
  const { program } = await readModelDirectory(directory);
  const [first] = await readCases(options.input, 'The input');
  const { tensors } = programInput(program, first!);
  const client = await connect(options.rpc);
  const deployment = await loadDeployment(client, options.deployment);
  const sender = createSender({ client, account: accountOf('requester', client.chain.id) });
  const { modelId, tier, fee, deadline: seconds, inputUri } = options;
  await answers.checkModel(client, deployment, modelId, program);
  const input = await requesting.nameInput(client, deployment, modelId, tier, tensors);
  const coverage = options.coverage ?? (await answers.minimumCoverage(client, deployment, modelId));
  const { id } = await requesting.ask(client, deployment, sender, { modelId, tier, input, fee, coverage, seconds, inputUri });
  output.result({ event: 'requested', requestId: id, modelId, tier, input: input.name }, `Request ${id} is made.`);
  for (const node of options.node) await requesting.uploadInput(node, modelId, input.bytes);
  if (options.wait === 0) return;
  const status = await requesting.waitForEnd(client, deployment, id, options.wait);
  const answer = status === 'refunded' ? undefined : await requesting.outputOf(client, deployment, id);
  answers.printEnd(output, program, id, status, answer);
}
