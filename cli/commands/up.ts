import path from 'node:path';
import { Command } from 'commander';
import { integer } from '../options.ts';
import { createOutput } from '../output.ts';

interface Options {
  readonly port: number;
  readonly nodePort: number;
  readonly data: string;
  readonly rate: number;
  readonly json?: boolean;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Run everything on this machine: chain, contracts, demo models, prover, challenger')
    .option('--port <port>', 'port of the chain (0 takes a free one)', integer, 8545)
    .option('--node-port <port>', "port of the node's HTTP service (0 takes a free one)", integer, 8645)
    .option('--data <dir>', 'folder for models, state and logs; its content is replaced', '.assay/up')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { startEverything } = await import('../everything.ts');
  const output = createOutput(options.json === true);
  const everything = await startEverything({
    directory: path.resolve(options.data),
    port: options.port,
    nodePort: options.nodePort,
    progress: (event, facts, text) => output.result({ event, ...facts }, text),
  });
  output.result({ event: 'ready', rpc: everything.rpc, node: everything.node, deployment: everything.deployment }, READY);
  // Ends with an error when a part has ended by itself; with a signal otherwise.
  await everything.broken;
}

const READY = 'Everything runs. Ctrl-C stops it.';
